package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"goldmint/cmd/goldmint/internal/namespace"
	"goldmint/internal/event"
	"goldmint/internal/history"

	"github.com/spf13/cobra"
)

func newStatus() *cobra.Command {
	var o struct {
		connection
		output string
	}
	c := &cobra.Command{
		Use:   "status BUILD-ID...",
		Short: "Show what is known of builds",
		Long: `Shows what the events of the subscription history say of each build: that it was started, how it ended or why it was
rejected. It waits for nothing. A build that is still in the queue is not known yet.

The exit status is 0 when something is known, whatever it is, and 2 when nothing is.`,
		Example: `  goldmint status web-1
  goldmint status web-1 --output json | jq .data.error`,
		Args:              arguments(1, endless),
		ValidArgsFunction: completeBuilds(&o.connection),
		RunE: func(c *cobra.Command, args []string) error {
			targets, err := parseTargets(args)
			if err != nil {
				return err
			}
			return status(c, o.connection, targets, o.output)
		},
	}
	addOutput(c.Flags(), &o.output, "a list, or the last event", "text", "json")
	o.addFlags(c.Flags())
	o.addTopicFlags(c.Flags())
	return c
}

func status(c *cobra.Command, conn connection, targets []target, output string) error {
	b, err := conn.dial()
	if err != nil {
		return err
	}
	defer b.close(c.Context())
	var ids []string
	for _, t := range targets {
		ids = append(ids, t.id)
	}
	entries, err := b.readHistory(c.Context(), ids...)
	if err != nil {
		return err
	}
	var wrong []error
	for i, t := range targets {
		latest := latestOf(entries, t)
		switch {
		case latest == nil:
			err = &exitError{
				error: fmt.Errorf("nothing is known of build %s", t), status: exitUsage,
				hint: "is the id right? It may still be in the queue, or have ended longer ago than the subscription keeps events",
			}
		case output == "json":
			_, err = fmt.Fprintf(c.OutOrStdout(), "%s\n", latest.Body)
		default:
			if i > 0 {
				_, _ = fmt.Fprintln(c.OutOrStdout())
			}
			err = describe(c.OutOrStdout(), latest.Event)
		}
		if err != nil {
			wrong = append(wrong, err)
		}
	}
	return together(wrong, len(targets), "builds")
}

// latestOf is the newest that is known of a build.
func latestOf(entries []history.Entry, t target) *history.Entry {
	story := history.Story{Digest: t.digest}
	for _, e := range entries {
		if e.Event.Data.BuildID == t.id {
			story.Tell(e)
		}
	}
	return story.Latest()
}

// readHistory reads the events that are kept of the builds, or of all.
func (b *bus) readHistory(ctx context.Context, buildIDs ...string) ([]history.Entry, error) {
	reader, err := history.Open(b.client, b.topic, b.subscription)
	if err != nil {
		return nil, b.trouble(err, b.historyEntity(), namespace.Listen)
	}
	reader.BuildIDs = buildIDs
	all, err := reader.ReadAll(ctx)
	if err != nil {
		return nil, b.trouble(err, b.historyEntity(), namespace.Listen)
	}
	return all, nil
}

// describe writes an event as a list of names and values.
func describe(out io.Writer, e event.Event) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	row := func(name, value string) {
		if value != "" {
			_, _ = fmt.Fprintf(w, "%s\t%s\n", name, strings.ReplaceAll(value, "\n", "\n\t"))
		}
	}
	d := e.Data
	state := string(stateOf(e))
	if e.Type == event.Started {
		state = "creating, for " + time.Since(d.StartedAt).Round(time.Second).String()
	}
	if step := stepOf(e); step != "" {
		state = step
	}
	row("build", d.BuildID)
	row("state", state)
	switch {
	case e.Type == event.Succeeded:
		row("image", d.ImageID)
	case e.Type == event.Started || e.Type == event.Delayed || e.Type == event.Replicating:
		row("image", d.Name+" (not there yet)")
	case d.Name != "":
		row("image", d.Name+" (not made by this build)")
	}
	row("region", d.Location)
	row("generation", d.HyperVGeneration)
	row("source", strings.TrimSpace(d.Source.Type+" "+d.Source.ID))
	row("requested", clock(d.RequestedAt))
	row("started", clock(d.StartedAt))
	row("ended", clock(d.EndedAt))
	if e.Type == event.Rejected {
		row("rejected", clock(e.Time))
	}
	if d.DurationSeconds > 0 {
		row("took", duration(d.DurationSeconds))
	}
	switch {
	case len(d.Problems) > 0: // which the error's message repeats
		row("error", d.Error.Code)
	case d.Error != nil:
		row("error", tell(d.Error))
	}
	for _, p := range d.Problems {
		row("problem", strings.TrimPrefix(p.Path+": ", ": ")+p.Message)
	}
	row("digest", d.Digest)
	return w.Flush()
}

func clock(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
