// Package functions is the Azure Functions host's side of the custom-handler protocol: it starts
// the deployed handler binary, sends it the messages of a Service Bus queue and settles them by its
// answers.
//
// What it sends and how it judges answers, exits and timeouts was read off host 4.1045 running with
// a recording handler. The host's surprising behaviour matters most here: an empty answer hangs, a
// timeout kills every invocation of the process, a handler that exits with 0 is never started
// again, and a host that stops leaves its messages locked.
package functions

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
)

// Options says which app to run.
type Options struct {
	// AppRoot is the folder of the app: host.json, the handler's executable and
	// a folder for each function with its function.json.
	AppRoot string
	// Settings are the app settings. They are the handler's environment, on top
	// of this process's own, and resolve %NAME% and connections.
	Settings map[string]string
	// Output takes the handler's console, line by line. Calls do not overlap.
	Output func(line string, stderr bool)
	// Log takes the host's own lines. Calls may overlap.
	Log func(line string)
	// Timing changes the host's times; tests do.
	Timing Timing
}

// Timing holds the times that the host does not read from host.json. Zero
// values are the production host's.
type Timing struct {
	// ReadyInterval is the pause between two readiness requests: 25 ms.
	ReadyInterval time.Duration
	// ReadyLimit is how long a handler has to answer one: 30 s.
	ReadyLimit time.Duration
	// RestartWindow is the time after which a bad exit or failed start is
	// forgotten if no other follows: 30 min. The third ends the host. A test
	// that kills the handler more often sets it to a nanosecond.
	RestartWindow time.Duration
	// DrainLimit is how long a stopping host waits for its invocations: 10 s.
	DrainLimit time.Duration
}

func (t Timing) withDefaults() Timing {
	for _, d := range []struct {
		value   *time.Duration
		instead time.Duration
	}{
		{&t.ReadyInterval, 25 * time.Millisecond},
		{&t.ReadyLimit, 30 * time.Second},
		{&t.RestartWindow, 30 * time.Minute},
		{&t.DrainLimit, 10 * time.Second},
	} {
		if *d.value == 0 {
			*d.value = d.instead
		}
	}
	return t
}

// Host is a running Functions host. Its methods are safe for concurrent use.
type Host struct {
	app     app
	log     func(string)
	timing  Timing
	workers *supervisor
	counts  counts

	life context.Context // ends when the host dies: nothing is settled after
	die  context.CancelCauseFunc

	stopReceiving context.CancelFunc
	inflight      sync.WaitGroup
	listeners     sync.WaitGroup
	closers       []func(context.Context)
	stopping      sync.Once
	done          chan struct{}
}

// errStopped is the cause when the host ends because it was asked to.
var errStopped = errors.New("the host was stopped")

// Start reads the app, starts its handler and returns when the handler is ready and the host
// receives. The context bounds the start alone; end the host with [Host.Stop]. An error names the
// file and the member that caused it, or says why the handler did not start.
func Start(ctx context.Context, options Options) (*Host, error) {
	return start(ctx, options, openQueue)
}

type opener func(function, retryOptions) (queue, func(context.Context), error)

func start(ctx context.Context, options Options, open opener) (*Host, error) {
	a, err := readApp(options.AppRoot, options.Settings)
	if err != nil {
		return nil, err
	}
	h := newHost(a, options)
	h.workers, err = newSupervisor(ctx, a.command, options, h.environment(options.Settings), h.log, h.timing)
	if err != nil {
		return nil, err
	}
	queues, err := h.open(ctx, open)
	if err != nil {
		return nil, err
	}
	life, die := context.WithCancelCause(context.WithoutCancel(ctx))
	receiving, stopReceiving := context.WithCancel(life)
	h.life, h.die, h.stopReceiving = life, die, stopReceiving
	for i, q := range queues {
		h.listeners.Go(func() { h.listen(life, receiving, h.app.functions[i], q) })
	}
	go h.supervise(life)
	if _, err := h.workers.ready(ctx); err != nil {
		h.die(err)
		<-h.done
		return nil, fmt.Errorf("start the handler: %w", err)
	}
	return h, nil
}

