package workertest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"goldmint/internal/build"
	"goldmint/internal/event"
	"goldmint/internal/message"
	"goldmint/internal/request"
)

// calm is a world in which nothing goes wrong, but for what a scenario does to it.
func calm(seed uint64) Options {
	o := Default(seed)
	o.Faults = Faults{}
	return o
}

// outcome is how a build ended: succeeded, reused or a failure's code.
func (w *World) outcome(key string) string {
	r := w.records[key]
	switch {
	case len(r.ends) == 0:
		return "not ended"
	case r.ends[0].Type == event.Failed:
		return r.ends[0].Data.Error.Code
	case r.ends[0].Data.Reused:
		return "reused"
	}
	return "succeeded"
}

// sure runs the world and fails the test where a promise was broken.
func sure(tb testing.TB, w *World) Report {
	tb.Helper()
	r := w.Run()
	for _, v := range r.Violations {
		tb.Errorf("seed %d: %s", w.Seed, v)
	}
	return r
}

func web(id string) Spec {
	return Spec{ID: id, Name: "web", Source: "vm", IfExists: request.Fail, Timeout: "PT30M"}
}

// TestTwoBuildsOneName lets two builds want one name at every distance in time: one image at a
// time, two ends.
func TestTwoBuildsOneName(t *testing.T) {
	for _, c := range []struct {
		second request.IfExists
		want   []string // of the build that came second at the name
	}{
		{request.Fail, []string{"ImageExists"}},
		{request.Reuse, []string{"reused"}},
		{request.Replace, []string{"succeeded", "ReplacedByNewerBuild", "ImageNameTaken", "ImageVanished"}},
	} {
		for n := range 24 {
			t.Run(fmt.Sprint(c.second, n), func(t *testing.T) {
				w := New(calm(uint64(n + 1)))
				first, second := web("first"), web("second")
				first.IfExists, second.IfExists = c.second, c.second
				second.Source = []string{"vm", "another-vm"}[n%2]
				a := w.Submit(0, first, "m-first")
				b := w.Submit(time.Duration(n)*time.Second, second, "m-second")
				sure(t, w)
				ends := []string{w.outcome(a), w.outcome(b)}
				if ends[0] != "succeeded" {
					slices.Reverse(ends)
				}
				if ends[0] != "succeeded" || !slices.Contains(c.want, ends[1]) {
					t.Errorf("ended %v, want succeeded and one of %v", ends, c.want)
				}
			})
		}
	}
}

// TestReplaceDeliveredAgain delivers a replace once more after a newer build has taken the name.
func TestReplaceDeliveredAgain(t *testing.T) {
	w := New(calm(1))
	old, newer := web("old"), web("newer")
	old.IfExists, newer.IfExists, newer.Source = request.Replace, request.Replace, "another-vm"
	w.names[Spec{Name: "web"}.imageID()]++
	w.arm.place(Spec{Name: "web"}.imageID(), "", "Succeeded", Start.Add(-time.Hour))
	a := w.Submit(0, old, "m-old")
	b := w.Submit(2*time.Minute, newer, "m-newer")
	w.clock.after(5*time.Minute, func() { // as if its first delivery had never been settled
		first, err := message.Envelope[build.Build]{Type: message.BuildType, Data: w.records[a].build}.Outgoing(message.FirstID(a), a)
		if err != nil {
			t.Fatal(err)
		}
		w.builds.left++
		w.builds.offer(&entry{sequence: 1, id: first.ID, key: a, body: first.Body, enqueuedAt: Start, deliveries: 1})
	})
	sure(t, w)
	if got := []string{w.outcome(a), w.outcome(b)}; !slices.Equal(got, []string{"succeeded", "succeeded"}) {
		t.Errorf("ended %v", got)
	}
	if i := w.arm.images[Spec{Name: "web"}.imageID()]; i == nil || i.tag != w.records[b].build.Tag() {
		t.Errorf("the newer build's image is not there: %+v", i)
	}
}

// TestOneIDTwoRequests sends another request under an id: another build, with its own end.
func TestOneIDTwoRequests(t *testing.T) {
	w := New(calm(1))
	a, b := web("id"), web("id")
	b.Name, b.Source = "other", "other-vm"
	ends := []string{w.Submit(0, a, "m-1"), w.Submit(time.Second, b, "m-2")}
	sure(t, w)
	for _, key := range ends {
		if got := w.outcome(key); got != "succeeded" {
			t.Errorf("%s ended as %s", key, got)
		}
	}
	if len(w.arm.images) != 2 {
		t.Errorf("%d images, want 2", len(w.arm.images))
	}
}

// TestSentAgainAfterTheEnd resubmits: the same build, so one end and one image.
func TestSentAgainAfterTheEnd(t *testing.T) {
	w := New(calm(1))
	key := w.Submit(0, web("a"), "m-1")
	w.Submit(time.Hour, web("a"), "m-2")
	r := sure(t, w)
	if w.outcome(key) != "succeeded" || r.Stats.Creations != 1 {
		t.Errorf("ended as %s after %d creations, want succeeded after 1", w.outcome(key), r.Stats.Creations)
	}
}

