package localazure_test

import (
	"maps"
	"path/filepath"
	"strings"
	"testing"

	"goldmint/emulator/arm"
	"goldmint/internal/event"
	"goldmint/internal/localazure"
)

// TestGalleryExamples: a request for each source of a gallery image version makes a version, and
// publishes an event with its id and its regions. The answer to the first has the limits, so the
// others need not wait.
func TestGalleryExamples(t *testing.T) {
	t.Parallel()
	settings := maps.Clone(quick)
	settings["VERSION_LOOK_AT"], settings["VERSION_LOOK_TICK"] = "PT0.3S", "PT0.3S"
	a := start(t, localazure.Options{Settings: settings, ARM: arm.Options{Speed: 1000}})
	files, err := filepath.Glob("../../examples/requests-gallery/*.json")
	if err != nil || len(files) != 11 {
		t.Fatalf("%d examples, %v", len(files), err)
	}
	want := map[string]string{}
	var events []event.Event
	for i, file := range files {
		r := example(t, file)
		want[r.ID] = r.ResourceID("")
		a.submit(r)
		if i == 0 {
			events = a.events(ended(1))
		}
	}
	for _, e := range append(events, a.events(ended(len(files)-1))...) {
		if !e.Ends() {
			continue
		}
		d := e.Data
		if e.Type != event.Succeeded || !strings.EqualFold(d.ImageID, want[d.BuildID]) || d.ReplicationStatus.Done() == 0 {
			t.Errorf("%s: %s %s %+v %+v", d.BuildID, e.Type, d.ImageID, d.ReplicationStatus, d.Error)
		}
		if _, ok := a.ARM.Version(d.ImageID); !ok {
			t.Errorf("%s: no version %s", d.BuildID, d.ImageID)
		}
		if machine := d.Source.Type == "virtualMachine" || d.Source.Type == "managedDisk" || d.Source.Type == "snapshot"; machine && d.Source.UniqueID == "" {
			t.Errorf("%s: nothing says which %s %s it was", d.BuildID, d.Source.Type, d.Source.ID)
		}
		delete(want, d.BuildID)
	}
	if len(want) > 0 {
		t.Errorf("no event for %v", want)
	}
}
