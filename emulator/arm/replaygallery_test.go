package arm_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"goldmint/emulator/arm"
)

// TestReplayGalleries sends the requests of every recorded gallery session, in order, and wants Azure's answers. Two
// sessions cannot be sent again: one holds only the end of an update, the other is sorted, its order lost.
func TestReplayGalleries(t *testing.T) {
	files, err := filepath.Glob("testdata/recordings-gallery/*.json")
	if err != nil || len(files) != 9 {
		t.Fatalf("%d recordings, %v", len(files), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		if name == "version-update-end-of-life-2026" || name == "gallery-image-version-from-managed-image-net" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var r recording
			if err := json.Unmarshal(text, &r); err != nil {
				t.Fatal(err)
			}
			replayGallery(t, r)
		})
	}
}

// replayGallery asks again for what was asked. Time goes on to an operation's end where the recording has reached it.
func replayGallery(t *testing.T, r recording) {
	t.Helper()
	s := arm.Start(t, arm.Options{Limits: arm.Windows(40, 200), AnyBlob: true})
	prepareGallery(t, s, r)
	operation := ""
	for _, want := range r.Exchanges {
		uri, body := rest(t, want.URI), ""
		if strings.Contains(want.URI, "/capsOperations/") {
			if uri = strings.TrimPrefix(operation, s.Endpoint()); strings.Contains(string(want.Body), "endTime") {
				s.FastForward(10 * time.Minute)
			}
		}
		if want.Method == http.MethodPut {
			body = string(want.Request)
		}
		got := call(t, s, want.Method, uri, body)
		if want.Method != http.MethodGet {
			operation = got.header.Get("Azure-AsyncOperation")
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
			makeSource(s, strings.Trim(id, `"`), locationOf(t, e))
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
