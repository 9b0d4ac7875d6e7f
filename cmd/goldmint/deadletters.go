package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"goldmint/cmd/goldmint/internal/deadletter"
	"goldmint/cmd/goldmint/internal/namespace"
	"goldmint/cmd/goldmint/internal/screen"
	"goldmint/cmd/goldmint/internal/secret"

	"github.com/spf13/cobra"
)

func newDeadLetters() *cobra.Command {
	var conn connection
	c := asGroup(&cobra.Command{
		Use:   "dead-letters",
		Short: "List, send again or discard what Goldmint refused",
		Long: `Works on the dead-letter queues of the requests queue and of the builds queue. They hold messages that can never succeed as
they are, each with a reason, and messages whose handling failed again and again (PoisonMessage).

A message is named by its sequence number, or by requests/NUMBER or builds/NUMBER where both queues have that number. A message
that the AMQP client cannot read, such as one with a decimal property, is listed as unreadable. It can be discarded.`,
		Example: `  goldmint dead-letters list
  goldmint dead-letters show 42
  goldmint dead-letters resubmit 42 --set image.location=westeurope
  goldmint dead-letters discard --all --reason InvalidRequest --yes`,
	})
	conn.addFlags(c.PersistentFlags())
	conn.addQueueFlag(c.PersistentFlags())
	conn.addBuildQueueFlag(c.PersistentFlags())
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
	var chosen []deadletter.Letter
	for _, l := range letters {
		if fits, err := path.Match(o.reason, l.Reason); err != nil {
			return nil, fmt.Errorf("--reason %s: %w", o.reason, err)
		} else if fits && o.all {
			chosen = append(chosen, l)
		}
	}
	for _, arg := range args {
		l, err := named(letters, arg)
		if err != nil {
			return nil, err
		}
		chosen = append(chosen, l)
	}
	return chosen, nil
}

var letterForm = regexp.MustCompile(`^(?:(requests|builds)/)?([0-9]{1,19})$`)

// named is the letter with the name NUMBER, or QUEUE/NUMBER where both queues have that number.
func named(letters []deadletter.Letter, arg string) (deadletter.Letter, error) {
	m := letterForm.FindStringSubmatch(arg)
	if m == nil {
		return deadletter.Letter{}, fmt.Errorf("%q is no sequence number: goldmint dead-letters list shows them", secret.Redact(arg))
	}
	var found []deadletter.Letter
	for _, l := range letters {
		if (m[1] == "" || m[1] == l.Queue) && strconv.FormatInt(l.SequenceNumber, 10) == m[2] {
			found = append(found, l)
		}
	}
	switch len(found) {
	case 0:
		return deadletter.Letter{}, fmt.Errorf("there is no dead letter %s: goldmint dead-letters list shows what there is", arg)
	case 1:
		return found[0], nil
	}
	return deadletter.Letter{}, fmt.Errorf("both queues have a dead letter %[1]s: name requests/%[1]s or builds/%[1]s", arg)
}

// letterQueue is one of the queues whose dead letters the commands work on.
type letterQueue struct {
	label, name string
	letters     *deadletter.Queue
}

func (b *bus) letterQueues() []letterQueue {
	var all []letterQueue
	for _, q := range [][2]string{{"requests", b.queue}, {"builds", b.builds}} {
		all = append(all, letterQueue{q[0], q[1], deadletter.New(b.client, q[1])})
	}
	return all
}

// letters dials and lists. The caller closes the bus. A person with access to only one queue sees
// its letters, and a line about the other.
func (c *connection) letters(cmd *cobra.Command) (*bus, []deadletter.Letter, error) {
	b, err := c.dial()
	if err != nil {
		return nil, nil, err
	}
	var all []deadletter.Letter
	var refused []error
	queues := b.letterQueues()
	for _, q := range queues {
		letters, err := q.letters.List(cmd.Context())
		if err != nil {
			err = b.explain(err, namespace.Entity{Queue: q.name}, namespace.Listen)
			var refusal *namespace.Refusal
			if refused = append(refused, err); !errors.As(err, &refusal) || len(refused) == len(queues) {
				b.close(cmd.Context())
				return nil, nil, refused[0]
			}
			_, _ = fmt.Fprintf(cmd.ErrOrStderr(), "%s: no right to read: %s\n", q.label, err)
		}
		for _, l := range letters {
			l.Queue = q.label
			all = append(all, l)
		}
	}
	return b, all, nil
}

