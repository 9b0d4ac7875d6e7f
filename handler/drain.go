package main

import (
	"context"
	"os"
	"sync"
	"time"
)

// drainage is how the handler ends without losing an invocation. The host fails every call that is
// refused, and Service Bus delivers again within milliseconds: a listener that closes before its
// process ends burns all deliveries of whatever comes. So the listener stays open. What has not
// begun is held without an answer; it fails once, as the process ends, and the next process gets
// it. What is at work is answered.
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

// drain returns when all that was at work is answered, when the limit is over, or when somebody
// asks again. It may be called once, and the process is to end with it.
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
