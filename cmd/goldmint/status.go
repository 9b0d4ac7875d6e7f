package main

import (
	"context"
	"fmt"
	"io"
	"slices"
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
		Long: `Shows the newest event of each build: that it is queued, that it waits and for what, that Azure works on it, how it ended, or
why it was rejected. A build that was just submitted is known as soon as the function takes its request, so status looks for
two seconds before it says that nothing is known.

The exit status is 0 when something is known of every build, and 2 when nothing is known of one.`,
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
	latest, err := b.latest(c.Context(), targets)
	if err != nil {
		return err
	}
	var wrong []error
	for i, t := range targets {
		latest := latest[i]
		switch {
		case latest == nil:
			err = &exitError{
				error: fmt.Errorf("nothing is known of build %s", t), status: exitUsage,
				hint: "check the id. A request that was just sent is known as soon as the function takes it: `goldmint wait " + t.String() + "` waits for that. Events are kept for a week",
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

// justSubmitted is how long the function may take to publish that it accepted a request. A warm one
// takes milliseconds.
const justSubmitted = 2 * time.Second

// latest is the newest that is known of each build, nil where nothing is.
func (b *bus) latest(ctx context.Context, targets []target) ([]*history.Entry, error) {
	reader, err := history.Open(b.client, b.topic, b.subscription)
	if err != nil {
		return nil, b.explain(err, b.historyEntity(), namespace.Listen)
	}
	timelines := make([]history.Timeline, len(targets))
	for i, t := range targets {
		timelines[i].Digest = t.digest
		reader.BuildIDs = append(reader.BuildIDs, t.id)
	}
	latest := make([]*history.Entry, len(targets))
	begun := time.Now()
	err = reader.Follow(ctx, history.Following{Interval: lookEvery, Each: func(entries []history.Entry, current bool) bool {
		for i, t := range targets {
			for _, e := range entries {
				if e.Event.Data.BuildID == t.id {
					timelines[i].Add(e)
				}
			}
			latest[i] = timelines[i].Latest()
		}
		return current && (!slices.Contains(latest, nil) || time.Since(begun) > justSubmitted)
	}})
	if err != nil {
		return nil, b.explain(err, b.historyEntity(), namespace.Listen)
	}
	return latest, nil
}

// readHistory reads all events that are kept.
func (b *bus) readHistory(ctx context.Context) ([]history.Entry, error) {
	reader, err := history.Open(b.client, b.topic, b.subscription)
	if err != nil {
		return nil, b.explain(err, b.historyEntity(), namespace.Listen)
	}
	all, err := reader.ReadAll(ctx)
	if err != nil {
		return nil, b.explain(err, b.historyEntity(), namespace.Listen)
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
	switch e.Type {
	case event.Queued:
		state = "queued, for " + lasting(d.RequestedAt)
	case event.Asked:
		state = "asked, Azure has not answered for " + lasting(e.Time)
	case event.Started:
		state = "creating, for " + lasting(d.StartedAt)
	}
	if step := stepOf(e); step != "" {
		state = step
	}
	row("build", d.BuildID)
	row("state", state)
	switch {
	case e.Type == event.Succeeded:
		row("image", d.ImageID)
	case !e.Answers():
		row("image", d.Name+" (not there yet)")
	case d.Name != "":
		row("image", d.Name+" (not made by this build)")
	}
	row("region", d.Location)
	if r := d.ReplicationStatus; r != nil {
		row("regions", regionLines(r))
	}
	row("generation", d.HyperVGeneration)
	row("source", strings.TrimSpace(d.Source.Type+" "+d.Source.ID))
	row("source's id", d.Source.UniqueID)
	row("commit", d.Metadata["commit"])
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
	case len(d.Problems) > 0: // the error's message repeats it
		row("error", d.Error.Code)
	case d.Error != nil:
		row("error", tell(d.Error))
		row("hint", d.Error.Hint)
	}
	for _, p := range d.Problems {
		row("problem", strings.TrimPrefix(p.Path+": ", ": ")+p.Message)
	}
	row("digest", d.Digest)
	return w.Flush()
}

func lasting(t time.Time) string { return max(time.Since(t), 0).Round(time.Second).String() }

func clock(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
