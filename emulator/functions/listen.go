package functions

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/google/uuid"
)

const (
	receivePause = time.Second      // after a receive that failed
	settleLimit  = 10 * time.Second // for one settlement
)

// listen receives the messages of one function's queue, each when a call is free, so that a waiting
// message is not locked.
func (h *Host) listen(life, receiving context.Context, fn function, q queue) {
	if _, err := h.workers.ready(life); err != nil {
		return
	}
	calls := make(chan struct{}, h.app.calls)
	for {
		select {
		case calls <- struct{}{}:
		case <-receiving.Done():
			return
		}
		msg, err := receive(receiving, q)
		if err != nil {
			<-calls
			if !h.pauseAfter(receiving, fn, err) {
				return
			}
			continue
		}
		h.inflight.Go(func() {
			defer func() { <-calls }()
			h.handle(life, fn, q, msg)
		})
	}
}

// receive waits for one message. One at a time is how the host does it, and the Go client abandons
// messages that arrive after the call that asked for them has ended.
func receive(ctx context.Context, q queue) (*azservicebus.ReceivedMessage, error) {
	for {
		messages, err := q.ReceiveMessages(ctx, 1, nil)
		if len(messages) > 0 {
			return messages[0], nil
		}
		if err != nil {
			return nil, err
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
}

// pauseAfter reports whether to receive again after an error.
func (h *Host) pauseAfter(receiving context.Context, fn function, err error) bool {
	if receiving.Err() != nil {
		return false
	}
	h.log(fmt.Sprintf("error: receive from queue %q: %v", fn.queue, err))
	select {
	case <-time.After(receivePause):
		return true
	case <-receiving.Done():
		return false
	}
}

// handle invokes the function for one message and settles it by the outcome.
func (h *Host) handle(life context.Context, fn function, q queue, msg *azservicebus.ReceivedMessage) {
	renewing, stopRenewing := context.WithCancel(life)
	renewed := make(chan struct{})
	go func() {
		defer close(renewed)
		h.renew(renewing, q, msg)
	}()
	id, began := uuid.NewString(), time.Now()
	h.log(fmt.Sprintf("executing 'Functions.%s' (message %s, delivery %d, id %s)", fn.function, messageID(msg), deliveries(msg), id))
	err := h.call(life, fn, id, msg)
	stopRenewing()
	<-renewed
	h.log(fmt.Sprintf("executed 'Functions.%s' (%s, id %s, %d ms)", fn.function, h.counts.add(err), id, time.Since(began).Milliseconds()))
	if err != nil {
		h.log(fmt.Sprintf("error: invocation %s: %v", id, err))
	}
	h.settle(life, q, msg, err)
}

// call waits for a handler that is ready and invokes it.
func (h *Host) call(ctx context.Context, fn function, id string, msg *azservicebus.ReceivedMessage) error {
	if raw := msg.RawAMQPMessage; raw != nil && (raw.Body.Value != nil || raw.Body.Sequence != nil) {
		return errors.New("the message's body is an AMQP value or sequence, which the host cannot bind")
	}
	p, err := h.workers.ready(ctx)
	if err != nil {
		return err
	}
	return h.invoke(ctx, p, fn, id, fn.encode(msg, stamp{now: time.Now(), rand: uuid.NewString()}))
}

// settle completes or abandons. A host that is dying does neither: the message
// stays locked until its lock ends.
func (h *Host) settle(life context.Context, q queue, msg *azservicebus.ReceivedMessage, outcome error) {
	if life.Err() != nil || h.workers.over() {
		return
	}
	ctx, cancel := context.WithTimeout(life, settleLimit)
	defer cancel()
	verb, err := "complete", error(nil)
	if outcome == nil {
		err = q.CompleteMessage(ctx, msg, nil)
	} else {
		verb, err = "abandon", q.AbandonMessage(ctx, msg, nil)
	}
	if err != nil {
		h.log(fmt.Sprintf("error: %s message %s: %v", verb, messageID(msg), err))
	}
}

// renew keeps the message's lock for as long as host.json says.
func (h *Host) renew(ctx context.Context, q queue, msg *azservicebus.ReceivedMessage) {
	if msg.LockedUntil == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, h.app.renewal)
	defer cancel()
	for {
		select {
		case <-time.After(renewalDelay(time.Until(*msg.LockedUntil))):
		case <-ctx.Done():
			return
		}
		err := q.RenewMessageLock(ctx, msg, nil)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			h.log(fmt.Sprintf("error: renew the lock of message %s: %v", messageID(msg), err))
			return
		}
	}
}

// renewalDelay is when the .NET processor renews a lock that has the given time
// left: ten seconds before its end, or half way if that is later.
func renewalDelay(left time.Duration) time.Duration {
	if left < 400*time.Millisecond {
		return 0
	}
	return left - min(left/2, 10*time.Second)
}