func newHost(a app, options Options) *Host {
	h := &Host{app: a, log: options.Log, timing: options.Timing.withDefaults(), done: make(chan struct{})}
	if h.log == nil {
		h.log = func(string) {}
	}
	for i := range h.app.functions {
		fn := &h.app.functions[i]
		fn.identifier = fn.namespace + "-" + uuid.NewString()
	}
	return h
}

func (h *Host) open(ctx context.Context, open opener) ([]queue, error) {
	var queues []queue
	for _, fn := range h.app.functions {
		q, closer, err := open(fn, h.app.retry)
		if err != nil {
			h.close(ctx)
			return nil, fmt.Errorf("function %q: %w", fn.function, err)
		}
		queues = append(queues, q)
		h.closers = append(h.closers, closer)
	}
	return queues, nil
}

// supervise runs the handler until the host dies, and cleans up after it.
func (h *Host) supervise(life context.Context) {
	h.die(h.workers.run(life))
	h.listeners.Wait()
	h.inflight.Wait()
	h.close(life)
	close(h.done)
}

// close closes the connections to Service Bus, whether or not ctx has ended.
func (h *Host) close(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	for _, closer := range h.closers {
		closer(ctx)
	}
}

// Done is closed when the host has ended and its handler is gone.
func (h *Host) Done() <-chan struct{} { return h.done }

// Err is the error with which the host ended: nil while it runs and after [Host.Stop].
func (h *Host) Err() error {
	if err := context.Cause(h.life); !errors.Is(err, errStopped) {
		return err
	}
	return nil
}

// Stop ends the host as the production host ends: it takes no more messages, allows running
// invocations up to ten seconds (or until ctx ends) and kills the handler with SIGKILL. A message
// whose invocation was still running is not settled; it comes back when its lock ends. The error is
// ctx's, when it ended before the handler was gone.
func (h *Host) Stop(ctx context.Context) error {
	h.stopping.Do(func() { go h.drain(ctx) })
	select {
	case <-h.done:
		return nil
	case <-ctx.Done():
		h.die(errStopped)
		<-h.done
		return ctx.Err()
	}
}

// drain stops receiving and ends the host when its invocations have ended or their time is over.
func (h *Host) drain(ctx context.Context) {
	h.stopReceiving()
	h.log("stopping, no more messages are taken")
	idle := make(chan struct{})
	go func() {
		h.listeners.Wait()
		h.inflight.Wait()
		close(idle)
	}()
	select {
	case <-idle:
	case <-time.After(h.timing.DrainLimit):
		h.log("stopping with invocations still running, their messages stay locked")
	case <-ctx.Done():
	case <-h.life.Done():
	}
	h.die(errStopped)
}

// HandlerPID is the process id of the handler, 0 when it is not running.
func (h *Host) HandlerPID() int { return h.workers.pid() }

// KillHandler kills the handler with SIGKILL, for tests of what is lost then.
// To the host it is a bad exit like any other: the third within half an hour
// ends the host (see [Timing]).
func (h *Host) KillHandler() error { return h.workers.kill() }

// Starts counts how often the handler was started.
func (h *Host) Starts() int { return h.workers.starts() }

// Invocations counts the invocations that have ended.
func (h *Host) Invocations() Counts { return h.counts.read() }

// environment is what the host adds to the handler's environment, but for the
// worker's own id.
func (h *Host) environment(settings map[string]string) []string {
	env := []string{
		"FUNCTIONS_APP_ROOT_PATH=" + h.app.root,
		"AzureWebJobsScriptRoot=" + h.app.root,
		"FUNCTIONS_WORKER_RUNTIME=custom",
	}
	for name, value := range settings {
		env = append(env, name+"="+value)
	}
	return env
}
