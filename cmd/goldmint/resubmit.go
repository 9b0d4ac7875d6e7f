package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"goldmint/cmd/goldmint/internal/deadletter"
	"goldmint/cmd/goldmint/internal/namespace"
	"goldmint/cmd/goldmint/internal/requestfile"
	"goldmint/internal/request"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/spf13/cobra"
)

type resubmitOptions struct {
	choice
	requestFlags
	file string
}

func newDeadLettersResubmit(conn *connection) *cobra.Command {
	var o resubmitOptions
	c := &cobra.Command{
		Use:   "resubmit NUMBER...|--all",
		Short: "Send messages again, after a fix",
		Long: `Sends messages again to the queue they came from, and removes them from the dead-letter queue. Each keeps its build id and gets
a new MessageId, because duplicate detection would drop the old one. It prints NUMBER  BUILD-ID/DIGEST for each: "goldmint wait
BUILD-ID/DIGEST" waits for exactly this request.

A request is checked first. One that would be refused again stays where it is, unless --set or --file corrects it.

A message that a flag changes goes to the requests queue. A message of the function's own goes back to the builds queue, where
only the function and operators may send. It begins a new run of the build, and the end of that run is published too.`,
		Example: `  goldmint dead-letters resubmit 42
  goldmint dead-letters resubmit 42 --file corrected.yaml
  goldmint dead-letters resubmit --all --reason SubscriptionNotAllowed`,
		RunE: func(c *cobra.Command, args []string) error { return resubmit(c, conn, &o, args) },
	}
	o.add(c)
	o.addSet(c)
	c.Flags().StringVar(&o.file, "file", "", "a `file` with a request, YAML or JSON, to send in place of the message's")
	c.Flags().StringVar(&o.id, "id", "", "send it as another build, under this id")
	return c
}

func resubmit(c *cobra.Command, conn *connection, o *resubmitOptions, args []string) error {
	b, all, err := conn.letters(c)
	if err != nil {
		return err
	}
	defer b.close(c.Context())
	chosen, err := o.of(all, args)
	if err != nil {
		return err
	}
	if (o.file != "" || o.id != "") && len(chosen) != 1 {
		return fmt.Errorf("--file and --id are for one message, not for %d", len(chosen))
	}
	ready, wrong := map[letterName]again{}, []error{}
	var good []deadletter.Letter
	for _, l := range chosen {
		a, err := o.again(l)
		var invalid *requestfile.Invalid
		switch {
		case errors.As(err, &invalid):
			show(c.ErrOrStderr(), invalid)
			wrong = append(wrong, fmt.Errorf("message %d would be refused again: correct it with --set or --file", l.SequenceNumber))
		case err != nil:
			wrong = append(wrong, err)
		default:
			ready[nameOf(l)] = a
			good = append(good, l)
		}
	}
	n, err := b.remove(c.Context(), good, func(ctx context.Context, q letterQueue, l deadletter.Letter) error {
		a := ready[nameOf(l)]
		if err := b.sendTo(ctx, a.queue(b, q), a.message); err != nil {
			return withOperator(err, q)
		}
		_, _ = fmt.Fprintf(c.OutOrStdout(), "%d  %s\n", l.SequenceNumber, a.name)
		return nil
	})
	_, _ = fmt.Fprintf(c.ErrOrStderr(), "Sent %s again.\n", outOf(n, len(chosen)))
	return errors.Join(append(wrong, err)...)
}

// letterName distinguishes the letters of both queues.
type letterName struct {
	queue  string
	number int64
}

func nameOf(l deadletter.Letter) letterName { return letterName{l.Queue, l.SequenceNumber} }

// withOperator adds to the error that only the function and operators may send to the queue of
// builds.
func withOperator(err error, q letterQueue) error {
	var refused *exitError
	var refusal *namespace.Refusal
	if q.label != "builds" || !errors.As(err, &refused) || !errors.As(err, &refusal) {
		return err
	}
	return &exitError{error: err, status: refused.status, hint: "only the function and operators may send to " + q.name + ": operator_principal_ids of infra/ names them"}
}

// again is a message to send once more, and what "goldmint wait" knows it by.
type again struct {
	message *azservicebus.Message
	name    string
	request bool // it is a request, so it goes to the queue of requests
}

// queue is where the message goes.
func (a again) queue(b *bus, from letterQueue) string {
	if a.request {
		return b.queue
	}
	return from.name
}

// again is the message as it was, or the corrected request under the same build id.
func (o *resubmitOptions) again(l deadletter.Letter) (again, error) {
	if l.Kind != deadletter.Request && o.file == "" && o.id == "" && len(o.settings) == 0 {
		a := again{message: l.Again(), name: l.MessageID}
		if digest := l.Digest(); digest != "" {
			a.name = request.Key(l.BuildID, digest)
		}
		return a, nil
	}
	settings, err := o.parse()
	if err != nil {
		return again{}, err
	}
	name := fmt.Sprintf("message-%d.json", l.SequenceNumber)
	var text []byte
	if o.file != "" {
		name = o.file
		text, err = os.ReadFile(o.file)
	} else {
		text, err = l.Request()
	}
	if err != nil {
		return again{}, err
	}
	r, err := requestfile.Read(name, text, settings)
	if err != nil {
		return again{}, err
	}
	switch {
	case o.id != "":
		r.ID = o.id
	case l.BuildID != "":
		r.ID = l.BuildID
	}
	if r.ID == "" {
		return again{}, fmt.Errorf("message %d has no build id: give one with --id", l.SequenceNumber)
	}
	return again{l.AgainAs(r), request.Key(r.ID, r.Digest()), true}, nil
}
