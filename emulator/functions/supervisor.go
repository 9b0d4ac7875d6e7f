package functions

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"time"
)

// maxErrors is how many bad exits and failed starts end the host, when none of
// them comes later than the restart window after the one before.
const maxErrors = 3

// supervisor keeps one handler process running on one port.
type supervisor struct {
	launch func(context.Context) (*process, error)
	log    func(string)
	timing Timing

	errors    int // bad exits and failed starts in a row, each within the window after the one before
	lastError time.Time

	mu      sync.Mutex
	current *process
	state   chan struct{} // closed at the next change of what follows
	isReady bool
	clean   bool  // the current process exited with 0
	err     error // why there will be no other process
	started int
}

func newSupervisor(ctx context.Context, c command, options Options, env []string, log func(string), timing Timing) (*supervisor, error) {
	port, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	env = append(env, "FUNCTIONS_CUSTOMHANDLER_PORT="+strconv.Itoa(port), "FUNCTIONS_HTTPWORKER_PORT="+strconv.Itoa(port))
	console := newConsole(options.Output)
	s := &supervisor{log: log, timing: timing, state: make(chan struct{})}
	s.launch = func(ctx context.Context) (*process, error) { return launch(ctx, c, env, port, console) }
	return s, nil
}

// freePort finds a port for the handler, which has to stay free while the handler is restarted: one
// below those that Linux assigns to listeners on port 0 and to outgoing connections.
func freePort(ctx context.Context) (int, error) {
	var last error
	for range 100 {
		port := 20000 + rand.IntN(12768) //nolint:gosec // any free port will do
		listener, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err == nil {
			return port, listener.Close()
		}
		last = err
	}
	return 0, fmt.Errorf("find a port for the handler: %w", last)
}

// run starts the handler again and again. It returns the host's error after too many failures, or
// the context's cause when the context ends.
func (s *supervisor) run(ctx context.Context) error {
	for {
		p, err := s.runOnce(ctx)
		giveUp := s.judge(ctx, err)
		clean := giveUp == nil && errors.Is(err, errExitedClean)
		s.change(func() { s.isReady, s.clean, s.err = clean, clean, giveUp })
		if p != nil {
			close(p.judged)
		}
		if clean {
			s.log("the handler exited with 0 and is never started again; every invocation will fail")
			<-ctx.Done()
			giveUp = context.Cause(ctx)
			s.change(func() { s.err = giveUp })
		}
		if giveUp != nil {
			return giveUp
		}
	}
}

// runOnce runs one process until it is gone, and returns why it ended: nil when a function timed
// out or the handler asked to be started again. The process is nil when none started.
func (s *supervisor) runOnce(ctx context.Context) (*process, error) {
	p, err := s.launch(ctx)
	if err != nil {
		return nil, fmt.Errorf("the handler cannot be started: %w", err)
	}
	defer p.end()
	s.change(func() { s.current = p; s.started++ })
	if err := p.awaitReady(ctx, s.timing); err != nil {
		return p, err
	}
	s.log(fmt.Sprintf("handler process %d is ready on port %d", p.pid(), p.port))
	s.change(func() { s.isReady = true })
	select {
	case <-ctx.Done():
		return p, context.Cause(ctx)
	case <-p.exited:
	}
	switch {
	case p.timedOut.Load() || p.exitCode() == exitRestart:
		return p, nil
	case p.exitCode() == 0:
		return p, errExitedClean
	}
	return p, fmt.Errorf("the handler process %d exited with code %d", p.pid(), p.exitCode())
}

// judge reports whether the end of a process ends the host: the error is why.
func (s *supervisor) judge(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err == nil || errors.Is(err, errExitedClean):
		return nil
	case errors.Is(err, errExitedEarly):
		return err
	}
	return s.count(err)
}

// count takes note of an error and returns it when it is one too many. As in
// the host, an error is forgotten only when none follows it for the whole
// window: three errors with 25 minutes between them end the host.
func (s *supervisor) count(err error) error {
	s.log("error: " + err.Error())
	now := time.Now()
	if now.Sub(s.lastError) > s.timing.RestartWindow {
		s.errors = 0
	}
	s.lastError = now
	s.errors++
	if s.errors < maxErrors {
		return nil
	}
	return fmt.Errorf("the handler failed %d times with less than %v between, the last time: %w", s.errors, s.timing.RestartWindow, err)
}

// change applies a change of state and wakes all that wait for one.
func (s *supervisor) change(apply func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	apply()
	close(s.state)
	s.state = make(chan struct{})
}

// ready waits for a process that is ready. A process that exited with 0 counts as ready for ever,
// because the host continues to send to its port.
func (s *supervisor) ready(ctx context.Context) (*process, error) {
	for {
		s.mu.Lock()
		p, isReady, clean, err, state := s.current, s.isReady, s.clean, s.err, s.state
		s.mu.Unlock()
		switch {
		case err != nil:
			return nil, err
		case isReady && (clean || !p.hasExited()):
			return p, nil
		}
		select {
		case <-state:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// over reports whether there will be no other process.
func (s *supervisor) over() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err != nil
}

func (s *supervisor) pid() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current == nil || s.current.hasExited() {
		return 0
	}
	return s.current.pid()
}

func (s *supervisor) kill() error {
	s.mu.Lock()
	p := s.current
	s.mu.Unlock()
	if p == nil || p.hasExited() {
		return errors.New("no handler process is running")
	}
	return p.kill()
}

func (s *supervisor) starts() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.started
}
