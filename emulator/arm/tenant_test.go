package arm_test

import (
	"net/http"
	"strings"
	"testing"

	"goldmint/emulator/arm"
)

// TestWhatClientsAskFirst: tenants, subscriptions, resources, and without a token where the services are.
func TestWhatClientsAskFirst(t *testing.T) {
	s := prepared(t, arm.Options{})
	for path, want := range map[string]string{
		"/tenants?api-version=2022-12-01":                                      `"tenantId":"44444444-`,
		"/subscriptions?api-version=2022-12-01":                                `"subscriptionId":"` + subscription + `"`,
		"/subscriptions/" + subscription + "?api-version=2022-12-01":           `"state":"Enabled"`,
		"/subscriptions/" + subscription + "/resources?api-version=2021-04-01": `"id":"` + snapshotID + `"`,
	} {
		if got := call(t, s, http.MethodGet, path, ""); got.status != http.StatusOK || !strings.Contains(got.text, want) {
			t.Errorf("%s: %d %s", path, got.status, got.text)
		}
	}
	for version, want := range map[string]string{"2015-01-01": "galleryEndpoint", "2022-09-01": "resourceManager"} {
		r := newRequest(t, http.MethodGet, s.Endpoint()+"/metadata/endpoints?api-version="+version, "")
		r.Header.Del("Authorization")
		if got := send(t, s, r).json(t); got[want] != s.Endpoint() {
			t.Errorf("%s: %v", version, got)
		}
	}
	r := newRequest(t, http.MethodGet, s.Endpoint()+"/subscriptions?api-version=2022-12-01", "")
	r.Header.Del("Authorization")
	send(t, s, r).refused(t, 401, "AuthenticationFailed", "")
}
