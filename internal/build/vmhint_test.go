package build

import (
	"strings"
	"testing"
	"time"

	"goldmint/internal/event"
)

// TestFailedBuildOfAVMSaysHowToTryAgain: its VM's later events are repeats, so nobody should wait for them.
func TestFailedBuildOfAVMSaysHowToTryAgain(t *testing.T) {
	f := Failure{Error: event.Error{Code: "ImageExists", Message: "an image of that name exists."}}
	b := travelling(t)
	if e := b.failedEvent(f, time.Time{}); strings.Contains(e.Data.Error.Message, "goldmint submit") {
		t.Errorf("a build that was asked for by a request says %q", e.Data.Error.Message)
	}
	b.Request.ID = "vm-0f8fad5b-d9cb-469f-a165-70867728950e"
	e := b.failedEvent(f, time.Time{})
	if want := "goldmint submit --vm " + b.Request.Source().ID; !strings.HasPrefix(e.Data.Error.Message, f.Message) || !strings.HasSuffix(e.Data.Error.Message, want) {
		t.Errorf("it says %q, want it to end in %q", e.Data.Error.Message, want)
	}
	if f.Message != "an image of that name exists." {
		t.Error("what travels has changed")
	}
}
