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

// List returns all dead letters in the order of their sequence numbers. It takes none out of the
// queue: they are peeked. One that cannot be decoded is listed as [Unreadable]; of several in a row
// the last one is.
func (q *Queue) List(ctx context.Context) ([]Letter, error) {
	r, err := q.receiver()
	if err != nil {
		return nil, err
	}
	defer closing(ctx, r)
	return list(ctx, peeker(func(ctx context.Context, from int64, n int) ([]*azservicebus.ReceivedMessage, error) {
		return r.PeekMessages(ctx, n, &azservicebus.PeekMessagesOptions{FromSequenceNumber: &from})
	}))
}

// Remove takes the letters with the given sequence numbers, calls first for each and, where that
// succeeds, removes it. Letters that came with them are put back. The error names each that was not
// removed; removed counts the others.
func (q *Queue) Remove(ctx context.Context, numbers []int64, first func(context.Context, Letter) error) (removed int, err error) {
	ahead, err := q.ahead(ctx, numbers)
	if err != nil {
		return 0, err
	}
	r, err := q.receiver()
	if err != nil {
		return 0, err
	}
	t := taking{queue: q, receiver: r, wanted: map[int64]bool{}, first: first}
	for _, n := range numbers {
		t.wanted[n] = true
	}
	if err := t.all(ctx, ahead); err != nil {
		t.failed = append(t.failed, err)
	}
	closing(ctx, r)
	q.putBack(ctx, t.others)
	for n := range t.wanted {
		t.failed = append(t.failed, fmt.Errorf("message %d is not in the dead-letter queue, or somebody else has locked it", n))
	}
	return t.removed, errors.Join(t.failed...)
}

// ahead are the letters up to the last wanted one. Letters come in order, so no more than these
// have to be received: a receiver that asks for more than there is locks, unseen, what it puts
// back.
func (q *Queue) ahead(ctx context.Context, numbers []int64) ([]Letter, error) {
	all, err := q.List(ctx)
	if err != nil || len(numbers) == 0 {
		return nil, err
	}
	last := slices.Max(numbers)
	return slices.DeleteFunc(all, func(l Letter) bool { return l.SequenceNumber > last }), nil
}

// putBack unlocks the locked letters, over a link that receives nothing, because the receiving link
// might get them again. A letter that it cannot unlock is free when its lock expires.
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
