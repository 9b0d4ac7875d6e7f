package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"goldmint/cmd/goldmint/internal/screen"
	"goldmint/internal/event"
	"goldmint/internal/history"
)

// Who waits for a build that nobody knows gets one note on what to check: after some seconds, or
// two minutes after the submit.
func TestSilenceIsTold(t *testing.T) {
	for _, test := range []struct {
		submitted bool
		after     time.Duration
	}{{false, quiet}, {true, tooQuiet}} {
		synctest.Test(t, func(t *testing.T) {
			var out strings.Builder
			build := target{id: "web-1"}
			if test.submitted {
				build.submitted = time.Now()
			}
			b := newBuildTable()
			a := &awaited{target: build, row: b.row("web-1"), since: time.Now()}
			f := &following{all: []*awaited{a}, progress: newProgress(&out, b, (*row).sentence)}
			begun, after := time.Now(), time.Duration(0)
			looks := time.NewTicker(lookEvery)
			for range 1000 {
				f.read(nil, true)
				if after == 0 && out.Len() > 0 {
					after = time.Since(begun)
				}
				<-looks.C
			}
			if n := strings.Count(out.String(), "no event of web-1 came"); n != 1 || after < test.after || after > test.after+time.Second {
				t.Errorf("submitted %t: noted %d times, first after %s:\n%s", test.submitted, n, after, out.String())
			}
		})
	}
}

const longImage = "/subscriptions/6b3f8f1e-52d4-4c6c-9d55-0e1f8f6f2a41/resourceGroups/golden-images/providers/Microsoft.Compute/images/"

// ten is a table of builds of all states, with names of several scripts.
func ten() *buildTable {
	b := newBuildTable()
	tell := func(id, eventType string) {
		e := event.Event{Type: eventType, ID: event.ID(id+"/aaaaaaaaaaaa", eventType, 1), Data: event.Data{
			BuildID: id, Name: "image-" + id, ImageID: longImage + "image-" + id, Location: "westus", StartedAt: time.Now(),
			Source: event.Source{Type: "virtualMachine", ID: "/subscriptions/x/virtualMachines/web"},
			Error:  &event.Error{Code: "NotFound", Message: "Source Virtual Machine '網頁伺服器'\nspecified in the request\x1b[2J does not exist in this Azure location."},
		}}
		b.event(history.Entry{Event: e})
	}
	for i, name := range []string{"from-managed-disk-with-data-disk", "網頁伺服器-1", "ภาพ-2", "from-vm", "e\u0301clair"} {
		tell(name, event.Started)
		switch i {
		case 0, 3:
			tell(name, event.Succeeded)
		case 1:
			tell(name, event.Failed)
		}
	}
	for i := range 5 {
		b.row(fmt.Sprintf("queued-%d", i)).source = "snapshot"
	}
	return b
}

// On no screen is a line of the table wider than it, nor are there more lines than it has; the sums
// are always there.
func TestBoardFits(t *testing.T) {
	for columns := 1; columns <= 220; columns++ {
		for _, lines := range []int{1, 2, 4, 10, 40} {
			drawn := ten().live(columns, lines, true)
			if len(drawn) > lines || !strings.Contains(drawn[len(drawn)-1], "10 builds, ") {
				t.Fatalf("%d columns, %d lines: %d are drawn: %q", columns, lines, len(drawn), drawn)
			}
			for _, line := range drawn[:len(drawn)-1] {
				if columns >= 6 && screen.Width(line) > columns-1 {
					t.Fatalf("%d columns: %d wide: %q", columns, screen.Width(line), line)
				}
				if strings.Contains(line, "\x1b[2J") {
					t.Fatalf("somebody's words reach the terminal: %q", line)
				}
			}
		}
	}
}

// A version's row says which regions are done and how far the others are; its end says where it is,
// or which region failed.
func TestBoardOfAVersion(t *testing.T) {
	region := func(name, state string, progress int32) event.Region {
		return event.Region{Region: name, State: state, Progress: progress}
	}
	e := event.Event{Type: event.Replicating, Data: event.Data{
		BuildID: "web", Name: "1.0.0", GalleryName: "corp", GalleryImageName: "web", Location: "westeurope", StartedAt: time.Now(),
		ReplicationStatus: &event.Replication{AggregatedState: "InProgress", Summary: []event.Region{
			region("westeurope", "Completed", 100), region("eastus", "Completed", 100), region("northeurope", "Replicating", 40),
		}},
	}}
	b := newBuildTable()
	line := func() string { return strings.Join(b.live(120, 3, false), "\n") }
	b.event(history.Entry{Event: e})
	if got, want := line(), "2 of 3 regions done: westeurope, eastus; under way: northeurope 40 %"; !strings.Contains(got, want) || !strings.Contains(got, "1 replicating") {
		t.Errorf("%s\ndoes not say %q", got, want)
	}
	b.console(`{"msg":"continued","buildId":"web","reason":"ARM is creating the image"}`)
	if got := line(); !strings.Contains(got, "2 of 3 regions done") {
		t.Errorf("a step takes the regions' place: %s", got)
	}
	failed := e
	failed.Type, failed.Data.EndedAt = event.Failed, time.Now()
	failed.Data.Error = &event.Error{Code: "InternalOperationError", Message: "Gallery replication jobs failed in one or more regions.", Hint: "leave the failing region out"}
	failed.Data.ReplicationStatus = &event.Replication{AggregatedState: "Failed", Summary: []event.Region{
		region("westeurope", "Completed", 100), {Region: "northeurope", State: "Failed", Details: "Failed with internal server error."},
	}}
	var exit *exitError
	if err := verdict(failed); !errors.As(err, &exit) || exit.hint != "leave the failing region out" ||
		!strings.HasSuffix(err.Error(), "\n  - westeurope Completed\n  - northeurope Failed: Failed with internal server error.") {
		t.Errorf("the failure is after as %+v", exit)
	}
	succeeded := e
	succeeded.Type, succeeded.Data.EndedAt = event.Succeeded, time.Now()
	b.event(history.Entry{Event: succeeded})
	if got, want := line(), "version 1.0.0 of corp/web in westeurope, eastus, northeurope"; !strings.Contains(got, want) {
		t.Errorf("%s\ndoes not say %q", got, want)
	}
}

// With fewer lines than builds the newest that ended are kept, and those under way come before
// those in line.
func TestBoardKeepsWhatMatters(t *testing.T) {
	var shown []string
	for _, r := range ten().visible(4) {
		shown = append(shown, r.id)
	}
	if got, want := strings.Join(shown, " "), "ภาพ-2 from-vm e\u0301clair queued-0"; got != want {
		t.Errorf("shown: %s, want %s", got, want)
	}
}

// At the end every image id stands whole, beside its row where all fit and else on a line of its
// own.
func TestBoardAtTheEnd(t *testing.T) {
	for columns, lines := range map[int]int{80: 13, 120: 13, 250: 10} {
		final := ten().final(columns, false)
		text := strings.Join(final, "\n")
		if len(final) != lines || !strings.Contains(text, longImage+"image-from-vm") || !strings.Contains(text, "does not exist in this Azure location.") {
			t.Errorf("%d columns, %d lines:\n%s", columns, len(final), text)
		}
	}
}