// TestOutageOfARM takes Resource Manager away for an hour: every build goes on, and no message was
// delivered in vain.
func TestOutageOfARM(t *testing.T) {
	o := calm(1)
	o.Faults.Outages = []Outage{{After: time.Minute, For: time.Hour}}
	w := New(o)
	const n = 60
	w.loadPlain(n, 30*time.Minute)
	r := sure(t, w)
	if r.Stats.Succeeded != n {
		t.Errorf("%d of %d builds succeeded: %+v", r.Stats.Succeeded, n, r.Stats)
	}
	for _, rec := range w.order {
		if rec.deliveries > 1 {
			t.Errorf("%s: a message was delivered %d times", rec.key, rec.deliveries)
		}
	}
}

// loadPlain sends builds that have nothing to do with each other.
func (w *World) loadPlain(n int, over time.Duration) (keys []string) {
	for i := range n {
		s := Spec{ID: fmt.Sprintf("b%05d", i), Name: fmt.Sprintf("image-%05d", i), Source: "vm", IfExists: request.Fail, Timeout: "PT30M"}
		keys = append(keys, w.Submit(w.between(0, over), s, "m-"+s.ID))
	}
	return keys
}

// TestBadAmongGood sends ten thousand messages with a hundred bad ones among them: those end in the
// dead-letter queue, each with a reason, and the good ones take no longer.
func TestBadAmongGood(t *testing.T) {
	n, bad := 195, 5
	if *full {
		n, bad = 9_900, 100
	}
	over := time.Duration(n) * 100 * time.Millisecond
	alone := New(calm(1))
	alone.loadPlain(n, over)
	sure(t, alone)
	w := New(calm(1))
	w.loadPlain(n, over)
	for i := range bad {
		body := []string{"", "no json", `{"name":"..","image":{}}`, `{"id":"x","unknown":1}`}[i%4]
		w.SubmitRaw(w.between(0, over), body, fmt.Sprintf("bad-%d", i))
	}
	r := sure(t, w)
	if r.Stats.Succeeded != n || len(r.Dead) != bad {
		t.Errorf("%d succeeded and %d dead-lettered, want %d and %d", r.Stats.Succeeded, len(r.Dead), n, bad)
	}
	if mean, before := w.meanTime(), alone.meanTime(); mean > before+before/20 {
		t.Errorf("a good build took %s, without the bad ones %s", mean, before)
	}
	for _, d := range r.Dead {
		if d.Reason == "" || d.Description == "" || d.Deliveries > 1 {
			t.Errorf("dead letter %+v, want a reason and a description at the first delivery", d)
		}
	}
}

func (w *World) meanTime() time.Duration {
	var sum time.Duration
	for _, r := range w.order {
		sum += r.endedAt.Sub(r.requestedAt)
	}
	return sum / time.Duration(len(w.order))
}

// TestKilledAtDecode sends a message that kills the process in which it is decoded, into a busy
// queue. It ends in the dead-letter queue, and who was in the process with it loses nothing.
func TestKilledAtDecode(t *testing.T) {
	seeds, n := uint64(10), 80
	if *full {
		seeds, n = 20, 400
	}
	for seed := range seeds {
		for _, each := range []bool{false, true} {
			o := calm(seed + 1)
			o.ProcessEach, o.Instances = each, 2+int(seed%2)*2
			w := New(o)
			w.loadPlain(n, 20*time.Second)
			w.SubmitKiller(time.Duration(8+seed%10) * time.Second) // at all stages of the others
			w.onlyTheKillerEndsBadly(t, n)
		}
	}
}

// TestKillerAmongGoodRequests: it lies between fifteen good requests when the first handler starts.
func TestKillerAmongGoodRequests(t *testing.T) {
	for _, each := range []bool{false, true} {
		o := calm(1)
		o.ProcessEach, o.Instances = each, 2
		w := New(o)
		w.loadPlain(7, time.Millisecond)
		w.SubmitKiller(0)
		for i := range 8 {
			w.Submit(0, Spec{ID: fmt.Sprint("late-", i), Name: fmt.Sprint("late-", i), Source: "vm", IfExists: request.Fail, Timeout: "PT30M"}, fmt.Sprint("late-", i))
		}
		w.onlyTheKillerEndsBadly(t, 15)
	}
}

func (w *World) onlyTheKillerEndsBadly(t *testing.T, good int) {
	t.Helper()
	r := sure(t, w)
	if r.Stats.Succeeded != good {
		t.Errorf("seed %d: %d of %d neighbours succeeded, the others: %v", w.Seed, r.Stats.Succeeded, good, r.Stats.Failed)
	}
	if len(r.Dead) != 1 || r.Dead[0].Reason != poison || r.Dead[0].Description == "" || r.Stats.Rejected != 1 {
		t.Errorf("seed %d: dead letters %+v, want the one that kills, as PoisonMessage", w.Seed, r.Dead)
	}
}

// TestNoRightToSend takes the right to send away: a new role arrives after ten minutes, a broken
// one is mended after three hours. Nothing is lost, and no good request is rejected.
func TestNoRightToSend(t *testing.T) {
	for name, without := range map[string]Outage{
		"from the start, for ten minutes": {For: 10 * time.Minute},
		"in the middle, for three hours":  {After: time.Minute, For: 3 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			o := calm(3)
			o.Policy.MaxWait = 24 * time.Hour
			o.Faults.NoSend = []Outage{without}
			w := New(o)
			const n = 60
			w.loadPlain(n, 2*time.Minute)
			r := sure(t, w)
			if r.Stats.Succeeded != n || len(r.Dead) > 0 {
				t.Errorf("%d of %d builds succeeded, dead letters %+v: %+v", r.Stats.Succeeded, n, r.Dead, r.Stats)
			}
		})
	}
}