// remove takes the letters from their queues, calling first for each.
func (b *bus) remove(ctx context.Context, letters []deadletter.Letter, first func(context.Context, letterQueue, deadletter.Letter) error) (int, error) {
	removed, failed := 0, []error(nil)
	for _, q := range b.letterQueues() {
		var numbers []int64
		for _, l := range letters {
			if l.Queue == q.label {
				numbers = append(numbers, l.SequenceNumber)
			}
		}
		if len(numbers) == 0 {
			continue
		}
		n, err := q.letters.Remove(ctx, numbers, func(ctx context.Context, l deadletter.Letter) error {
			l.Queue = q.label
			return first(ctx, q, l)
		})
		removed, failed = removed+n, append(failed, err)
	}
	return removed, errors.Join(failed...)
}

func newDeadLettersList(conn *connection) *cobra.Command {
	var output string
	c := &cobra.Command{
		Use:   "list",
		Short: "List what is there and why, without taking it",
		Example: `  goldmint dead-letters list
  goldmint dead-letters list --output json | jq -r .reason | sort | uniq -c`,
		Args: arguments(0, 0),
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

// printList prints a table that fits the screen, and how many there are for each reason.
func printList(out io.Writer, letters []deadletter.Letter) error {
	if len(letters) == 0 {
		_, err := fmt.Fprintln(out, "There are no dead letters.")
		return err
	}
	columns := 0
	if t := screen.Of(out, os.Getenv); t != nil {
		columns, _ = t.Size()
	}
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "NUMBER\tFROM\tAGE\tKIND\tBUILD\tREASON\tDESCRIPTION")
	reasons := map[string]int{}
	for _, l := range letters {
		reasons[l.Reason]++
		description := strings.TrimPrefix(screen.Line(l.Description), l.Reason+": ")
		_, _ = fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\t%s\n", l.SequenceNumber, l.Queue, ageOf(l), l.Kind, l.BuildID, screen.Line(l.Reason), screen.Clip(description, 100))
	}
	_ = w.Flush() // to a builder
	for line := range strings.Lines(table.String()) {
		if columns > 0 {
			line = screen.Clip(strings.TrimRight(line, "\n"), columns) + "\n"
		}
		if _, err := io.WriteString(out, line); err != nil {
			return err
		}
	}
	var sums []string
	for _, reason := range slices.Sorted(maps.Keys(reasons)) {
		sums = append(sums, fmt.Sprintf("%d %s", reasons[reason], cmp.Or(screen.Line(reason), "without a reason")))
	}
	_, err := fmt.Fprintf(out, "%s: %s\n", count(len(letters), "dead letter"), strings.Join(sums, ", "))
	return err
}

// ageOf is how long ago the letter was sent, as far as that is known.
func ageOf(l deadletter.Letter) string {
	if l.EnqueuedAt.IsZero() {
		return "?"
	}
	return age(time.Since(l.EnqueuedAt))
}

// age is a duration as people say it, in its largest unit.
func age(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(max(d, 0).Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}

func newDeadLettersShow(conn *connection) *cobra.Command {
	var output string
	c := &cobra.Command{
		Use:   "show NUMBER...",
		Short: "Show messages whole, without taking them",
		Example: `  goldmint dead-letters show 42
  goldmint dead-letters show 42 --output json | jq .body > request.json`,
		Args: arguments(1, endless),
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
				if output == "json" {
					err = errors.Join(err, writeLetter(c.OutOrStdout(), l))
				} else {
					showLetter(c.OutOrStdout(), l)
				}
			}
			return err
		},
	}
	addOutput(c.Flags(), &output, "in words, or one JSON object a line, with the body", "text", "json")
	return c
}

// writeLetter writes a letter with its body as a line of JSON. A body that is not JSON becomes a
// string.
func writeLetter(out io.Writer, l deadletter.Letter) error {
	body := json.RawMessage(l.Body())
	if !json.Valid(body) {
		quoted, err := json.Marshal(string(l.Body()))
		if err != nil {
			return err
		}
		body = quoted
	}
	return json.NewEncoder(out).Encode(struct {
		deadletter.Letter
		Body json.RawMessage `json:"body"`
	}{l, body})
}

func showLetter(out io.Writer, l deadletter.Letter) {
	_, _ = fmt.Fprintf(out, "number       %d\nfrom         %s\nmessage id   %s\nkind         %s\nbuild        %s\nenqueued     %s\ndeliveries   %d\nreason       %s\ndescription  %s\n\n",
		l.SequenceNumber, l.Queue, l.MessageID, l.Kind, l.BuildID, clock(l.EnqueuedAt), l.DeliveryCount, l.Reason, strings.ReplaceAll(l.Description, "\n", "\n             "))
	if l.Kind == deadletter.Unreadable {
		return
	}
	var indented bytes.Buffer
	if json.Indent(&indented, l.Body(), "", "  ") == nil {
		_, _ = fmt.Fprintf(out, "%s\n\n", indented.String())
		return
	}
	_, _ = fmt.Fprintf(out, "%q\n\n", l.Body()) // quoted: it may hold anything
}
