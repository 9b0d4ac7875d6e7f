package deadletter

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
)

// Queue is the dead-letter queue of a queue.
type Queue struct {
	client *azservicebus.Client
	name   string
}

// New makes a Queue of the named queue's dead letters.
func New(client *azservicebus.Client, queue string) *Queue {
	return &Queue{client: client, name: queue}
}

const (
	batch     = 100             // messages a call
	quiet     = 3 * time.Second // without a message: there are no more
	lastWords = 10 * time.Second
)

func (q *Queue) receiver() (*azservicebus.Receiver, error) {
	return q.client.NewReceiverForQueue(q.name, &azservicebus.ReceiverOptions{SubQueue: azservicebus.SubQueueDeadLetter})
}

// List gives all dead letters in the order of their sequence numbers. It takes none: they are peeked.
func (q *Queue) List(ctx context.Context) ([]Letter, error) {
	r, err := q.receiver()
	if err != nil {
		return nil, err
	}
	defer closing(ctx, r)
	return peek(ctx, r)
}

// peek looks at every message.
func peek(ctx context.Context, r *azservicebus.Receiver) ([]Letter, error) {
	var all []Letter
	for from := int64(0); ; {
		messages, err := r.PeekMessages(ctx, batch, &azservicebus.PeekMessagesOptions{FromSequenceNumber: &from})
		if err != nil {
			return nil, fmt.Errorf("peek the messages: %w", err)
		}
		if len(messages) == 0 {
			return all, nil
		}
		for _, m := range messages {
			l := newLetter(m)
			all = append(all, l)
			from = max(from, l.SequenceNumber+1)
		}
	}
}

// Remove takes the letters with the given sequence numbers, calls first for each and, where that succeeds, removes it.
// Letters that came with them are put back. The error tells of each that was not removed; removed counts the others.
func (q *Queue) Remove(ctx context.Context, numbers []int64, first func(context.Context, Letter) error) (removed int, err error) {
	ahead, err := q.ahead(ctx, numbers)
	if err != nil {
		return 0, err
	}
	r, err := q.receiver()
	if err != nil {
		return 0, err
	}
	t := taking{receiver: r, ahead: ahead, wanted: map[int64]bool{}, first: first}
	for _, n := range numbers {
		t.wanted[n] = true
	}
	for more := true; more && len(t.wanted) > 0; {
		if more, err = t.round(ctx); err != nil {
			t.failed = append(t.failed, err)
		}
	}
	closing(ctx, r)
	q.putBack(ctx, t.others)
	for n := range t.wanted {
		t.failed = append(t.failed, fmt.Errorf("message %d is not in the dead-letter queue, or somebody else has locked it", n))
	}
	return t.removed, errors.Join(t.failed...)
}

// ahead counts the letters up to the last wanted one. Letters come in order, so no more than these have to be received: a
// receiver that asks for more than there is locks, unseen, what it puts back.
func (q *Queue) ahead(ctx context.Context, numbers []int64) (int, error) {
	all, err := q.List(ctx)
	if err != nil || len(numbers) == 0 {
		return 0, err
	}
	n, last := 0, slices.Max(numbers)
	for _, l := range all {
		if l.SequenceNumber <= last {
			n++
		}
	}
	return n, nil
}

// taking is one Remove.
type taking struct {
	receiver *azservicebus.Receiver
	ahead    int            // letters that are still to come
	wanted   map[int64]bool // not found yet
	others   []*azservicebus.ReceivedMessage
	first    func(context.Context, Letter) error
	removed  int
	failed   []error
}

// round deals with a batch. There are no more when nothing comes.
func (t *taking) round(ctx context.Context) (more bool, err error) {
	if t.ahead <= 0 {
		return false, nil
	}
	receiving, cancel := context.WithTimeout(ctx, quiet)
	defer cancel()
	messages, err := t.receiver.ReceiveMessages(receiving, min(batch, t.ahead), nil)
	if err != nil && (receiving.Err() == nil || ctx.Err() != nil) {
		return false, fmt.Errorf("receive the dead letters: %w", err)
	}
	t.ahead -= len(messages)
	for _, m := range messages {
		l := newLetter(m)
		if !t.wanted[l.SequenceNumber] {
			t.others = append(t.others, m)
			continue
		}
		delete(t.wanted, l.SequenceNumber)
		if err := t.remove(ctx, l); err != nil {
			t.others = append(t.others, m)
			t.failed = append(t.failed, fmt.Errorf("message %d: %w", l.SequenceNumber, err))
		}
	}
	return len(messages) > 0, nil
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

// putBack frees what was locked, over a link that receives nothing: the one that did might be given it again. What it
// cannot free is free when its lock expires.
func (q *Queue) putBack(ctx context.Context, messages []*azservicebus.ReceivedMessage) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWords)
	defer cancel()
	r, err := q.receiver()
	if err != nil {
		return
	}
	defer closing(ctx, r)
	for _, m := range messages {
		if r.AbandonMessage(ctx, &azservicebus.ReceivedMessage{LockToken: m.LockToken}, nil) != nil {
			return
		}
	}
}

func closing(ctx context.Context, r *azservicebus.Receiver) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_ = r.Close(ctx)
}
