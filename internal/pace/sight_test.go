package pace

import (
	"math"
	"testing"
	"time"
)

// TestReturns holds that a sliding window's curve tells what comes back, also in the rounds after the first.
func TestReturns(t *testing.T) {
	const window = 30 * time.Minute
	limit := &windows{per3: 1000, per30: 200}
	var s Sight
	for at := time.Duration(0); at < 4*window; at += 2 * time.Second {
		if at%window > window/2 {
			continue // uses come in the first half of each round
		}
		if left, wait := limit.take(at); wait == 0 {
			s = s.next(left[1], epoch.Add(at))
		}
		if at < window+time.Minute {
			continue
		}
		now, ahead := epoch.Add(at), 5*time.Minute
		before, _ := limit.left(at, window, 200)
		after, _ := limit.left(at+ahead, window, 200)
		if got, want := s.returns(now.Add(late), now.Add(late+ahead)), float64(after-before); math.Abs(got-want) > 12 {
			t.Fatalf("after %s: %.1f are said to come back in %s, it is %.0f", at, got, ahead, want)
		}
	}
	if n := len(s.Past); n > maxPoints || n < 4 {
		t.Errorf("the curve has %d points", n)
	}
}

// TestFixedWindowBegins holds that a window in fixed steps, which gives everything back at once, starts the curve anew.
func TestFixedWindowBegins(t *testing.T) {
	a := func(left int) Allowance { return Allowance{"CreateImages3Min", 3 * time.Minute, left} }
	s := Sight{}.next(a(39), epoch).next(a(5), epoch.Add(time.Minute)).next(a(39), epoch.Add(2*time.Minute))
	if len(s.Past) != 1 {
		t.Errorf("the curve goes on as %+v", s.Past)
	}
}
