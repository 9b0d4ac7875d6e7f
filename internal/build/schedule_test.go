package build

import (
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"

	"goldmint/internal/request"
)

// cost is how late the news of an operation's end is, and what it cost.
type cost struct {
	late  time.Duration
	calls int // to ARM, from the first look to the verdict
	extra int // looks at how far a version is, beside these
}

// watched plays a build whose PUT ARM answers after took and whose operation, begun with the PUT, ends at that age. ARM's
// Date is cut to the second, as in its header.
func watched(t *testing.T, p Policy, b Build, took, ends time.Duration) cost {
	t.Helper()
	sent := b.RequestedAt.Add(123456 * time.Microsecond)
	now, calls, extra := sent.Add(took), 2, 0 // GET, PUT
	b, do := p.Step(b, Accepted{Token: "token", Took: took, Date: now.Truncate(time.Second)}, now)
	if do.Verb == Publish {
		b, do = p.Step(b, Published{}, now)
	}
	for range 1000 {
		if do.Verb != Continue {
			t.Fatalf("%v, want to look later", do)
		}
		now = do.At
		b, _ = p.Step(b, Woken{}, now)
		o := Operation{Status: "InProgress", StartedAt: sent, Date: now.Truncate(time.Second)}
		calls++
		if now.Sub(sent) >= ends {
			return cost{late: now.Sub(sent) - ends, calls: calls + 1, extra: extra} // the verdict is another GET
		}
		if b, do = p.Step(b, o, now); do.Verb == Look {
			extra++
			b, do = p.Step(b, Image{Exists: true, State: "Creating", BuildTag: b.Tag()}, now)
		}
	}
	t.Fatal("never seen")
	return cost{}
}

// TestLookThatCameTooEarly is repeated in a moment: ARM began the operation later than the PUT was sent.
func TestLookThatCameTooEarly(t *testing.T) {
	images := DefaultPolicy().Images
	for spent, want := range map[time.Duration]time.Duration{
		5300 * time.Millisecond: 250 * time.Millisecond, 4800 * time.Millisecond: 600 * time.Millisecond, 5400 * time.Millisecond: 5150 * time.Millisecond,
		-time.Hour: 5400 * time.Millisecond,
	} {
		if got := images.next(spent, 0); got != want {
			t.Errorf("at %s: %s, want %s", spent, got, want)
		}
	}
}

// mean is the cost on the mean over operations of these ages.
func mean(t *testing.T, p Policy, b Build, took time.Duration, ends ...time.Duration) (late time.Duration, calls, extra float64) {
	t.Helper()
	for _, e := range ends {
		c := watched(t, p, b, took, e)
		late += c.late
		calls += float64(c.calls)
		extra += float64(c.extra)
	}
	n := float64(len(ends))
	return late / time.Duration(len(ends)), calls / n, extra / n
}

func seconds(ages ...float64) (all []time.Duration) {
	for _, s := range ages {
		all = append(all, time.Duration(s*float64(time.Second)))
	}
	return all
}

// TestLooksAtImages: the news comes at once where Azure's operations were recorded to end, and an operation of a minute
// costs no more than ten calls. docs/figures.md has the table, which -v prints.
func TestLooksAtImages(t *testing.T) {
	p, b := DefaultPolicy(), travelling(t)
	b.Attempts, b.AcceptedAt, b.Attempt = 0, time.Time{}, Attempt{}
	managed, blob := seconds(5.1, 5.1, 5.1, 5.2, 5.2, 5.2, 5.3), seconds(10.1, 10.1, 10.2, 10.2, 10.2, 10.3, 10.3, 10.3, 10.4, 20.6, 56.9)
	for _, c := range []struct {
		name  string
		took  time.Duration
		ends  []time.Duration
		late  time.Duration
		calls float64
	}{
		{"managed disk, snapshot, VM with managed disks", 600 * time.Millisecond, managed, 400 * time.Millisecond, 4},
		{"answered at once", 50 * time.Millisecond, managed, 400 * time.Millisecond, 4},
		{"blob, VM with unmanaged disks", 5500 * time.Millisecond, blob, 400 * time.Millisecond, 5},
		{"answered late", 6700 * time.Millisecond, blob, 400 * time.Millisecond, 5},
		{"a minute", 600 * time.Millisecond, seconds(56.9), time.Second, 10},
		{"a minute exactly", 600 * time.Millisecond, seconds(60), time.Second, 10},
		{"a minute and a bit", 600 * time.Millisecond, seconds(61.4), time.Second, 10},
		{"half a minute", 600 * time.Millisecond, seconds(30), 10 * time.Second, 7},
		{"two minutes", 600 * time.Millisecond, seconds(120), 10 * time.Second, 15},
		{"ten minutes", 600 * time.Millisecond, seconds(600), 30 * time.Second, 35},
	} {
		late, calls, _ := mean(t, p, b, c.took, c.ends...)
		t.Logf("| %s | %.2f s | %.1f |", c.name, late.Seconds(), calls)
		if late > c.late || calls > c.calls {
			t.Errorf("%s: %s late on the mean with %.1f calls, want %s and %.0f at most", c.name, late, calls, c.late, c.calls)
		}
	}
}

// TestLooksAtVersions replays when recorded operations on gallery image versions ended (testdata/version-durations.json,
// from Azure/azure-cli's recordings, says where they come from).
func TestLooksAtVersions(t *testing.T) {
	text, err := os.ReadFile("testdata/version-durations.json")
	if err != nil {
		t.Fatal(err)
	}
	var recorded struct{ Seconds map[string][]float64 }
	if err := json.Unmarshal(text, &recorded); err != nil {
		t.Fatal(err)
	}
	r := travelling(t).Request
	r.GalleryName, r.GalleryImageName, r.GalleryImageVersion = "corp", "web", &armcompute.GalleryImageVersion{}
	r.Timeout = request.DefaultVersionTimeout
	b := New(r, checkedSubscription, zero)
	const others = 3 // calls that are no looks: GET, PUT, and GET for the verdict
	for _, c := range []struct {
		operation string
		least     int
		late      time.Duration
		looks     float64
	}{
		{"create-full", 300, 7500 * time.Millisecond, 12},
		{"create-shallow", 9, 3 * time.Second, 2},
	} {
		ends := seconds(recorded.Seconds[c.operation]...)
		if len(ends) < c.least {
			t.Fatalf("%s: %d durations, want %d", c.operation, len(ends), c.least)
		}
		late, calls, extra := mean(t, DefaultPolicy(), b, 300*time.Millisecond, ends...)
		t.Logf("| %s (%d) | %.1f s | %.1f | %.1f |", c.operation, len(ends), late.Seconds(), calls-others, extra)
		if late > c.late || calls-others > c.looks {
			t.Errorf("%s: %s late on the mean with %.1f looks, want %s and %.0f at most", c.operation, late, calls-others, c.late, c.looks)
		}
	}
}
