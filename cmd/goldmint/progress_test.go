package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"goldmint/cmd/goldmint/internal/screen"
	"goldmint/internal/build"
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

// limitedEvent is that of a build that waits for Azure's rate limit until the time.
func limitedEvent(until time.Time, ahead int) history.Entry {
	return history.Entry{Event: event.Event{Type: event.Delayed, Time: until.Add(-time.Minute), Data: event.Data{
		BuildID: "from-managed-disk-with-data-disk", Name: "web", RequestedAt: until.Add(-time.Minute),
		Delay: &event.Delay{Reason: "RateLimited", Message: "Azure allows no more creations for now", Ahead: ahead, Until: until},
	}}}
}

// A build that waits for a rate limit says until when, whole even at 80 columns, and more where it
// is alone. Once Azure works on it, it counts as being created.
func TestBoardOfALimitedBuild(t *testing.T) {
	until := time.Now().Add(time.Minute)
	at := until.Local().Format("15:04")
	b := newBuildTable()
	p := newProgress(&strings.Builder{}, b, (*row).sentence)
	b.event(limitedEvent(until, 3))
	alone := strings.Join(strings.Fields(strings.Join(p.lines(80, 10), " ")), " ")
	if want := "waiting for Azure's rate limit until about " + at + ", behind 3 others"; !strings.Contains(alone, want) {
		t.Errorf("alone: %s, want %s", alone, want)
	}
	b.row("other")
	board := func() string { return strings.Join(p.lines(80, 10), "\n") }
	if got := board(); !strings.Contains(got, "  rate limit until "+at+"\n") || !strings.Contains(got, "1 delayed") {
		t.Errorf("at 80 columns:\n%s", got)
	}
	later := until.Add(10 * time.Minute)
	b.console(fmt.Sprintf(`{"msg":"continued","buildId":"from-managed-disk-with-data-disk","reason":%q,"at":%q}`, build.RateLimited, later.Format(time.RFC3339Nano)))
	if got := board(); !strings.Contains(got, "  rate limit until "+later.Local().Format("15:04")+"\n") {
		t.Errorf("when it takes longer:\n%s", got)
	}
	b.console(fmt.Sprintf(`{"msg":"continued","buildId":"from-managed-disk-with-data-disk","reason":%q}`, build.Creating))
	if got := board(); !strings.Contains(got, "  creating\n") || !strings.Contains(got, "1 creating") || strings.Contains(got, "delayed") {
		t.Errorf("while Azure creates it:\n%s", got)
	}
}

// Once nothing is open nothing moves: no spinner, no seconds. The time of a waiter's line counts
// from the submission to the end.
func TestBoardRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBuildTable()
		p := newProgress(&strings.Builder{}, b, (*row).sentence)
		submitted := time.Now()
		e := event.Event{Data: event.Data{BuildID: "web", Name: "web", Location: "westeurope", RequestedAt: submitted}}
		screenAt := func(after time.Duration) string {
			<-time.After(time.Until(submitted.Add(after)))
			return strings.Join(p.lines(80, 10), "\n")
		}
		e.Type = event.Queued
		b.event(history.Entry{Event: e})
		if one, two := screenAt(time.Second), screenAt(1100*time.Millisecond); one == two {
			t.Errorf("nothing moves while the build is open: %s", one)
		}
		e.Type, e.Data.StartedAt = event.Started, submitted.Add(2*time.Second)
		b.event(history.Entry{Event: e})
		if got := screenAt(3 * time.Second); !strings.HasSuffix(got, "  3s") {
			t.Errorf("while it is created: %s", got)
		}
		e.Type, e.Data.EndedAt, e.Data.DurationSeconds = event.Succeeded, submitted.Add(7*time.Second), 5
		b.event(history.Entry{Event: e})
		want := "✓ web  succeeded  image web in westeurope  7s"
		for _, after := range []time.Duration{8 * time.Second, time.Hour} {
			if got := screenAt(after); got != want {
				t.Errorf("%s after the submission: %q, want %q", after, got, want)
			}
			if got := b.sums(); got != "1 build, 7.0s: 1 succeeded" {
				t.Errorf("%s after the submission: %s", after, got)
			}
		}
		e.Type, e.Data.Error = event.Failed, &event.Error{Code: "ImageExists", Message: "an image of that name exists"}
		if err := verdict(e); err == nil || !strings.Contains(hintOf(err), "--set name=") {
			t.Errorf("the hint of a taken name: %v", err)
		}
	})
}

func hintOf(err error) string {
	var e *exitError
	if errors.As(err, &e) {
		return e.hint
	}
	return ""
}
