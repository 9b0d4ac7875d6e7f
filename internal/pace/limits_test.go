package pace

import (
	"fmt"
	"time"
)

// model is a limit of ARM's.
type model interface {
	// take counts a creation at t (since the start), or refuses it and says how long to wait.
	take(t time.Duration) (left []Allowance, retryAfter time.Duration)
	String() string
}

type bucket struct {
	capacity, refill float64 // refill a minute
	level            float64
	last             time.Duration
}

func (b *bucket) String() string { return fmt.Sprintf("bucket %g + %g", b.capacity, b.refill) }

func (b *bucket) take(t time.Duration) ([]Allowance, time.Duration) {
	b.level = min(b.capacity, b.level+(t-b.last).Minutes()*b.refill)
	b.last = t
	const name = "CreateImagesSubscriptionMaximum"
	if b.level < 1 {
		return []Allowance{{Name: name}}, time.Duration((1-b.level)/b.refill*60)*time.Second + time.Second
	}
	b.level--
	return []Allowance{{Name: name, Remaining: int(b.level)}}, 0
}

// windows count sliding (as documented for ARM's older limits) or in fixed steps.
type windows struct {
	per3, per30 int
	fixed       bool
	times       []time.Duration
}

func (w *windows) String() string {
	kind := "sliding"
	if w.fixed {
		kind = "fixed"
	}
	return fmt.Sprintf("%s windows %d / 3 min, %d / 30 min", kind, w.per3, w.per30)
}

func (w *windows) take(t time.Duration) ([]Allowance, time.Duration) {
	left3, wait3 := w.left(t, 3*time.Minute, w.per3)
	left30, wait30 := w.left(t, 30*time.Minute, w.per30)
	if left3 < 1 {
		return []Allowance{{Name: "CreateImages3Min", Window: 3 * time.Minute}}, wait3.Truncate(time.Second) + time.Second
	}
	if left30 < 1 {
		return []Allowance{{Name: "CreateImages30Min", Window: 30 * time.Minute}}, max(wait3, wait30).Truncate(time.Second) + time.Second
	}
	w.times = append(w.times, t)
	return []Allowance{
		{Name: "CreateImages3Min", Window: 3 * time.Minute, Remaining: left3 - 1},
		{Name: "CreateImages30Min", Window: 30 * time.Minute, Remaining: left30 - 1},
	}, 0
}

func (w *windows) left(t, window time.Duration, capacity int) (int, time.Duration) {
	from := t - window
	if w.fixed {
		from = t.Truncate(window) - 1
	}
	used := 0
	first := t
	for i := len(w.times) - 1; i >= 0 && w.times[i] > from; i-- {
		used++
		first = w.times[i]
	}
	if used < capacity {
		return capacity - used, 0
	}
	if w.fixed {
		return 0, t.Truncate(window) + window - t
	}
	return 0, first + window - t
}

// bound is the least time in which the model lets n creations start.
func bound(m model, n int) time.Duration {
	t := time.Duration(0)
	for range n {
		for {
			_, wait := m.take(t)
			if wait == 0 {
				break
			}
			t += min(wait, 100*time.Millisecond)
		}
	}
	return t
}

// models are Azure's limits as recorded and others. The first three take the least time.
func models() []func() model {
	return []func() model{
		func() model { return &bucket{capacity: 60, refill: 20, level: 60} },
		func() model { return &bucket{capacity: 100, refill: 50, level: 100} },
		func() model { return &windows{per3: 40, per30: 200} },
		func() model { return &bucket{capacity: 20, refill: 5, level: 20} },
		func() model { return &windows{per3: 40, per30: 200, fixed: true} },
		func() model { return &windows{per3: 20, per30: 100} },
	}
}
