package localazure_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"goldmint/emulator/arm"
	"goldmint/internal/event"
	"goldmint/internal/localazure"
)

const vmGroup = "/subscriptions/" + localazure.SubscriptionID + "/resourceGroups/vms/providers/Microsoft.Compute/virtualMachines/"

// TestVMsBecomeImages: there is no request. VMs are deallocated and generalized through Resource
// Manager, its events reach the deployed handler through the queue, and each tagged VM becomes one
// image.
func TestVMsBecomeImages(t *testing.T) {
	t.Parallel()
	a := start(t, localazure.Options{ARM: arm.Options{ActionDuration: 300 * time.Millisecond}})
	token := a.token()
	for name, tags := range map[string]map[string]string{
		"by-hand":     {"goldmint": "capture"},
		"by-goldmint": {"goldmint": "capture", "goldmint-generalize": "true"},
		"網頁伺服器":       {"goldmint": "capture"}, // a name in letters of another script, as Azure allows
		"ภาพ":         {},
		"untagged":    {},
	} {
		a.ARM.PutVM(arm.VM{ID: vmGroup + name, Location: "westeurope", Tags: tags, HyperVGeneration: "V2"})
		a.act(token, name, "deallocate")
	}
	a.ARM.FastForward(time.Second) // the deallocations are over, and their events are sent
	for _, name := range []string{"by-hand", "網頁伺服器", "ภาพ", "untagged"} {
		a.act(token, name, "generalize")
	}
	names := map[string]bool{}
	for _, e := range a.events(ended(3)) {
		if e.Type == event.Failed || e.Type == event.Rejected {
			t.Errorf("event %+v", e)
		}
		if e.Type == event.Succeeded {
			names[e.Data.Source.ID] = true
		}
	}
	if n := a.ARM.Images(); n != 3 || !names[vmGroup+"by-hand"] || !names[vmGroup+"網頁伺服器"] || !names[vmGroup+"by-goldmint"] {
		t.Errorf("%d images, of %v", n, names)
	}
}

// token is one for Resource Manager, of the local identity.
func (a *azure) token() string {
	a.t.Helper()
	query := url.Values{"api-version": {"2019-08-01"}, "resource": {"https://management.azure.com"}}
	body := a.call(http.MethodGet, a.Identity.Endpoint()+"?"+query.Encode(), http.Header{"X-IDENTITY-HEADER": {a.Identity.Secret()}})
	var answer struct {
		Token string `json:"access_token"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		a.t.Fatal(err)
	}
	return answer.Token
}

func (a *azure) act(token, vm, action string) {
	a.t.Helper()
	a.call(http.MethodPost, a.ARM.PlainEndpoint()+vmGroup+vm+"/"+action+"?api-version=2026-04-01", http.Header{"Authorization": {"Bearer " + token}})
}

func (a *azure) call(method, address string, header http.Header) []byte {
	a.t.Helper()
	q, err := http.NewRequestWithContext(a.t.Context(), method, address, strings.NewReader(""))
	if err != nil {
		a.t.Fatal(err)
	}
	q.Header = header
	answer, err := http.DefaultClient.Do(q)
	if err != nil {
		a.t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode >= 300 {
		a.t.Fatalf("%s %s: %d %s %v", method, address, answer.StatusCode, body, err)
	}
	return body
}
