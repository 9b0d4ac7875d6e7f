package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"goldmint/cmd/goldmint/internal/screen"
	"goldmint/internal/event"
	"goldmint/internal/history"

	"github.com/spf13/cobra"
)

func newList() *cobra.Command {
	var o struct {
		connection
		filters []string
		output  string
	}
	c := &cobra.Command{
		Use:   "list",
		Short: "List the builds, each with its newest state",
		Long: `Lists the builds in the subscription history, the newest last. Each has one row with its newest state: a request that was
rejected and then corrected has the state of the corrected one. The filters are those of "goldmint events". They apply to the
newest event of each build.`,
		Example: `  goldmint list
  goldmint list --filter type=started
  goldmint list --filter type=failed --output json | jq -r .data.error.code`,
		Args: arguments(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			wanted, err := parseFilters(o.filters)
			if err != nil {
				return err
			}
			b, err := o.dial()
			if err != nil {
				return err
			}
			defer b.close(c.Context())
			entries, err := b.readHistory(c.Context())
			if err != nil {
				return err
			}
			return printBuilds(c.OutOrStdout(), newest(entries, wanted), o.output)
		},
	}
	c.Flags().StringArrayVar(&o.filters, "filter", nil, "list only builds with this `NAME=PATTERN` (may be given more than once)")
	addOutput(c.Flags(), &o.output, "a table, or the newest event of each build, one a line", "text", "json")
	o.addFlags(c.Flags())
	o.addTopicFlags(c.Flags())
	return c
}

// newest is the newest event of each build that fits, in the order in which the builds were first
// seen.
func newest(entries []history.Entry, wanted filters) []history.Entry {
	timelines := map[string]*history.Timeline{}
	var ids []string
	for _, e := range entries {
		id := e.Event.Data.BuildID
		if timelines[id] == nil {
			timelines[id] = &history.Timeline{}
			ids = append(ids, id)
		}
		timelines[id].Add(e)
	}
	var all []history.Entry
	for _, id := range ids {
		if latest := timelines[id].Latest(); latest != nil && wanted.fit(latest.Event) {
			all = append(all, *latest)
		}
	}
	return all
}

func printBuilds(out io.Writer, builds []history.Entry, output string) error {
	if output != "json" && len(builds) == 0 {
		_, err := fmt.Fprintln(out, "There are no builds.")
		return err
	}
	columns := 0 // any number
	if t := screen.Of(out, os.Getenv); t != nil {
		columns, _ = t.Size()
	}
	paint := screen.PaintFor(out, os.Getenv)
	width := 0
	for _, b := range builds {
		width = max(width, len(b.Event.Data.BuildID))
	}
	for _, b := range builds {
		line := string(b.Body)
		if output != "json" {
			line = listed(b.Event, width, paint)
			if columns > 0 {
				line = screen.Clip(line, columns)
			}
		}
		if _, err := fmt.Fprintln(out, line); err != nil {
			return err
		}
	}
	return nil
}

// listed is a build in one row.
func listed(e event.Event, width int, paint screen.Paint) string {
	var r row
	r.show(e)
	text := r.text()
	if r.open() {
		text = cmp.Or(screen.Line(r.step), e.Data.Name)
	}
	return fmt.Sprintf("%s %s  %-11s  %s  %s", r.mark(paint), screen.Pad(e.Data.BuildID, width), stateOf(e), clock(e.Time), text)
}

// completeBuilds completes build ids with those of which events are kept, the newest first.
func completeBuilds(conn *connection) cobra.CompletionFunc {
	return func(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		ctx, cancel := context.WithTimeout(c.Context(), 3*time.Second)
		defer cancel()
		b, err := conn.dial()
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		defer b.close(ctx)
		entries, err := b.readHistory(ctx)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var ids []string
		for _, e := range newest(entries, nil) {
			ids = append([]string{e.Event.Data.BuildID + "\t" + strings.TrimPrefix(e.Event.Type, typePrefix)}, ids...)
		}
		return ids, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
	}
}
