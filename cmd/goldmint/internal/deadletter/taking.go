package deadletter

import (
	"context"
	"errors"
	"fmt"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
)

// taking is one Remove. It receives every letter up to the last wanted one, in order.
type taking struct {
	queue    *Queue
	receiver *azservicebus.Receiver
	wanted   map[int64]bool // not found yet
	others   []*azservicebus.ReceivedMessage
	first    func(context.Context, Letter) error
	removed  int
	failed   []error
}

// all goes through the letters until the last wanted one.
func (t *taking) all(ctx context.Context, ahead []Letter) error {
	for len(ahead) > 0 && len(t.wanted) > 0 {
		n := 0
		for n < len(ahead) && ahead[n].Kind != Unreadable {
			n++
		}
		short, err := t.readable(ctx, n)
		if err != nil || n == len(ahead) {
			return err
		}
		if err := t.unreadable(ctx, ahead[n], short); err != nil {
			return err
		}
		ahead = ahead[n+1:]
	}
	return nil
}

// readable handles the next n letters, and says how many of them did not come.
func (t *taking) readable(ctx context.Context, n int) (short int, err error) {
	for n > 0 && len(t.wanted) > 0 {
		messages, err := receive(ctx, t.receiver, min(batch, n))
		if errors.Is(err, errNothing) || err == nil && len(messages) == 0 {
			return n, nil
		}
		if err != nil {
			return n, err
		}
		n -= len(messages)
		for _, m := range messages {
			t.take(ctx, m)
		}
	}
	return n, nil
}

func (t *taking) take(ctx context.Context, m *azservicebus.ReceivedMessage) {
	l := newLetter(m)
	if !t.wanted[l.SequenceNumber] {
		t.others = append(t.others, m)
		return
	}
	delete(t.wanted, l.SequenceNumber)
	if err := t.remove(ctx, l); err != nil {
		t.others = append(t.others, m)
		t.failed = append(t.failed, fmt.Errorf("message %d: %w", l.SequenceNumber, err))
	}
}

func (t *taking) remove(ctx context.Context, l Letter) error {
	if err := t.first(ctx, l); err != nil {
		return err
	}
	if err := t.receiver.CompleteMessage(ctx, l.message, nil); err != nil {
		return fmt.Errorf("remove it from the dead-letter queue: %w", err)
	}
	t.removed++
	return nil
}

// unreadable handles a letter that cannot be decoded, the next one to come. It can be removed alone
// by a receiver whose messages are gone as they are sent: so nothing may come in its place, and
// every letter before it must be locked here. One that is not wanted ends the taking: received, it
// would be locked for minutes without a name to free it by.
func (t *taking) unreadable(ctx context.Context, l Letter, short int) error {
	if !t.wanted[l.SequenceNumber] {
		clear(t.wanted)
		return fmt.Errorf("message %d, which cannot be read, stands before others: discard it first", l.SequenceNumber)
	}
	delete(t.wanted, l.SequenceNumber)
	if short > 0 {
		return fmt.Errorf("message %d: somebody else has locked a message before it: try again in some minutes", l.SequenceNumber)
	}
	if err := t.first(ctx, l); err != nil {
		return fmt.Errorf("message %d: %w", l.SequenceNumber, err)
	}
	r, err := t.queue.client.NewReceiverForQueue(t.queue.name, &azservicebus.ReceiverOptions{SubQueue: azservicebus.SubQueueDeadLetter, ReceiveMode: azservicebus.ReceiveModeReceiveAndDelete})
	if err != nil {
		return err
	}
	defer closing(ctx, r)
	messages, err := receive(ctx, r, 1)
	if err != nil {
		return fmt.Errorf("message %d: %w", l.SequenceNumber, err)
	}
	for _, m := range messages {
		return fmt.Errorf("message %d was removed in the place of %d: %q", newLetter(m).SequenceNumber, l.SequenceNumber, bodyOf(m))
	}
	t.removed++
	return nil
}

// errNothing says that no message came.
var errNothing = errors.New("no message came")

// receive returns no message and no error when one came that cannot be decoded.
func receive(ctx context.Context, r *azservicebus.Receiver, n int) ([]*azservicebus.ReceivedMessage, error) {
	receiving, cancel := context.WithTimeout(ctx, quiet)
	defer cancel()
	messages, err := r.ReceiveMessages(receiving, n, nil)
	switch {
	case err == nil:
		return messages, nil
	case receiving.Err() != nil && ctx.Err() == nil:
		return nil, errNothing
	}
	return nil, fmt.Errorf("receive the dead letters: %w", err)
}
