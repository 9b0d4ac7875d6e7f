package ratelimit

import (
	"fmt"
	"time"
)

// A model is a rate limit of Resource Manager's, reported in its headers. at is the time since the
// burst began.
type model interface {
	take(at time.Duration) (header string, retryAfter time.Duration)
	String() string
}

// tokens is a bucket, whose header says what is left.
type tokens struct {
	capacity, refill float64 // refill a minute
	used             float64
	last             time.Duration
}

func (b *tokens) String() string { return fmt.Sprintf("bucket %g + %g", b.capacity, b.refill) }

func (b *tokens) take(at time.Duration) (string, time.Duration) {
	const name = "Microsoft.Compute/CreateImagesSubscriptionMaximum"
	b.used = max(0, b.used-(at-b.last).Minutes()*b.refill)
	b.last = at
	if left := b.capacity - b.used; left < 1 {
		return name + ";0", wholeSeconds(time.Duration((1 - left) / b.refill * float64(time.Minute)))
	}
	b.used++
	return fmt.Sprintf("%s;%d", name, int(b.capacity-b.used)), 0
}

// windows count over 3 and over 30 minutes, sliding as documented or in fixed steps.
type windows struct {
	per3, per30 int
	fixed       bool
	name        string // CreateImages where empty
	times       []time.Duration
}

func (w *windows) String() string {
	kind := map[bool]string{true: "fixed", false: "sliding"}[w.fixed]
	return fmt.Sprintf("%s %d / 3 min, %d / 30 min", kind, w.per3, w.per30)
}

func (w *windows) header(minutes, left int) string {
	name := w.name
	if name == "" {
		name = "CreateImages"
	}
	return fmt.Sprintf("Microsoft.Compute/%s%dMin;%d", name, minutes, left)
}

func (w *windows) take(at time.Duration) (string, time.Duration) {
	left3, wait3 := w.left(at, 3*time.Minute, w.per3)
	left30, wait30 := w.left(at, 30*time.Minute, w.per30)
	switch { // after a refusal the header names the limit that is used up
	case left3 < 1:
		return w.header(3, 0), wholeSeconds(wait3)
	case left30 < 1:
		return w.header(30, 0), wholeSeconds(wait30)
	}
	w.times = append(w.times, at)
	return w.header(3, left3-1) + "," + w.header(30, left30-1), 0
}

func (w *windows) left(at, window time.Duration, capacity int) (int, time.Duration) {
	from := at - window
	if w.fixed {
		from = at.Truncate(window) - 1
	}
	used, first := 0, at
	for i := len(w.times) - 1; i >= 0 && w.times[i] > from; i-- {
		used++
		first = w.times[i]
	}
	if w.fixed {
		first = at.Truncate(window)
	}
	return capacity - used, first + window - at
}

// both hold at once.
type both struct {
	bucket  *tokens
	windows *windows
}

func (b *both) String() string { return b.bucket.String() + " and " + b.windows.String() }

func (b *both) take(at time.Duration) (string, time.Duration) {
	before, counted := *b.bucket, len(b.windows.times)
	one, wait := b.bucket.take(at)
	if wait > 0 {
		return one, wait
	}
	two, wait := b.windows.take(at)
	if wait > 0 {
		*b.bucket, b.windows.times = before, b.windows.times[:counted]
		return two, wait
	}
	return one + "," + two, 0
}

// changed is a limit that Azure changes in mid-burst. What was used stays used.
type changed struct {
	first, then model
	at          time.Duration
}

func (c *changed) String() string { return fmt.Sprintf("%s, then %s", c.first, c.then) }

func (c *changed) take(at time.Duration) (string, time.Duration) {
	if c.first != nil && at >= c.at {
		switch first := c.first.(type) {
		case *tokens:
			then := c.then.(*tokens)
			then.used, then.last = max(0, then.capacity-(first.capacity-first.used)), first.last
		case *windows:
			c.then.(*windows).times = first.times
		}
		c.first = nil
	}
	if c.first != nil {
		return c.first.take(at)
	}
	return c.then.take(at)
}

// shared is a limit of which somebody else uses one creation each time.
type shared struct {
	model
	every, next time.Duration
	owed        int // that it has not got yet
}

func (s *shared) take(at time.Duration) (string, time.Duration) {
	for ; s.next <= at; s.next += s.every {
		s.owed++
	}
	for s.owed > 0 {
		if header, wait := s.model.take(at); wait > 0 {
			return header, wait
		}
		s.owed--
	}
	return s.model.take(at)
}

// silent has no header and refuses nothing.
type silent struct{}

func (silent) String() string { return "no limit" }
func (silent) take(time.Duration) (string, time.Duration) {
	return "Microsoft.Compute/GetOperationResource;44", 0
}

// wholeSeconds is d as Retry-After has it.
func wholeSeconds(d time.Duration) time.Duration { return d.Truncate(time.Second) + time.Second }

// leastTime is the earliest at which the model lets the last of n creations start.
func leastTime(m model, n int) time.Duration {
	at := time.Duration(0)
	for range n {
		for {
			_, wait := m.take(at)
			if wait == 0 {
				break
			}
			at += min(wait, 100*time.Millisecond)
		}
	}
	return at
}

func images40() model { return &windows{per3: 40, per30: 200} }
func images20() model { return &windows{per3: 20, per30: 100} }
func fixed40() model  { return &windows{per3: 40, per30: 200, fixed: true} }
func bucket60() model { return &tokens{capacity: 60, refill: 20} }
func bucket100() model {
	return &tokens{capacity: 100, refill: 50}
}
func bucket20() model { return &tokens{capacity: 20, refill: 5} }
func gallery() model {
	return &windows{per3: 375, per30: 1200, name: "CreateUpdateGalleryImageVersion"}
}
