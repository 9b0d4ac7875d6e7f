package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"
	"text/tabwriter"

	"goldmint/cmd/goldmint/internal/deadletter"
	"goldmint/cmd/goldmint/internal/namespace"
	"goldmint/cmd/goldmint/internal/screen"

	"github.com/spf13/cobra"
)

func newDeadLetters() *cobra.Command {
	var conn connection
	c := asGroup(&cobra.Command{
		Use:   "dead-letters",
		Short: "List, send again or discard what Goldmint refused",
		Long: `Works on the dead-letter queue of the build queue: messages that can never succeed as they are, each with a reason, and
messages whose handling failed again and again (PoisonMessage). A message goes by its sequence number.`,
		Example: `  goldmint dead-letters list
  goldmint dead-letters show 42
  goldmint dead-letters resubmit 42 --set image.location=westeurope
  goldmint dead-letters discard --all --reason InvalidRequest`,
	})
	conn.addFlags(c.PersistentFlags())
	conn.addQueueFlag(c.PersistentFlags())
	c.AddCommand(newDeadLettersList(&conn), newDeadLettersShow(&conn), newDeadLettersResubmit(&conn), newDeadLettersDiscard(&conn))
	return c
}

// choice is which dead letters a command is about.
type choice struct {
	all    bool
	reason string
}

func (o *choice) add(c *cobra.Command) {
	c.Flags().BoolVar(&o.all, "all", false, "all that --reason fits, in place of sequence numbers")
	c.Flags().StringVar(&o.reason, "reason", "*", "only messages whose reason fits this `pattern` (may have * and ?)")
}

// of picks the chosen letters, each of the given numbers or an error.
func (o *choice) of(letters []deadletter.Letter, args []string) ([]deadletter.Letter, error) {
	if o.all == (len(args) > 0) {
		return nil, fmt.Errorf("name sequence numbers (goldmint dead-letters list shows them), or give --all")
	}
	byNumber := map[string]deadletter.Letter{}
	var chosen []deadletter.Letter
	for _, l := range letters {
		byNumber[strconv.FormatInt(l.SequenceNumber, 10)] = l
		if fits, err := path.Match(o.reason, l.Reason); err != nil {
			return nil, fmt.Errorf("--reason %s: %w", o.reason, err)
		} else if fits && o.all {
			chosen = append(chosen, l)
		}
	}
	for _, arg := range args {
		l, ok := byNumber[arg]
		if _, err := strconv.ParseInt(arg, 10, 64); err != nil {
			return nil, fmt.Errorf("%q is no sequence number: goldmint dead-letters list shows them", arg)
		}
		if !ok {
			return nil, fmt.Errorf("there is no dead letter %s: goldmint dead-letters list shows what there is", arg)
		}
		chosen = append(chosen, l)
	}
	return chosen, nil
}

// letters dials and lists. The caller closes the bus.
func (c *connection) letters(cmd *cobra.Command) (*bus, []deadletter.Letter, error) {
	b, err := c.dial()
	if err != nil {
		return nil, nil, err
	}
	all, err := deadletter.New(b.client, b.queue).List(cmd.Context())
	if err != nil {
		b.close(cmd.Context())
		return nil, nil, b.trouble(err, b.queueEntity(), namespace.Listen)
	}
	return b, all, nil
}

func newDeadLettersList(conn *connection) *cobra.Command {
	var output string
	c := &cobra.Command{
		Use:   "list",
		Short: "List what is there and why, without taking it",
		Args:  arguments(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			b, all, err := conn.letters(c)
			if err != nil {
				return err
			}
			defer b.close(c.Context())
			if output == "json" {
				return printJSON(c.OutOrStdout(), all)
			}
			return printList(c.OutOrStdout(), all)
		},
	}
	addOutput(c.Flags(), &output, "a table, or one JSON object a line", "text", "json")
	return c
}

func printJSON(out io.Writer, letters []deadletter.Letter) error {
	encoder := json.NewEncoder(out)
	for _, l := range letters {
		if err := encoder.Encode(l); err != nil {
			return err
		}
	}
	return nil
}

func printList(out io.Writer, letters []deadletter.Letter) error {
	if len(letters) == 0 {
		_, err := fmt.Fprintln(out, "There are no dead letters.")
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "NUMBER\tENQUEUED\tKIND\tBUILD\tREASON\tDESCRIPTION")
	for _, l := range letters {
		description := strings.TrimPrefix(strings.ReplaceAll(l.Description, "\n", " "), l.Reason+": ")
		_, _ = fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\n", l.SequenceNumber, clock(l.EnqueuedAt), l.Kind, l.BuildID, l.Reason, screen.Clip(description, 100))
	}
	return w.Flush()
}

func newDeadLettersShow(conn *connection) *cobra.Command {
	return &cobra.Command{
		Use:   "show NUMBER...",
		Short: "Show messages whole, without taking them",
		Args:  arguments(1, endless),
		RunE: func(c *cobra.Command, args []string) error {
			b, all, err := conn.letters(c)
			if err != nil {
				return err
			}
			defer b.close(c.Context())
			chosen, err := new(choice).of(all, args)
			if err != nil {
				return err
			}
			for _, l := range chosen {
				showLetter(c.OutOrStdout(), l)
			}
			return nil
		},
	}
}

func showLetter(out io.Writer, l deadletter.Letter) {
	_, _ = fmt.Fprintf(out, "number       %d\nmessage id   %s\nkind         %s\nbuild        %s\nenqueued     %s\ndeliveries   %d\nreason       %s\ndescription  %s\n\n",
		l.SequenceNumber, l.MessageID, l.Kind, l.BuildID, clock(l.EnqueuedAt), l.DeliveryCount, l.Reason, strings.ReplaceAll(l.Description, "\n", "\n             "))
	var indented bytes.Buffer
	if json.Indent(&indented, l.Body(), "", "  ") == nil {
		_, _ = fmt.Fprintf(out, "%s\n\n", indented.String())
		return
	}
	_, _ = fmt.Fprintf(out, "%q\n\n", l.Body()) // quoted: it may hold anything
}

func newDeadLettersDiscard(conn *connection) *cobra.Command {
	var o choice
	c := &cobra.Command{
		Use:   "discard NUMBER...|--all",
		Short: "Remove messages for good",
		RunE: func(c *cobra.Command, args []string) error {
			b, all, err := conn.letters(c)
			if err != nil {
				return err
			}
			defer b.close(c.Context())
			chosen, err := o.of(all, args)
			if err != nil {
				return err
			}
			n, err := deadletter.New(b.client, b.queue).Remove(c.Context(), numbers(chosen), func(context.Context, deadletter.Letter) error { return nil })
			_, _ = fmt.Fprintf(c.OutOrStdout(), "Discarded %s.\n", count(n, "message"))
			return err
		},
	}
	o.add(c)
	return c
}

func numbers(letters []deadletter.Letter) []int64 {
	var all []int64
	for _, l := range letters {
		all = append(all, l.SequenceNumber)
	}
	return all
}
