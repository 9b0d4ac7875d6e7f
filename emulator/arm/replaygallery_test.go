package arm_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"goldmint/emulator/arm"
)

// TestReplayGalleries sends the requests of every recorded gallery session and wants Azure's
// answers.
func TestReplayGalleries(t *testing.T) {
	files, err := filepath.Glob("testdata/recordings-gallery/*.json")
	if err != nil || len(files) != 9 {
		t.Fatalf("%d recordings, %v", len(files), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			text = []byte(strings.ReplaceAll(string(text), "2026-12-31T", "2099-12-31T")) // an end of life, which has to be in the future
			var r recording
			if err := json.Unmarshal(text, &r); err != nil {
				t.Fatal(err)
			}
			if order := reordered[name]; order != nil {
				sorted := r.Exchanges
				r.Exchanges = nil
				for _, i := range order {
					r.Exchanges = append(r.Exchanges, sorted[i])
				}
			}
			replayGallery(t, r)
		})
	}
}

// reordered are the sessions that were stored sorted by URL. The times and ids in the answers say
// in which order they came.
var reordered = map[string][]int{
	"gallery-image-version-from-managed-image-net": {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 15, 10, 16, 17, 14, 18, 19, 20, 21, 22},
}

// replayGallery asks again for what was asked. Time goes on to an operation's end where the
// recording has reached it.
func replayGallery(t *testing.T, r recording) {
	t.Helper()
	s := arm.Start(t, arm.Options{Limits: arm.Windows(40, 200), AnyBlob: true})
	prepareGallery(t, s, r)
	operation, monitor := begunBefore(t, s, r), ""
	for _, want := range r.Exchanges {
		uri, body := rest(t, want.URI), ""
		if strings.Contains(strings.ToLower(want.URI), "operations/") {
			if uri = strings.TrimPrefix(operation, s.Endpoint()); strings.Contains(string(want.Body), "endTime") {
				s.FastForward(10 * time.Minute)
			}
			if strings.Contains(want.URI, "monitor=true") {
				uri = strings.TrimPrefix(monitor, s.Endpoint())
			}
		}
		if want.Method == http.MethodPut {
			body = string(want.Request)
		}
		got := call(t, s, want.Method, uri, body)
		if want.Method != http.MethodGet {
			operation, monitor = got.header.Get("Azure-AsyncOperation"), got.header.Get("Location")
			if got.header.Get("Retry-After") != "" || (want.Method == http.MethodPut && got.header.Get("Location") != "") {
				t.Errorf("%s has no Location and no Retry-After: %v", want.Method, got.header)
			}
		}
		if len(want.Body) < 100 && strings.Contains(string(want.Body), "gallery000002") { // shortened where it was copied
			continue
		}
		want.Body = []byte(uniqueName.ReplaceAllString(string(want.Body), `"uniqueName":"NAME"`))
		got.text = uniqueName.ReplaceAllString(got.text, `"uniqueName":"NAME"`)
		compare(t, want, got)
	}
}

// begunBefore makes the version of a session of which only the end of an update was kept, and
// begins that update.
func begunBefore(t *testing.T, s *arm.Server, r recording) (operation string) {
	t.Helper()
	last := r.Exchanges[len(r.Exchanges)-1]
	if r.Exchanges[0].Method != http.MethodGet {
		return ""
	}
	var v map[string]any
	if err := json.Unmarshal(last.Body, &v); err != nil {
		t.Fatal(err)
	}
	properties := v["properties"].(map[string]any)
	delete(properties["storageProfile"].(map[string]any), "osDiskImage")
	definition, _, _ := strings.Cut(v["id"].(string), "/versions/")
	s.AddDefinition(arm.Definition{ID: definition, Location: v["location"].(string), HyperVGeneration: "V1"})
	makeSource(s, properties["storageProfile"].(map[string]any)["source"].(map[string]any)["id"].(string), v["location"].(string))
	for range 2 { // the second is the update
		s.FastForward(10 * time.Minute)
		body, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		operation = call(t, s, http.MethodPut, rest(t, last.URI), string(body)).header.Get("Azure-AsyncOperation")
	}
	return operation
}

// prepareGallery makes the gallery, definition and sources that the session found there.
func prepareGallery(t *testing.T, s *arm.Server, r recording) {
	t.Helper()
	if gallery, _, found := strings.Cut(rest(t, r.Exchanges[0].URI), "/images/"); found {
		s.AddGallery(gallery, locationOf(t, r.Exchanges[0]))
	}
	for i, e := range r.Exchanges {
		at := strings.Index(e.URI, "/versions/")
		if e.Method != http.MethodPut || at < 0 {
			continue
		}
		definition, _, _ := strings.Cut(strings.TrimPrefix(e.URI, "https://management.azure.com"), "/versions/")
		if i == 0 {
			s.AddDefinition(arm.Definition{ID: definition, Location: locationOf(t, e), HyperVGeneration: "V1"})
		}
		for _, id := range sourceIDs.FindAllString(string(e.Request), -1) {
			if id = strings.Trim(id, `"`); !slices.ContainsFunc(r.Exchanges, func(e exchange) bool { return e.Method == http.MethodPut && strings.Contains(e.URI, id+"?") }) {
				makeSource(s, id, locationOf(t, e))
			}
		}
	}
}

func locationOf(t *testing.T, e exchange) string {
	t.Helper()
	var body struct{ Location string }
	if err := json.Unmarshal(e.Request, &body); err != nil {
		t.Fatal(err)
	}
	return body.Location
}

func makeSource(s *arm.Server, id, location string) {
	switch {
	case strings.Contains(id, "/virtualMachines/"):
		s.PutVM(arm.VM{ID: id, Location: location, DataDisks: []arm.VMDisk{{SizeGB: 10}}})
	case strings.Contains(id, "/images/"):
		if strings.Contains(id, "captured") {
			s.AddImage(id, location, "V1")
			return
		}
		s.AddImage(id, location, "V1", arm.VMDisk{SizeGB: 10})
	case strings.HasSuffix(id, "snp000004"):
		s.PutSnapshot(arm.Disk{ID: id, Location: location})
	default:
		s.PutSnapshot(arm.Disk{ID: id, Location: location, SizeGB: 10})
	}
}
