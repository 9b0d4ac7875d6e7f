package functions

import (
	"context"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/google/uuid"
)

// fakeQueue is a queue with ten deliveries and no locks.
type fakeQueue struct {
	ready       chan *azservicebus.ReceivedMessage
	settled     chan settlement
	mu          sync.Mutex
	renewals    []time.Time
	renewErr    error
	completeErr error
}

// settlement is what the host did with one delivery.
type settlement struct {
	verb     string
	id       string
	delivery uint32
}

const maxDeliveries = 10

func newFakeQueue() *fakeQueue {
	return &fakeQueue{ready: make(chan *azservicebus.ReceivedMessage, 100), settled: make(chan settlement, 1000)}
}

func (q *fakeQueue) send(bodies ...string) {
	for _, body := range bodies {
		q.ready <- &azservicebus.ReceivedMessage{
			Body: []byte(body), MessageID: body, DeliveryCount: 1, LockToken: uuid.New(), EnqueuedTime: ptr(time.Now()),
			LockedUntil: ptr(time.Now().Add(time.Minute)),
		}
	}
}

func (q *fakeQueue) ReceiveMessages(ctx context.Context, _ int, _ *azservicebus.ReceiveMessagesOptions) ([]*azservicebus.ReceivedMessage, error) {
	select {
	case msg := <-q.ready:
		return []*azservicebus.ReceivedMessage{msg}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (q *fakeQueue) RenewMessageLock(_ context.Context, msg *azservicebus.ReceivedMessage, _ *azservicebus.RenewMessageLockOptions) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.renewals = append(q.renewals, time.Now())
	msg.LockedUntil = ptr(time.Now().Add(time.Minute))
	return q.renewErr
}

func (q *fakeQueue) CompleteMessage(_ context.Context, msg *azservicebus.ReceivedMessage, _ *azservicebus.CompleteMessageOptions) error {
	q.settled <- settlement{"complete", msg.MessageID, msg.DeliveryCount}
	return q.completeErr
}

func (q *fakeQueue) AbandonMessage(_ context.Context, msg *azservicebus.ReceivedMessage, _ *azservicebus.AbandonMessageOptions) error {
	q.settled <- settlement{"abandon", msg.MessageID, msg.DeliveryCount}
	if msg.DeliveryCount < maxDeliveries {
		again := *msg
		again.DeliveryCount++
		again.LockToken = uuid.New()
		q.ready <- &again
	}
	return nil
}
