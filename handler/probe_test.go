package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"syscall"
	"testing"
	"time"

	"goldmint/internal/message"
	"goldmint/internal/worker"
)

// TestMain lets this test binary be the process that reads a message, well or badly.
func TestMain(m *testing.M) {
	switch os.Args[len(os.Args)-1] {
	case "reads":
		os.Exit(probed(os.Stdin))
	case "dies":
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	case "hangs":
		select {}
	}
	os.Exit(m.Run())
}

// TestProbe: a message is read in another process, and what becomes of that process is known.
func TestProbe(t *testing.T) {
	m := message.Received{Body: []byte(`{"resourceGroup":"rg"}`), ID: "m", SequenceNumber: 1, EnqueuedAt: time.Now(), DeliveryCount: 5}
	for reader, killed := range map[string]bool{"reads": false, "dies": true, "hangs": true} {
		p := newProbe()
		p.command, p.timeout = []string{p.command[0], reader}, time.Minute
		if reader == "hangs" {
			p.timeout = 200 * time.Millisecond
		}
		err := p.run(t.Context(), m)
		if errors.Is(err, worker.ErrKilled) != killed || !killed && err != nil {
			t.Errorf("%s: %v", reader, err)
		}
		if err != nil && len(err.Error()) > 400 {
			t.Errorf("%s: the error has %d bytes", reader, len(err.Error()))
		}
	}
	p := newProbe()
	p.command = []string{"/no/such/program"}
	if err := p.run(t.Context(), m); err == nil || errors.Is(err, worker.ErrKilled) {
		t.Errorf("no process could be started: %v, want an error that is not the message's fault", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := newProbe().run(ended, m); err == nil || errors.Is(err, worker.ErrKilled) {
		t.Errorf("the invocation is over: %v, want an error that is not the message's fault", err)
	}
}

// TestProbed reads whatever a message may hold.
func TestProbed(t *testing.T) {
	for _, body := range []string{"", "{", `{"resourceGroup":"rg"}`, `[{"eventType":"x"}]`, `{"specversion":"1.0","type":"goldmint.vm.continuation"}`} {
		input, err := json.Marshal(message.Received{Body: []byte(body), ID: "m"})
		if err != nil {
			t.Fatal(err)
		}
		if status := probed(bytes.NewReader(input)); status != 0 {
			t.Errorf("%q: status %d", body, status)
		}
	}
}
