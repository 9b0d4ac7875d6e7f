package azure

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"

	"goldmint/internal/event"
	"goldmint/internal/worker"
)

// Bus is the build queue and the event topic of one Service Bus namespace.
type Bus struct {
	client  *azservicebus.Client
	queue   *azservicebus.Sender
	topic   *azservicebus.Sender
	settler *azservicebus.Receiver // receives nothing: it settles by lock token what the host has received
}

// busRetry is quick: an invocation has a minute, and after a cut the defaults take a third of it.
var busRetry = azservicebus.RetryOptions{MaxRetries: 4, RetryDelay: 100 * time.Millisecond, MaxRetryDelay: 2 * time.Second}

// NewBus opens the queue and the topic. Nothing is sent before the first message.
func NewBus(client *azservicebus.Client, queue, topic string) (*Bus, error) {
	b := &Bus{client: client}
	var err error
	if b.queue, err = client.NewSender(queue, nil); err != nil {
		return nil, fmt.Errorf("queue %q: %w", queue, err)
	}
	if b.topic, err = client.NewSender(topic, nil); err != nil {
		return nil, fmt.Errorf("topic %q: %w", topic, err)
	}
	if b.settler, err = client.NewReceiverForQueue(queue, nil); err != nil {
		return nil, fmt.Errorf("queue %q: %w", queue, err)
	}
	return b, nil
}

// Publish sends the event to the topic. Its id is the MessageId, so that a repeated one is dropped.
func (b *Bus) Publish(ctx context.Context, e event.Event) error {
	body, err := e.MarshalJSON()
	if err != nil {
		return fmt.Errorf("encode event %s: %w", e.ID, err)
	}
	return twice(ctx, func(ctx context.Context) error {
		return b.topic.SendMessage(ctx, &azservicebus.Message{
			Body: body, ContentType: to.Ptr(event.ContentType), MessageID: &e.ID, Subject: to.Ptr(e.Type),
			SessionID: &e.Data.BuildID, CorrelationID: &e.Data.BuildID, ApplicationProperties: e.Properties(),
		}, nil)
	})
}

// Enqueue sends a message to the build queue, to be delivered not before m.At.
func (b *Bus) Enqueue(ctx context.Context, m worker.Outgoing) error {
	message := &azservicebus.Message{
		Body: m.Body, ContentType: &m.ContentType, MessageID: &m.ID, Subject: &m.Subject, CorrelationID: &m.CorrelationID,
	}
	if !m.At.IsZero() {
		message.ScheduledEnqueueTime = to.Ptr(m.At.UTC())
	}
	return twice(ctx, func(ctx context.Context) error { return b.queue.SendMessage(ctx, message, nil) })
}

// DeadLetter moves a message that the host has received to the dead-letter queue, by its lock token (a GUID).
func (b *Bus) DeadLetter(ctx context.Context, lockToken, reason, description string) error {
	token, err := parseLockToken(lockToken)
	if err != nil {
		return err
	}
	options := &azservicebus.DeadLetterOptions{
		Reason: to.Ptr(event.Cut(reason, event.MaxDeadLetter)), ErrorDescription: to.Ptr(event.Cut(description, event.MaxDeadLetter)),
	}
	return twice(ctx, func(ctx context.Context) error {
		// A message of its lock token alone is settled over the management link, whatever became of the host's own link.
		return b.settler.DeadLetterMessage(ctx, &azservicebus.ReceivedMessage{LockToken: token}, options)
	})
}

// Close ends the connection.
func (b *Bus) Close(ctx context.Context) error { return b.client.Close(ctx) }

// twice gives a call ten seconds, then once more: after a cut connection the client can hang on the first.
func twice(ctx context.Context, call func(context.Context) error) error {
	const patience = 10 * time.Second
	try := func() error {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		return call(ctx)
	}
	err := try()
	var refused *azservicebus.Error
	if err == nil || errors.As(err, &refused) && refused.Code == azservicebus.CodeLockLost || ctx.Err() != nil {
		return err
	}
	return try()
}

func parseLockToken(s string) ([16]byte, error) {
	var token [16]byte
	n, err := hex.Decode(token[:], []byte(strings.ReplaceAll(s, "-", "")))
	if err != nil || n != len(token) {
		return token, fmt.Errorf("lock token %q is not a GUID", s)
	}
	return token, nil
}
