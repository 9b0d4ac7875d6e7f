package main

import (
	"context"
	"os"
	"sync"
	"time"
)

// drainage ends the handler without losing an invocation. The host fails every call that is
// refused, and Service Bus delivers again within milliseconds. A listener that closes before its
// process ends would use up all deliveries of a message. So the listener stays open. Calls that
// have not begun are held without an answer: each fails once, when the process ends, and the next
// process gets it. Calls at work are answered.
type drainage struct {
	stopping chan struct{} // closed when nothing more may begin
	running  *sync.WaitGroup
	mu       *sync.Mutex
}

func newDrainage() drainage {
	return drainage{stopping: make(chan struct{}), running: new(sync.WaitGroup), mu: new(sync.Mutex)}
}

// begin counts an invocation as at work until its caller calls running.Done after the answer. It
// refuses during a drain.
func (d drainage) begin() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	select {
	case <-d.stopping:
		return false
	default:
		d.running.Add(1)
		return true
	}
}

// drain returns when all calls at work are answered, when the limit is over, or after a second
// signal. It may be called once, and then the process has to end.
func (d drainage) drain(limit time.Duration, again <-chan os.Signal) {
	d.mu.Lock()
	close(d.stopping)
	d.mu.Unlock()
	answered := make(chan struct{})
	go func() {
		d.running.Wait()
		close(answered)
	}()
	over := time.NewTimer(limit)
	defer over.Stop()
	select {
	case <-answered:
	case <-over.C:
	case <-again:
	}
}

// held waits for the end of the process, or of the invocation's life.
func held(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}
