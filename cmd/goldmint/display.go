package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"

	"goldmint/cmd/goldmint/internal/namespace"
	"goldmint/cmd/goldmint/internal/screen"
	"goldmint/internal/history"
	"goldmint/internal/localazure"
)

// display is what `goldmint local` shows: a board, or JSON.
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
	b := newBoard()
	for _, s := range submissions {
		r := b.row(s.id)
		r.source = s.request.Source().Type
	}
	d := &boardDisplay{}
	d.progress = newProgress(out, b, func(r *row) string {
		text := r.result
		if text == "" {
			text = r.text()
		}
		return r.line(b.whole(), false) + "  " + screen.Line(text)
	})
	return d
}

// jsonDisplay prints one JSON object a line: how to connect, then every published event as it is.
type jsonDisplay struct {
	mu  sync.Mutex
	out io.Writer
}

func (d *jsonDisplay) ready(azure *localazure.Azure) {
	d.print(map[string]any{
		"ready": true, "serviceBus": azure.ServiceBus.ConnectionString(), "arm": azure.ARM.PlainEndpoint(),
		"armTLS": azure.ARM.Endpoint(), "caFile": azure.ARM.CAFile(),
		"requests": localazure.Requests, "builds": localazure.Builds, "topic": localazure.Topic, "subscription": localazure.History,
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

// boardDisplay shows how to connect, and the board.
type boardDisplay struct{ progress *progress }

func (d *boardDisplay) ready(azure *localazure.Azure) {
	out := d.progress.out
	fmt.Fprintf(out, `A local Azure is running with Goldmint in it.
  Service Bus       %s
  queues            %s, %s
  topic             %s, subscription %s
  Resource Manager  %s or %s
  CA of https       %s
  managed identity  %s (X-IDENTITY-HEADER: %s)

`, azure.ServiceBus.ConnectionString(), localazure.Requests, localazure.Builds, localazure.Topic, localazure.History, azure.ARM.PlainEndpoint(), azure.ARM.Endpoint(), azure.ARM.CAFile(),
		azure.Identity.Endpoint(), azure.Identity.Secret())
	if n := len(d.progress.board.rows); n > 0 {
		fmt.Fprintf(out, "Submitted %s.\n", count(n, "request"))
	} else {
		fmt.Fprintf(out, `For the commands in another terminal, where no other namespace is named, nothing is needed. For other clients:
  export %s='%s'

`, namespace.EnvConnectionString, azure.ServiceBus.ConnectionString())
	}
	d.progress.start()
}

func (d *boardDisplay) event(e history.Entry) {
	d.progress.change(func(b *board) *row { return b.event(e) })
}

func (d *boardDisplay) console(line string) {
	d.progress.change(func(b *board) *row { b.console(line); return nil })
}

func (d *boardDisplay) end(w *waiting) error {
	p := d.progress
	p.stop()
	if p.terminal != nil && len(p.board.order) > 0 {
		columns, _ := p.terminal.Size()
		_, _ = io.WriteString(p.out, strings.Join(p.board.final(columns, p.paint), "\n")+"\n")
	}
	_, _ = io.WriteString(p.out, p.board.summary(w))
	return w.verdict()
}
