package retry

import (
	"testing"
	"time"
)

func TestBackoffDoublesWithinBounds(t *testing.T) {
	b := Backoff{First: 5 * time.Second, Max: 5 * time.Minute}
	for _, c := range []struct {
		failures int
		asked    time.Duration
		spread   float64
		want     time.Duration
	}{
		{0, 0, 0, 5 * time.Second},
		{1, 0, 0, 5 * time.Second},
		{3, 0, 0, 20 * time.Second},
		{1000, 0, 0, 5 * time.Minute},
		{1, time.Minute, 0, time.Minute},
		{1, time.Hour, 0, time.Hour},
		{2, 0, 0.5, 11250 * time.Millisecond},
	} {
		if got := b.Delay(c.failures, c.asked, c.spread); got != c.want {
			t.Errorf("after %d failures, %s asked, spread %v: %s, want %s", c.failures, c.asked, c.spread, got, c.want)
		}
	}
}

// TestSpreadIsEven: a hundred builds of one outage come back all over the time, not at its start.
func TestSpreadIsEven(t *testing.T) {
	var tenths [10]int
	for i := range 1000 {
		s := Spread(time.Duration(i).String(), i%7)
		if s < 0 || s >= 1 {
			t.Fatalf("spread %v", s)
		}
		tenths[int(s*10)]++
	}
	for i, n := range tenths {
		if n < 50 || n > 200 {
			t.Errorf("%d of 1000 in tenth %d", n, i)
		}
	}
	if Spread("a", 1) == Spread("a", 2) || Spread("a", 1) != Spread("a", 1) {
		t.Error("the spread is to differ from try to try, and to be the same for the same try")
	}
}

func TestGraceEnds(t *testing.T) {
	g := Grace{time.Second, time.Minute}
	for spent, want := range []time.Duration{time.Second, time.Minute} {
		if d, more := g.Wait(spent); d != want || !more {
			t.Errorf("after %d: %s, %v", spent, d, more)
		}
	}
	if _, more := g.Wait(2); more {
		t.Error("a third wait")
	}
}
