package main

import (
	"strings"
	"testing"

	"goldmint/internal/event"

	"goldmint/internal/localazure"
)

// TestLocalFaults: an unknown fault is wrong usage before anything is started, and the help names
// every known one.
func TestLocalFaults(t *testing.T) {
	for _, spec := range []string{"throtle=0.1", "kill=often", "throttle=7"} {
		c := newLocal()
		c.SetArgs([]string{"--faults", spec})
		c.SilenceErrors, c.SilenceUsage = true, true
		name, _, _ := strings.Cut(spec, "=")
		if err := c.ExecuteContext(t.Context()); err == nil || !strings.Contains(err.Error(), "--faults") || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", spec, err)
		}
	}
	help := newLocal().Long
	for _, f := range localazure.FaultNames() {
		if !strings.Contains(help, "\n  "+f[0]+" ") {
			t.Errorf("the help does not name %s", f[0])
		}
	}
}

// TestUntilDoneWaitsPastDelays: a build that says that it waits has not ended.
func TestUntilDoneWaitsPastDelays(t *testing.T) {
	w := &waiting{open: map[string]bool{"b": true}}
	w.saw(event.Event{Type: event.Delayed, Data: event.Data{BuildID: "b"}})
	if w.done() || w.failed > 0 {
		t.Error("a delay was taken for an end")
	}
}
