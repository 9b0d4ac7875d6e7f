package functions

import (
	"errors"
	"sync"
)

// Counts are invocations by their end; each is in one of them.
type Counts struct{ Succeeded, Failed, TimedOut int }

type counts struct {
	mu sync.Mutex
	by Counts
}

// add counts one invocation and names its end.
func (c *counts) add(err error) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case err == nil:
		c.by.Succeeded++
		return "Succeeded"
	case errors.Is(err, errTimedOut):
		c.by.TimedOut++
		return "TimedOut"
	}
	c.by.Failed++
	return "Failed"
}

func (c *counts) read() Counts {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.by
}
