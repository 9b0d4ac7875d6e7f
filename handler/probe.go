package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"go.uber.org/zap"

	"goldmint/internal/message"
	"goldmint/internal/worker"
)

// probeArgument makes this program decode one message from its standard input, and end.
const probeArgument = "probe"

// probe decodes messages that came back too often, each in a process of its own: one that kills its reader then kills
// nobody else.
type probe struct {
	command []string
	timeout time.Duration
	free    chan struct{} // one at a time: a reader that eats all memory should be alone with it
}

func newProbe() *probe {
	self, err := os.Executable()
	if err != nil {
		self = os.Args[0]
	}
	return &probe{command: []string{self, probeArgument}, timeout: 10 * time.Second, free: make(chan struct{}, 1)}
}

// run is nil when a process has read the message and lived, and worker.ErrKilled when it died or did not come to an end.
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

// probed is the other process: it decodes the message and lives, or not.
func probed(in io.Reader) int {
	var m message.Received
	if err := json.NewDecoder(in).Decode(&m); err != nil {
		return exitStart
	}
	w := worker.Worker{Now: time.Now, Log: zap.NewNop()}
	w.Decode(m)
	return 0
}
