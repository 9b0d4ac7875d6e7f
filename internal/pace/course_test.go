package pace

import (
	"fmt"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestReach holds that the course under a sliding window says how far builds may come, also in the rounds after the first:
// as far as the limit itself lets them, and not much less.
func TestReach(t *testing.T) {
	const window = 30 * time.Minute
	limit := &windows{per3: 1000, per30: 200}
	r := &region{}
	started := int64(0)
	for at := time.Duration(0); at < 4*window; at += 2 * time.Second {
		if at%window > window/2 {
			continue // builds come in the first half of each round
		}
		now := epoch.Add(at)
		if left, wait := limit.take(at); wait == 0 {
			started++
			known := r.known(now)
			for _, a := range left {
				r.sight(Sight{Allowance: a, At: now, Most: a.Remaining + 1})
			}
			r.advance(started, now, now, known)
		}
		left, _ := limit.left(at, window, 200)
		may := float64(started) + float64(left)
		if got := r.reach(now); got > may+0.5 || got < may-15 {
			t.Fatalf("after %s, with %d started: builds may come up to %.1f, it is %.0f", at, started, got, may)
		}
	}
	if n := len(r.course.Points); n > maxPoints || n < 4 || r.course.Turn > 0 {
		t.Errorf("the course has %d points and was corrected %d times", n, r.course.Turn)
	}
}

// TestCourseAt holds that of the steps between two points the last was taken at the second.
func TestCourseAt(t *testing.T) {
	c := Course{Points: []Point{{0, 10}, {10_000, 13}, {20_000, 14}}}
	for after, want := range map[time.Duration]float64{-1: 10, 0: 10, 5: 11, 10: 13, 15: 13, 20: 14, 99: 14} {
		if got := c.at(time.UnixMilli(0).Add(after * time.Second)); got != want {
			t.Errorf("after %d s it stands at %v, want %v", after, got, want)
		}
	}
}

// TestCourseStaysACourse holds that whatever points come together, a course rises, is short, and does not claim more than
// its latest point.
func TestCourseStaysACourse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		points := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Point {
			return Point{rapid.Int64Range(0, 3_600_000).Draw(t, "at"), float64(rapid.IntRange(0, 1000).Draw(t, "ticket"))}
		}), 1, 200)
		c := Course{}.with(30*time.Minute, points.Draw(t, "first")...).with(30*time.Minute, points.Draw(t, "second")...)
		if err := c.check(); err != nil {
			t.Fatalf("%v: %+v", err, c.Points)
		}
	})
}

// TestFixedWindowBegins holds that a window in fixed steps, which gives everything back at once, is not taken for a sliding one.
func TestFixedWindowBegins(t *testing.T) {
	r := &region{}
	for i, left := range []int{39, 20, 5, 39} {
		at := epoch.Add(time.Duration(i) * 40 * time.Second)
		r.sight(Sight{Allowance{"CreateImages3Min", 3 * time.Minute, left}, at, left + 1})
		r.advance(int64(40-left), at, at, i > 0)
	}
	if got := r.reach(epoch.Add(2 * time.Minute)); r.course.Turn != 1 || math.Abs(got-75) > 3 {
		t.Errorf("corrected %d times, builds may come up to %.1f, want once and about 75", r.course.Turn, got)
	}
}

// TestForeignCourseIsNotBelieved holds that no message talks an instance out of what it saw a moment ago.
func TestForeignCourseIsNotBelieved(t *testing.T) {
	p := New("one")
	left := func(n int) []Allowance {
		return []Allowance{{"CreateImages3Min", 3 * time.Minute, 30}, {"CreateImages30Min", 30 * time.Minute, n}}
	}
	p.Answered("region", 5000, left(190), 0, epoch, epoch.Add(5*time.Second))
	for _, far := range []float64{-1000, 1000} {
		lie := Note{Course: Course{Since: epoch.Add(-time.Hour), Turn: 9, Points: []Point{{epoch.Add(-time.Hour).UnixMilli(), 4990 + far}, {epoch.UnixMilli(), 5000 + far}}}}
		if err := lie.Check(); err != nil {
			t.Fatal(err)
		}
		p.Learn("region", lie, epoch.Add(10*time.Second))
		if v := p.Admit("region", "next", Note{Ticket: 5001}, epoch.Add(10*time.Second)); !v.Go {
			t.Errorf("%+.0f tickets off: the next build waits: %+v", far, v)
		}
		if v := p.Admit("region", "far", Note{Ticket: 5900}, epoch.Add(10*time.Second)); v.Go {
			t.Errorf("%+.0f tickets off: a build far behind goes", far)
		}
	}
}

// TestTrickleDoesNotWait holds that builds which come one at a time go at once, however many messages lie between them.
func TestTrickleDoesNotWait(t *testing.T) {
	for _, gap := range []int64{1, 30, 5000} {
		t.Run(fmt.Sprint(gap), func(t *testing.T) {
			p, limit := New("one"), &windows{per3: 40, per30: 200}
			for i := range 60 {
				at, ticket := time.Duration(i)*time.Minute, 1+int64(i)*gap
				v := p.Admit("region", fmt.Sprint(i), Note{Ticket: ticket}, epoch.Add(at))
				if v.Hold > 0 {
					v = p.Admit("region", fmt.Sprint(i), Note{Ticket: ticket}, epoch.Add(at+v.Hold))
				}
				if !v.Go {
					t.Fatalf("build %d has to wait until %s, after %s", i, v.At.Sub(epoch), at)
				}
				left, _ := limit.take(at)
				p.Answered("region", ticket, left, 0, epoch.Add(at+time.Second), epoch.Add(at+6*time.Second))
			}
		})
	}
}
