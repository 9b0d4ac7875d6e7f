package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"goldmint/cmd/goldmint/internal/deadletter"
	"goldmint/internal/request"
	"goldmint/internal/requestfile"

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
		Long: `Sends messages to the build queue again, under the same build id and a new MessageId (duplicate detection would drop the
old one), and removes them from the dead-letter queue. A request is checked first: one that would be refused again stays
where it is, unless --set or --file corrects it. Each is printed as NUMBER  BUILD-ID/DIGEST, by which "goldmint wait" waits
for this very request.

A build that ended as PoisonMessage has published its end. Its second run does the work but cannot end anew for whoever
listens: duplicate detection drops an event with the same id for 7 days. With --id it becomes a build of its own.`,
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
	ready, wrong := map[int64]again{}, []error{}
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
			ready[l.SequenceNumber] = a
			good = append(good, l)
		}
	}
	n, err := 0, error(nil)
	if len(good) > 0 {
		n, err = deadletter.New(b.client, b.queue).Remove(c.Context(), numbers(good), func(ctx context.Context, l deadletter.Letter) error {
			a := ready[l.SequenceNumber]
			if err := b.send(ctx, a.message); err != nil {
				return err
			}
			_, _ = fmt.Fprintf(c.OutOrStdout(), "%d  %s\n", l.SequenceNumber, a.name)
			return nil
		})
	}
	_, _ = fmt.Fprintf(c.ErrOrStderr(), "Sent %s again.\n", count(n, "message"))
	return errors.Join(append(wrong, err)...)
}

// again is a message to send once more, and what "goldmint wait" knows it by.
type again struct {
	message *azservicebus.Message
	name    string
}

// again is the message as it was, or the corrected request under the same build id.
func (o *resubmitOptions) again(l deadletter.Letter) (again, error) {
	if l.Kind != deadletter.Request && o.file == "" && o.id == "" && len(o.settings) == 0 {
		a := again{l.Again(), l.MessageID}
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
	return again{l.AgainAs(r), request.Key(r.ID, r.Digest())}, nil
}
