package build

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"

	"goldmint/internal/docblock"
	"goldmint/internal/request"
)

// cost is how late the end of an operation is seen, and the calls that this takes.
type cost struct {
	late  time.Duration
	calls int // to ARM, from the first look to the verdict
	extra int // looks at how far a version is, beside these
}

// watched plays a build whose PUT ARM answers after took and whose operation, begun with the PUT,
// ends at that age. ARM's Date is cut to the second, as in its header.
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

// TestLookThatCameTooEarly is repeated in a moment: ARM began the operation later than the PUT was
// sent.
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

// recordedImage is an operation that made an image: when its PUT was answered and when it ended, in
// seconds from its start.
type recordedImage struct {
	Answered, Seconds float64
	Placed            bool // the times of the looks were chosen from it; the others check them
}

func recordedImages(t *testing.T) (all []recordedImage) {
	t.Helper()
	text, err := os.ReadFile("testdata/image-durations.json")
	if err != nil {
		t.Fatal(err)
	}
	var recorded struct{ Operations []recordedImage }
	if err := json.Unmarshal(text, &recorded); err != nil || len(recorded.Operations) != 16 {
		t.Fatalf("%d operations, %v", len(recorded.Operations), err)
	}
	return recorded.Operations
}

// made are operations that were not recorded: one that ends at each of these ages, every half a
// second.
func made(answered, from, to float64) (all []recordedImage) {
	for age := from; age <= to; age += 0.5 {
		all = append(all, recordedImage{Answered: answered, Seconds: age})
	}
	return all
}

// every is what a client costs that looks when the PUT is answered, and then at this interval: PUT,
// looks, and the image itself.
func every(interval float64, all []recordedImage) (late time.Duration, calls float64) {
	for _, o := range all {
		at, looks := o.Answered, 1.0
		for at < o.Seconds {
			at += interval
			looks++
		}
		late += time.Duration((at - o.Seconds) * float64(time.Second))
		calls += looks + 2
	}
	return late / time.Duration(len(all)), calls / float64(len(all))
}

// TestLooksAtImages: the end is seen at once where Azure's operations were recorded to end, for the
// recordings from which the times of the looks were chosen and for the others, and an operation of
// a minute costs no more than ten calls. docs/figures.md has the table.
func TestLooksAtImages(t *testing.T) {
	p, b := DefaultPolicy(), travelling(t)
	b.Attempts, b.AcceptedAt, b.Attempt = 0, time.Time{}, Attempt{}
	between := func(from, to float64, placed bool) (some []recordedImage) {
		for _, o := range recordedImages(t) {
			if o.Seconds >= from && o.Seconds <= to && o.Placed == placed {
				some = append(some, o)
			}
		}
		return some
	}
	table := "\n| operation ends after (how many) | Goldmint | every 2 s | every 10 s | every 30 s |\n| --- | ---: | ---: | ---: | ---: |\n"
	for _, c := range []struct {
		name  string
		ends  []recordedImage
		late  time.Duration // on the mean
		calls float64       // of the dearest
	}{
		{"5.1 to 5.2 s, set the looks", between(5, 6, true), 400 * time.Millisecond, 4},
		{"5.1 to 5.3 s, test them", between(5, 6, false), 400 * time.Millisecond, 4},
		{"10.2 to 10.4 s, set the looks", between(10, 11, true), 400 * time.Millisecond, 5},
		{"10.1 to 10.2 s, test them", between(10, 11, false), 400 * time.Millisecond, 5},
		{"56.9 s, the only long one", between(50, 60, true), time.Second, 10},
		{"a minute, from a blob: synthetic, 55.5 to 62 s", made(5.5, 55.5, 62), time.Second, 10},
		{"a minute, from a disk: synthetic, 55.5 to 60 s", made(0.6, 55.5, 60), time.Second, 10},
		{"half a minute: synthetic, 25 to 35 s", made(5.5, 25, 35), 8 * time.Second, 7},
		{"two minutes: synthetic, 110 to 130 s", made(0.6, 110, 130), 10 * time.Second, 17},
		{"ten minutes: synthetic, 580 to 620 s", made(0.6, 580, 620), 20 * time.Second, 36},
	} {
		var late time.Duration
		var calls, dearest float64
		for _, o := range c.ends {
			answered := time.Duration(max(o.Answered, 0.05) * float64(time.Second))
			l, n, _ := mean(t, p, b, answered, seconds(o.Seconds)...)
			late, calls, dearest = late+l, calls+n, max(dearest, n)
		}
		late, calls = late/time.Duration(len(c.ends)), calls/float64(len(c.ends))
		row := fmt.Sprintf("| %s (%d) | %.2f s, %.1f |", c.name, len(c.ends), late.Seconds(), calls)
		for _, interval := range []float64{2, 10, 30} {
			l, n := every(interval, c.ends)
			row += fmt.Sprintf(" %.1f s, %.1f |", l.Seconds(), n)
		}
		table += row + "\n"
		if late > c.late || dearest > c.calls {
			t.Errorf("%s: %s late on the mean with %.0f calls, want %s and %.0f at most", c.name, late, dearest, c.late, c.calls)
		}
	}
	docblock.Hold(t, "../../docs/figures.md", "looks: go test ./internal/build -run LooksAtImages -update", table+"\n", *update)
}

// TestLooksAtVersions replays when recorded operations on gallery image versions ended
// (testdata/version-durations.json, from Azure/azure-cli's recordings, says where they come from).
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
