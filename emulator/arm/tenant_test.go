package arm_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"goldmint/emulator/arm"

	"github.com/google/go-cmp/cmp"
)

// TestWhatClientsAskFirst: tenants, subscriptions, resources.
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
	r := newRequest(t, http.MethodGet, s.Endpoint()+"/subscriptions?api-version=2022-12-01", "")
	r.Header.Del("Authorization")
	send(t, s, r).refused(t, 401, "AuthenticationFailed", "")
}

// TestMetadata has the members that Azure's answers of each api-version have, and points at the
// server itself.
func TestMetadata(t *testing.T) {
	s := arm.Start(t, arm.Options{TLS: true})
	ask := func(endpoint, version string) reply {
		r := newRequest(t, http.MethodGet, endpoint+"/metadata/endpoints?api-version="+version, "")
		r.Header.Del("Authorization")
		return send(t, s, r)
	}
	const first = "authentication galleryEndpoint graphEndpoint portalEndpoint"
	const cloud = "activeDirectoryDataLake authentication batch gallery graph graphAudience media name portal resourceManager sqlManagement suffixes vmImageAliasDoc"
	for version, want := range map[string]string{
		"2015-01-01": first,
		"2018-01-01": "authentication cloudEndpoint galleryEndpoint graphAudience graphEndpoint portalEndpoint",
		"2022-09-01": cloud + " appInsightsResourceId appInsightsTelemetryChannelResourceId attestationResourceId logAnalyticsResourceId" +
			" microsoftGraphResourceId ossrDbmsResourceId synapseAnalyticsResourceId",
	} {
		got := ask(s.Endpoint(), version).json(t)
		if diff := cmp.Diff(slices.Sorted(slices.Values(strings.Fields(want))), slices.Sorted(maps.Keys(got))); diff != "" {
			t.Errorf("%s has the members (-Azure +here)\n%s", version, diff)
		}
		if at := got["authentication"].(map[string]any)["loginEndpoint"]; at != s.Endpoint() {
			t.Errorf("%s: sign-in at %v", version, at)
		}
	}
	var clouds []map[string]any
	if err := json.Unmarshal([]byte(ask(s.PlainEndpoint(), "2019-05-01").text), &clouds); err != nil || len(clouds) != 1 {
		t.Fatalf("%v: %v", clouds, err)
	}
	if got := slices.Sorted(maps.Keys(clouds[0])); strings.Join(got, " ") != cloud || clouds[0]["resourceManager"] != s.PlainEndpoint() {
		t.Errorf("2019-05-01 over http: %v", clouds[0])
	}
	ask(s.Endpoint(), "").refused(t, http.StatusBadRequest, "MissingApiVersionParameter", "")
}

// TestSovereignClouds name themselves, and the audiences of their tokens.
func TestSovereignClouds(t *testing.T) {
	for cloud, audience := range map[arm.Cloud]string{
		arm.ChinaCloud: "https://management.chinacloudapi.cn", arm.USGovernmentCloud: "https://management.usgovcloudapi.net",
	} {
		s := arm.Start(t, arm.Options{Cloud: cloud})
		got := call(t, s, http.MethodGet, "/metadata/endpoints?api-version=2022-09-01", "").json(t)
		if got["name"] != string(cloud) || !slices.Contains(got["authentication"].(map[string]any)["audiences"].([]any), any(audience)) {
			t.Errorf("%s: %v", cloud, got)
		}
	}
}
