package arm_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"goldmint/emulator/arm"
)

// FuzzRequest sends any method, path, query and body: the server never panics, and what it says is
// JSON or nothing.
func FuzzRequest(f *testing.F) {
	for _, seed := range []struct{ method, path, query, body string }{
		{"PUT", imageID, "api-version=2026-04-01", fromVM(vmID)},
		{"PUT", imageID, "api-version=2017-03-30", fromDisk(blobSource, data(`{"lun":1,`+blobSource+`}`))},
		{"PUT", imageID, "api-version=2026-04-01", fromDisk(`"snapshot":{"id":"/subscriptions/x"}`)},
		{"PATCH", imageID, "api-version=2026-04-01", `{"tags":null,"properties":{"storageProfile":{}}}`},
		{"GET", compute + "images", "api-version=2026-04-01", ""},
		{"DELETE", imageID, "api-version=2026-04-01", ""},
		{"PUT", vmID, "api-version=2026-04-01", `{"location":"westus","properties":{"storageProfile":{"osDisk":{},"dataDisks":[{"lun":1}]}}}`},
		{"PATCH", vmID, "api-version=2026-04-01", `{"tags":{"a":"b"}}`},
		{"GET", vmID, "api-version=2026-04-01&$expand=instanceView", ""},
		{"POST", vmID + "/generalize", "api-version=2026-04-01", ""},
		{"PUT", diskID, "api-version=2026-03-02", `{"location":"westus","sku":{"name":1},"properties":{"diskSizeGB":-1e99}}`},
		{"PUT", scope, "api-version=2021-04-01", `{"location":"westus"}`},
		{"GET", "/subscriptions/" + subscription + "/providers/Microsoft.Compute/locations/westus/operations/x", "api-version=2026-04-01&t=1&c=2&s=3&h=4", ""},
		{"GET", "/subscriptions/" + subscription + "/resourceGroups", "api-version=2021-04-01", ""},
		{"PUT", versionID, "api-version=2026-03-03", versionOf(fromVMSource, everywhere)},
		{"PUT", versionID, "api-version=2023-07-03", versionOf(`{"osDiskImage":{"source":{"id":"`+snapshotID+`"}},"dataDiskImages":[{"lun":1}]}`, `"replicationMode":"Shallow"`)},
		{"PUT", definitionID, "api-version=2025-03-03", `{"location":"westus","properties":{"osType":"Linux","osState":"Generalized","identifier":{},"features":[1]}}`},
		{"PUT", compute + "galleries/corp", "api-version=2025-03-03", `{"location":"westus","properties":null}`},
		{"GET", definitionID + "/versions", "api-version=2026-03-03&$skiptoken=L3N1", ""},
		{"DELETE", versionID, "api-version=2026-03-03&bypassSoftDelete=true", ""},
		{"PUT", versionLock, "api-version=2016-09-01", `{"properties":{"level":"ReadOnly","owners":[{}]}}`},
		{"GET", scope + "/providers/Microsoft.Authorization/locks", "api-version=2016-09-01&$filter=atScope()", ""},
		{"PUT", compute + "virtualMachineScaleSets/web", "api-version=2026-04-01", `{"location":"westus","properties":{"virtualMachineProfile":{"storageProfile":{"imageReference":{"id":"` + definitionID + `"}}}}}`},
		{"DELETE", softDeletedPath + "/1.0.0", "api-version=2026-03-03", ""},
		{"GET", "/metadata/endpoints", "api-version=2022-09-01", ""},
		{"GET", "/metadata/endpoints", "api-version=2018", ""},
		{"GET", "/subscriptions/x/resources", "api-version=2021-04-01", ""},
		{"PATCH", diskID, "api-version=2026-03-02", `{"properties":{"creationData":{"sourceResourceId":"` + diskID + `"},"diskSizeGB":"x"}}`},
		{"DELETE", scope, "api-version=2021-04-01", ""},
		{"GET", "//..%2f/subscriptions/./providers", "", "\x00"},
	} {
		f.Add(seed.method, seed.path, seed.query, seed.body)
	}
	f.Fuzz(func(t *testing.T, method, path, query, body string) {
		s := arm.Start(t, arm.Options{Limits: arm.Bucket(60, 20)})
		s.AddVM(vmID, "westeurope")
		s.AddBlob(blobURI)
		s.AddDefinition(arm.Definition{ID: definitionID, Location: "westeurope", HyperVGeneration: "V1"})
		r := httptest.NewRequest(http.MethodGet, "/", strings.NewReader(body))
		r.Method, r.URL = method, &url.URL{Path: path, RawQuery: query}
		r.Header.Set("Authorization", "Bearer a-token")
		for range 2 { // the second meets what the first has left behind
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			if text := w.Body.Bytes(); len(text) > 0 && !json.Valid(text) {
				t.Errorf("%s %s: %d %q", method, path, w.Code, text)
			}
			if w.Code >= 400 && w.Body.Len() == 0 && method != http.MethodHead {
				t.Errorf("%s %s: %d without a body", method, path, w.Code)
			}
			s.FastForward(arm.RecordedTick)
			r.Body = http.NoBody
		}
	})
}
