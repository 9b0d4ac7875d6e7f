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

// localOutput is what `goldmint local` shows: a table, or JSON.
type localOutput interface {
	ready(azure *localazure.Azure)
	console(line string)   // of the handler
	event(e history.Entry) // in the order of publication
	end(w *waiting) error  // the verdict
}

func newLocalOutput(out io.Writer, output string, submissions []*submission, untilDone bool) localOutput {
	if output == "json" {
		return &jsonOutput{out: out}
	}
	b := newBuildTable()
	for _, s := range submissions {
		r := b.row(s.id)
		r.source = s.request.Source().Type
	}
	d := &textOutput{untilDone: untilDone}
	d.progress = newProgress(out, b, func(r *row) string {
		text := r.result
		if text == "" {
			text = r.text()
		}
		return r.line(b.whole(), false) + "  " + screen.Line(text)
	})
	return d
}

// jsonOutput prints one JSON object a line: how to connect, then every published event as it is.
type jsonOutput struct {
	mu  sync.Mutex
	out io.Writer
}

func (d *jsonOutput) ready(azure *localazure.Azure) {
	d.print(map[string]any{
		"ready": true, "serviceBus": azure.ServiceBus.ConnectionString(), "arm": azure.ARM.PlainEndpoint(),
		"armTLS": azure.ARM.Endpoint(), "caFile": azure.ARM.CAFile(),
		"requests": localazure.Requests, "builds": localazure.Builds, "topic": localazure.Topic, "subscription": localazure.History,
		"identityEndpoint": azure.Identity.Endpoint(), "identityHeader": azure.Identity.Secret(),
	})
}

func (d *jsonOutput) event(e history.Entry) { d.print(json.RawMessage(e.Body)) }
func (d *jsonOutput) console(string)        {}
func (d *jsonOutput) end(w *waiting) error  { return w.verdict() }

func (d *jsonOutput) print(v any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	_ = json.NewEncoder(d.out).Encode(v)
}

// textOutput shows how to connect, and the table.
type textOutput struct {
	progress  *progress
	untilDone bool
}

func (d *textOutput) ready(azure *localazure.Azure) {
	out := d.progress.out
	_, _ = fmt.Fprintln(out, "A local Azure is running with Goldmint in it.")
	if !d.untilDone { // else it is gone before anybody has connected
		d.addresses(azure)
	}
	switch n := len(d.progress.table.rows); {
	case n > 0:
		_, _ = fmt.Fprintf(out, "Submitted %s.\n", count(n, "request"))
	case !d.untilDone:
		_, _ = fmt.Fprintf(out, `Commands in another terminal find it by themselves. For other clients:
  export %s='%s'

`, namespace.EnvConnectionString, azure.ServiceBus.ConnectionString())
	}
	d.progress.start()
}

func (d *textOutput) addresses(azure *localazure.Azure) {
	_, _ = fmt.Fprintf(d.progress.out, `  Service Bus       %s
  queues            %s, %s
  topic             %s, subscription %s
  Resource Manager  %s or %s
  CA of https       %s
  managed identity  %s (X-IDENTITY-HEADER: %s)

`, azure.ServiceBus.ConnectionString(), localazure.Requests, localazure.Builds, localazure.Topic, localazure.History, azure.ARM.PlainEndpoint(), azure.ARM.Endpoint(), azure.ARM.CAFile(),
		azure.Identity.Endpoint(), azure.Identity.Secret())
}

func (d *textOutput) event(e history.Entry) {
	d.progress.change(func(b *buildTable) *row { return b.event(e) })
}

func (d *textOutput) console(line string) {
	d.progress.change(func(b *buildTable) *row { b.console(line); return nil })
}

func (d *textOutput) end(w *waiting) error {
	p := d.progress
	p.stop()
	if p.terminal != nil && len(p.table.order) > 0 {
		columns, _ := p.terminal.Size()
		_, _ = io.WriteString(p.out, strings.Join(p.table.final(columns, p.paint), "\n")+"\n")
	}
	_, _ = io.WriteString(p.out, p.table.summary(w))
	return w.verdict()
}
