// Command handler is Goldmint's Azure Functions custom handler: the process that the Functions host starts and to which it
// hands each message of the build queue.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"goldmint/internal/azure"
	"goldmint/internal/config"
	"goldmint/internal/pace"
	"goldmint/internal/worker"
)

// The host never starts a handler again that exited with 0, so each way out of this process is another status.
const (
	exitStart    = 1   // could not start: settings, port
	exitOrphaned = 2   // the host is gone
	exitStopped  = 143 // SIGTERM
)

func main() {
	status, err := run(os.Environ(), os.Getppid())
	if err != nil {
		fmt.Fprintln(os.Stderr, "goldmint handler:", err)
	}
	os.Exit(status)
}

// run is the handler's life. parent is the process that started it: the Functions host.
func run(environ []string, parent int) (int, error) {
	c, err := config.Load(environ)
	if err != nil {
		return exitStart, err
	}
	log := newLogger(c.LogLevel)
	w, bus, err := newWorker(c, log)
	if err != nil {
		return exitStart, err
	}
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(c.Port)))
	if err != nil {
		return exitStart, err
	}
	server := &http.Server{
		Handler:           newServer(w.Handle, c.InvocationTimeout, c.MaxConcurrent, log),
		ReadHeaderTimeout: 10 * time.Second,
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, os.Interrupt) // before anyone can know that it is there
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	log.Info("ready", zap.Int("port", c.Port), zap.String("queue", c.Queue), zap.String("topic", c.Topic), zap.String("resourceManager", c.ARMEndpoint))

	status, err := waitForEnd(failed, stop, parent)
	drain, cancel := context.WithTimeout(context.Background(), c.InvocationTimeout)
	defer cancel()
	log.Info("draining", zap.Int("status", status))
	return status, errors.Join(err, server.Shutdown(drain), bus.Close(drain))
}

// waitForEnd blocks until the process has a reason to end.
func waitForEnd(failed <-chan error, stop <-chan os.Signal, parent int) (int, error) {
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
func newWorker(c config.Config, log *zap.Logger) (*worker.Worker, *azure.Bus, error) {
	client, err := azure.DialServiceBus(c.ServiceBus)
	if err != nil {
		return nil, nil, err
	}
	bus, err := azure.NewBus(client, c.Queue, c.Topic)
	if err != nil {
		return nil, nil, err
	}
	identity, err := azure.Identity(c.ClientID)
	if err != nil {
		return nil, nil, err
	}
	arm, err := azure.NewARM(c.ARMEndpoint, c.ARMAudience, identity, nil)
	if err != nil {
		return nil, nil, err
	}
	return &worker.Worker{
		Bus: bus, ARM: arm, Policy: c.Policy(), VMs: arm, VMPolicy: c.VMPolicy(), Now: time.Now, Log: log,
		Pacer: pace.New(rand.Text()), Pause: pause,
		Rules: worker.Rules{
			DefaultSubscription: c.SubscriptionID, AllowedSubscriptions: c.AllowedSubscriptions,
			AllowedResourceGroups: c.AllowedResourceGroups, EventSource: c.EventSource, PoisonDelivery: c.PoisonDelivery,
		},
	}, bus, nil
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
