// Command handler is Goldmint's Azure Functions custom handler: the process that the Functions host
// starts and calls with each message of the two queues.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"goldmint/internal/azure"
	"goldmint/internal/config"
	"goldmint/internal/event"
	"goldmint/internal/message"
	"goldmint/internal/ratelimit"
	"goldmint/internal/worker"
)

// The host never restarts a handler that exited with 0, so this process always ends with another
// status.
const (
	exitStart    = 1   // could not start: settings, port
	exitOrphaned = 2   // the host is gone
	exitStopped  = 143 // SIGTERM
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == probeArgument {
		os.Exit(probed(os.Stdin))
	}
	status, err := run(os.Environ(), os.Getppid())
	if err != nil {
		fmt.Fprintln(os.Stderr, "goldmint handler:", err)
	}
	os.Exit(status)
}

// run runs the handler until it has to end. parent is the process that started it: the Functions
// host.
func run(environ []string, parent int) (int, error) {
	c, err := config.Load(environ)
	if err != nil {
		return exitStart, err
	}
	log := newLogger(c.LogLevel)
	w, err := newWorker(c, log)
	if err != nil {
		return exitStart, err
	}
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(c.Port)))
	if err != nil {
		return exitStart, err
	}
	handler := newServer(functions{"take-request": w.TakeRequest, "build-image": w.BuildImage}, c.InvocationTimeout, c.MaxConcurrent, log)
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	stop := stopSignals()
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	log.Info("ready", zap.Int("port", c.Port), zap.String("requests", c.Requests), zap.String("builds", c.Builds), zap.String("topic", c.Topic), zap.String("resourceManager", c.ARMEndpoint))

	status, err := waitForEnd(stop, failed, parent)
	log.Info("draining", zap.Int("status", status))
	handler.drain(c.InvocationTimeout, stop)
	return status, err // main exits, with the listener and the held connections open until then
}

// stopSignals are the signals that ask the process to end. A broken pipe is not among them: the
// process that read stdout is gone, but the work in progress has to be finished.
func stopSignals() chan os.Signal {
	signal.Ignore(syscall.SIGPIPE)
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, os.Interrupt)
	return stop
}

// waitForEnd blocks until the process has a reason to end.
func waitForEnd(stop <-chan os.Signal, failed <-chan error, parent int) (int, error) {
	look := time.NewTicker(time.Second)
	defer look.Stop()
	for {
		select {
		case err := <-failed:
			return exitStart, fmt.Errorf("serve: %w", err)
		case <-stop:
			return exitStopped, nil
		case <-look.C:
			if os.Getppid() != parent {
				return exitOrphaned, errors.New("the Functions host that started this handler is gone")
			}
		}
	}
}

// newWorker puts the parts together.
func newWorker(c config.Config, log *zap.Logger) (*worker.Worker, error) {
	client, err := azure.Namespace{ConnectionString: c.ServiceBus.ConnectionString, Name: c.ServiceBus.Namespace, ClientID: c.ServiceBus.ClientID}.Dial()
	if err != nil {
		return nil, err
	}
	bus, err := azure.NewBus(client, azure.Entities{Requests: c.Requests, Builds: c.Builds, Events: c.Topic})
	if err != nil {
		return nil, err
	}
	identity, err := azure.Identity(c.ClientID)
	if err != nil {
		return nil, err
	}
	arm, err := azure.NewARM(c.ARMEndpoint, c.ARMAudience, identity, nil)
	if err != nil {
		return nil, err
	}
	limits, err := newLimiter(c, log)
	if err != nil {
		return nil, err
	}
	return &worker.Worker{
		Bus: bus, ARM: arm, Policy: c.Policy(), VMs: arm, VMPolicy: c.VMPolicy(), Now: time.Now, Log: log,
		Limits: limits, Probe: newProbe().run,
		Rules: worker.Rules{
			DefaultSubscription: c.SubscriptionID, AllowedSubscriptions: c.AllowedSubscriptions,
			AllowedResourceGroups: c.AllowedResourceGroups, EventSource: c.EventSource, PoisonDelivery: c.PoisonDelivery,
		},
	}, nil
}

// newLimiter paces creations with the documents in the store, or with this process's memory where
// no store is set.
func newLimiter(c config.Config, log *zap.Logger) (*ratelimit.Limiter, error) {
	l := &ratelimit.Limiter{Store: ratelimit.NewMemory(time.Now), Now: time.Now, Pause: pause, Report: func(document string, err error) {
		if err == nil {
			log.Info("rate limit is shared again", zap.String("document", document))
			return
		}
		log.Warn("rate limit is not shared, creations go on by what this process knows", zap.String("document", document), zap.String("error", event.Clean(err.Error(), event.MaxDeadLetter)),
			zap.String("hint", "RATE_LIMIT_STORE: the function's identity needs Storage Blob Data Contributor on the container; goldmint doctor looks"))
	}}
	container := c.RateLimitContainer()
	if container == "" {
		return l, nil
	}
	identity, err := azure.Identity(c.Storage.ClientID)
	if err != nil {
		return nil, err
	}
	l.Store, err = azure.NewRateLimitStore(container, identity, nil)
	return l, err
}

// pause waits, unless the context ends first.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// newLogger writes one JSON object a line to stdout: stderr would be logged as errors by the host.
func newLogger(level string) *zap.Logger {
	l, err := zapcore.ParseLevel(level)
	if err != nil {
		l = zapcore.InfoLevel
	}
	enc := zap.NewProductionEncoderConfig()
	enc.TimeKey, enc.EncodeTime = "time", zapcore.RFC3339NanoTimeEncoder
	return zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(enc), zapcore.Lock(os.Stdout), l))
}

// probeArgument makes this program decode one message from its standard input, and end.
const probeArgument = "probe"

// probe decodes messages that came back too often, each in a separate process, so that a message
// that kills its reader ends no other invocation.
type probe struct {
	command []string
	timeout time.Duration
	free    chan struct{} // one at a time, because a message may use up the memory
}

func newProbe() *probe {
	self, err := os.Executable()
	if err != nil {
		self = os.Args[0]
	}
	return &probe{command: []string{self, probeArgument}, timeout: 10 * time.Second, free: make(chan struct{}, 1)}
}

// run is nil when a process has read the message and lived, and worker.ErrKilled when it died or
// did not end in time.
func (p *probe) run(ctx context.Context, m message.Received) error {
	select {
	case p.free <- struct{}{}:
		defer func() { <-p.free }()
	case <-ctx.Done():
		return fmt.Errorf("wait for other messages to be probed: %w", ctx.Err())
	}
	input, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("hand the message to another process: %w", err)
	}
	limited, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	c := exec.CommandContext(limited, p.command[0], p.command[1:]...)
	c.Env = []string{"GOMEMLIMIT=200MiB"}
	c.Stdin = bytes.NewReader(input)
	said, err := c.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("probe the message: %w", ctx.Err())
	case errors.As(err, &exit):
		why, _, _ := strings.Cut(string(said), "\n")
		return fmt.Errorf("%w (%s: %.200s)", worker.ErrKilled, exit.ProcessState, why)
	}
	return fmt.Errorf("start a process to probe the message: %w", err)
}

// probed is the separate process: it decodes the message, and may die.
func probed(in io.Reader) int {
	var m message.Received
	if err := json.NewDecoder(in).Decode(&m); err != nil {
		return exitStart
	}
	w := worker.Worker{Now: time.Now, Log: zap.NewNop()}
	w.Decode(m)
	return 0
}
