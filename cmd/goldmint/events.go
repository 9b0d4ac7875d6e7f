package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"time"

	"goldmint/cmd/goldmint/internal/namespace"
	"goldmint/cmd/goldmint/internal/screen"
	"goldmint/internal/event"
	"goldmint/internal/history"

	"github.com/spf13/cobra"
)

type eventsOptions struct {
	connection
	follow  bool
	filters []string
	output  string
}

func newEvents() *cobra.Command {
	var o eventsOptions
	c := &cobra.Command{
		Use:   "events",
		Short: "Print the published events",
		Long: `Prints the events in the subscription history, oldest first, and takes none of them.

A filter is NAME=PATTERN. The name is that of an application property: type, buildId, digest, name, imageId, resourceGroup,
subscriptionId, location, sourceType, hyperVGeneration, errorCode. A pattern may have * and ?, and commas separate several
patterns. A type may be short: queued, asked, started, delayed, replicating, succeeded, failed, rejected. With several filters, an
event has to match all of them.`,
		Example: `  goldmint events
  goldmint events --follow --filter type=failed,rejected
  goldmint events --filter buildId=web-* --output json | jq -r .data.imageId`,
		Args: arguments(0, 0),
		RunE: func(c *cobra.Command, _ []string) error { return events(c, &o) },
	}
	f := c.Flags()
	f.BoolVarP(&o.follow, "follow", "f", false, "go on with events as they are published, until Ctrl-C")
	f.StringArrayVar(&o.filters, "filter", nil, "print only events with this `NAME=PATTERN` (may be given more than once)")
	addOutput(f, &o.output, "a line for each event, in words or as it was published", "text", "json")
	o.addFlags(f)
	o.addTopicFlags(f)
	return c
}

func events(c *cobra.Command, o *eventsOptions) error {
	wanted, err := parseFilters(o.filters)
	if err != nil {
		return err
	}
	b, err := o.dial()
	if err != nil {
		return err
	}
	defer b.close(c.Context())
	reader, err := history.Open(b.client, b.topic, b.subscription)
	if err != nil {
		return b.explain(err, b.historyEntity(), namespace.Listen)
	}
	printer := eventPrinter{out: c.OutOrStdout(), json: o.output == "json"}
	reached := false
	err = reader.Follow(c.Context(), history.Following{
		Interval: lookEvery,
		Each: func(entries []history.Entry, current bool) bool {
			reached = true
			for _, e := range entries {
				if wanted.fit(e.Event) {
					printer.print(e)
				}
			}
			return current && !o.follow || printer.err != nil
		},
		OnError: func(err error, since time.Duration) error {
			if o.follow && reached && since < lostContact {
				return nil
			}
			return b.explain(err, b.historyEntity(), namespace.Listen)
		},
	})
	if errors.Is(err, context.Canceled) {
		return nil // Ctrl-C is the normal end of --follow
	}
	return errors.Join(err, printer.err)
}

// filters are the patterns of each property. An event fits when each of them is met by one of its
// patterns.
type filters map[string][]string

const typePrefix = "goldmint.build."

var typeNames = []string{"queued", "asked", "started", "delayed", "replicating", "succeeded", "failed", "rejected"}

var filterNames = []string{
	"type", "buildId", "digest", "name", "imageId", "resourceGroup", "subscriptionId", "location", "sourceType", "hyperVGeneration", "errorCode",
}

func parseFilters(texts []string) (filters, error) {
	all := filters{}
	for _, text := range texts {
		name, patterns, ok := strings.Cut(text, "=")
		if !ok {
			return nil, fmt.Errorf("--filter %s: write NAME=PATTERN, such as type=failed", text)
		}
		if !slices.Contains(filterNames, name) {
			return nil, fmt.Errorf("--filter %s: %q is none of %s", text, name, strings.Join(filterNames, ", "))
		}
		for pattern := range strings.SplitSeq(patterns, ",") {
			if _, err := path.Match(pattern, ""); err != nil {
				return nil, fmt.Errorf("--filter %s: %w", text, err)
			}
			pattern = strings.ToLower(pattern)
			if name == "type" {
				if !strings.Contains(pattern, ".") {
					pattern = typePrefix + pattern
				}
				if !slices.ContainsFunc(typeNames, func(t string) bool { return matches(pattern, typePrefix+t) }) {
					return nil, fmt.Errorf("--filter %s: no event has such a type: use %s", text, or(typeNames))
				}
			}
			all[name] = append(all[name], pattern)
		}
	}
	return all, nil
}

func (f filters) fit(e event.Event) bool {
	properties := e.Properties()
	for name, patterns := range f {
		value, _ := properties[name].(string)
		if !slices.ContainsFunc(patterns, func(p string) bool { return matches(p, strings.ToLower(value)) }) {
			return false
		}
	}
	return true
}

// matches lets * stand for slashes too: resource IDs are full of them.
func matches(pattern, value string) bool {
	flat := strings.NewReplacer("/", "\x00")
	ok, err := path.Match(flat.Replace(pattern), flat.Replace(value))
	return ok && err == nil
}

// eventPrinter prints an event a line. It keeps the writer's first error, so that a closed pipe
// ends the command.
type eventPrinter struct {
	out  io.Writer
	json bool
	err  error
}

func (p *eventPrinter) print(e history.Entry) {
	if p.err != nil {
		return
	}
	if p.json {
		_, p.err = fmt.Fprintf(p.out, "%s\n", e.Body)
		return
	}
	d := e.Event.Data
	text := cmp.Or(screen.Line(stepOf(e.Event)), d.ImageID)
	if d.Error != nil {
		text = strings.ReplaceAll(brief(d.Error), "\n", " ")
	}
	_, p.err = fmt.Fprintf(p.out, "%s  %-9s  %s  %s\n", clock(e.Event.Time), strings.TrimPrefix(e.Event.Type, typePrefix), d.BuildID, text)
}
