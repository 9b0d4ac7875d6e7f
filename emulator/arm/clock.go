package arm

import (
	"context"
	"sync"
	"time"
)

// clock is real time that can be turned forward. Turning it wakes everything that waits on it.
type clock struct {
	mu     sync.Mutex
	offset time.Duration
	moved  chan struct{} // closed by the next advance
}

func newClock() *clock { return &clock{moved: make(chan struct{})} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.offset).UTC()
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offset += d
	close(c.moved)
	c.moved = make(chan struct{})
}

// wait returns when the clock has reached t, when something arrives on wake, which may be nil, or
// with the context's error.
func (c *clock) wait(ctx context.Context, t time.Time, wake <-chan struct{}) error {
	for {
		c.mu.Lock()
		left, moved := t.Sub(time.Now().Add(c.offset)), c.moved
		c.mu.Unlock()
		if left <= 0 {
			return nil
		}
		timer := time.NewTimer(left)
		select {
		case <-timer.C:
		case <-moved:
			timer.Stop()
		case <-wake:
			timer.Stop()
			return nil
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}

// stamp writes a time as compute's bodies do: seven digits at most, trailing zeros left out, a
// numeric zone.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.9999999-07:00") }
