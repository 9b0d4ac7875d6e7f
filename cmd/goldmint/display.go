package main

import (
	"encoding/json"
	"fmt"
	"io"
	"sync"

	"goldmint/cmd/goldmint/internal/namespace"
	"goldmint/internal/history"
	"goldmint/internal/localazure"
)

// display is what `goldmint local` shows: a screen, plain lines, or JSON.
type display interface {
	ready(azure *localazure.Azure)
	console(line string)   // of the handler
	event(e history.Entry) // in the order of publication
	end(w *waiting) error  // the verdict
}

func newDisplay(out io.Writer, output string, submissions []*submission) display {
	if output == "json" {
		return &jsonDisplay{out: out}
	}
	lines := &linesDisplay{out: out, board: newBoard(submissions)}
	if terminalOf(out) != nil {
		return &screenDisplay{linesDisplay: lines, stop: make(chan struct{})}
	}
	return lines
}

// jsonDisplay prints one JSON object a line: how to connect, then every published event as it is.
type jsonDisplay struct {
	mu  sync.Mutex
	out io.Writer
}

func (d *jsonDisplay) ready(azure *localazure.Azure) {
	d.print(map[string]any{
		"ready": true, "serviceBus": azure.ServiceBus.ConnectionString(), "arm": azure.ARM.Endpoint(),
		"queue": localazure.Queue, "topic": localazure.Topic, "subscription": localazure.History,
		"identityEndpoint": azure.Identity.Endpoint(), "identityHeader": azure.Identity.Secret(),
	})
}

func (d *jsonDisplay) event(e history.Entry) { d.print(json.RawMessage(e.Body)) }
func (d *jsonDisplay) console(string)        {}
func (d *jsonDisplay) end(w *waiting) error  { return w.verdict() }

func (d *jsonDisplay) print(v any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	_ = json.NewEncoder(d.out).Encode(v)
}

// linesDisplay prints a line when something happens to a build.
type linesDisplay struct {
	mu    sync.Mutex
	out   io.Writer
	board *board
}

func (d *linesDisplay) ready(azure *localazure.Azure) {
	d.mu.Lock()
	defer d.mu.Unlock()
	fmt.Fprintf(d.out, `A local Azure is running with Goldmint in it.
  Service Bus       %s
  queue             %s
  topic             %s, subscription %s
  Resource Manager  %s
  managed identity  %s (X-IDENTITY-HEADER: %s)

`, azure.ServiceBus.ConnectionString(), localazure.Queue, localazure.Topic, localazure.History, azure.ARM.Endpoint(), azure.Identity.Endpoint(), azure.Identity.Secret())
	if n := len(d.board.rows); n > 0 {
		fmt.Fprintf(d.out, "Submitted %s.\n", count(n, "request"))
		return
	}
	fmt.Fprintf(d.out, `For the commands in another terminal:
  export %s='%s'

`, namespace.EnvConnectionString, azure.ServiceBus.ConnectionString())
}

func (d *linesDisplay) event(e history.Entry) {
	d.mu.Lock()
	defer d.mu.Unlock()
	r := d.board.event(e.Event)
	fmt.Fprintln(d.out, r.line(d.board.width))
}

func (d *linesDisplay) console(line string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.board.console(line)
}

func (d *linesDisplay) end(w *waiting) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, _ = io.WriteString(d.out, d.board.summary(w))
	return w.verdict()
}
