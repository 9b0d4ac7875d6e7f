package build

import (
	"strings"
	"testing"
	"time"

	"goldmint/internal/event"
)

// TestFailedBuildOfAVMSaysHowToTryAgain: its VM's later events are repeats, so nobody should wait
// for them.
func TestFailedBuildOfAVMSaysHowToTryAgain(t *testing.T) {
	f := Failure{Error: event.Error{Code: "ImageExists", Message: "an image of that name exists."}}
	b := travelling(t)
	if e := b.failedEvent(f, time.Time{}); e.Data.Error.Hint != "" {
		t.Errorf("a build that was asked for by a request says %q", e.Data.Error.Hint)
	}
	b.Request.ID = "vm-0f8fad5b-d9cb-469f-a165-70867728950e"
	e := b.failedEvent(f, time.Time{})
	if want := "goldmint submit --vm " + b.Request.Source().ID; e.Data.Error.Message != f.Message || !strings.HasSuffix(e.Data.Error.Hint, want) {
		t.Errorf("it says %q, want it to end in %q", e.Data.Error.Hint, want)
	}
	if f.Hint != "" {
		t.Error("what travels has changed")
	}
}

// TestImageTagsFitAzure: with all that a request may bring there are 50 at most, and no value is
// too long.
func TestImageTagsFitAzure(t *testing.T) {
	b := travelling(t)
	b.UniqueID, b.Request.Metadata = "40a34768-9017-45de-a607-524c765e53f5", map[string]string{"commit": "1f6c0ad"}
	tags := b.ImageTags()
	for name, want := range map[string]string{
		TagBuildID: "b/" + b.Digest, TagRequestedAt: "2026-11-23T12:00:00Z", TagSource: b.Request.Source().ID,
		TagUniqueID: b.UniqueID, TagCommit: "1f6c0ad",
	} {
		if tags[name] == nil || *tags[name] != want {
			t.Errorf("%s is %v, want %s", name, tags[name], want)
		}
	}
	if len(tags) != 5 { // Azure allows 50, a request 45
		t.Errorf("%d tags of Goldmint's own", len(tags))
	}
	b.Request.Metadata["commit"], b.UniqueID = strings.Repeat("é", 257), ""
	if tags := b.ImageTags(); tags[TagCommit] != nil || tags[TagUniqueID] != nil {
		t.Errorf("what does not fit or is not known is a tag: %v", tags)
	}
}
