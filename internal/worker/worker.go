// Package worker handles one message: decode it, let the build decide, act, publish, and say what becomes of the message.
//
// [Worker.TakeRequest] and [Worker.BuildImage] are the two functions of the Functions app. The first checks what anybody may
// send and hands it on; the second does all work at Azure Resource Manager.
package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"goldmint/internal/build"
	"goldmint/internal/event"
	"goldmint/internal/message"
	"goldmint/internal/ratelimit"
	"goldmint/internal/vmevent"
)

// Bus is Service Bus as the worker needs it. Each call is safe to repeat: duplicate detection drops a repeated MessageId.
type Bus interface {
	// Publish sends the event to the topic.
	Publish(ctx context.Context, e event.Event) error
	// Enqueue sends a message to the builds queue.
	Enqueue(ctx context.Context, m message.Outgoing) error
	// DeadLetter moves the locked message of the queue to its dead-letter queue. reason and description are cut to what
	// Service Bus takes.
	DeadLetter(ctx context.Context, q message.Queue, lockToken, reason, description string) error
}

// ARM is Azure Resource Manager as the worker needs it. An error is a *armerr.Error, or wraps one.
type ARM interface {
	Image(ctx context.Context, id string) (build.Image, error)
	Create(ctx context.Context, b build.Build) (build.Accepted, error)
	Operation(ctx context.Context, b build.Build) (build.Operation, error)
	Delete(ctx context.Context, id string) error
}

// Worker handles messages. It holds no state between them; all fields are set once.
type Worker struct {
	Bus      Bus
	ARM      ARM
	Policy   build.Policy
	Rules    Rules
	VMs      VMs                // for VM events
	VMPolicy vmevent.Policy     // for VM events
	Limits   *ratelimit.Limiter // of creations; nil to try at once
	Now      func() time.Time
	Log      *zap.Logger

	// Probe decodes a message that came back too often in a process of its own. [ErrKilled] says that the message killed it.
	Probe func(context.Context, message.Received) error
}

// Rules are the handler's own, beyond the schema's.
type Rules struct {
	DefaultSubscription   string
	AllowedSubscriptions  []string // all where empty
	AllowedResourceGroups []string // all where empty
	EventSource           string
	PoisonDelivery        int // delivery count from which a message is poison
}

// TakeRequest handles one message of the requests queue: it checks what anybody may send, and rejects it, ignores it or hands
// it to the builds queue. It asks ARM nothing. Nil means that the message is dealt with and may be completed; an error
// that the bus is in trouble, or that nobody foresaw this, and the message has to come again.
func (w *Worker) TakeRequest(ctx context.Context, m message.Received) error {
	return w.settle(ctx, message.Requests, m, (*Worker).take)
}

// BuildImage handles one message of the builds queue, to which the function alone may send. Its error is as that of
// [Worker.TakeRequest].
func (w *Worker) BuildImage(ctx context.Context, m message.Received) error {
	return w.settle(ctx, message.Builds, m, (*Worker).carryOn)
}

// Settlement is what becomes of a handled message. The zero value completes it, which is the host's part.
type Settlement struct {
	Reason      string // PascalCase, of the dead-letter queue; empty to complete the message
	Description string // for a person
}

// settle handles a message and does with it what the handling says.
func (w *Worker) settle(ctx context.Context, q message.Queue, m message.Received, handle func(*Worker, context.Context, message.Received, *zap.Logger) (Settlement, error)) error {
	log := w.Log.With(zap.String("queue", string(q)), zap.String("invocationId", m.InvocationID), zap.String("messageId", event.Clean(m.ID, maxMessageID)),
		zap.Int64("sequenceNumber", m.SequenceNumber), zap.Int("deliveryCount", m.DeliveryCount))
	s, err := handle(w.inTime(m), ctx, m, log)
	if err != nil || s.Reason == "" {
		return err
	}
	if err := w.Bus.DeadLetter(ctx, q, m.LockToken, s.Reason, event.Clean(s.Description, event.MaxDeadLetter)); err != nil {
		return fmt.Errorf("dead-letter the message: %w", err)
	}
	log.Warn(logDeadLettered, zap.String("reason", s.Reason))
	return nil
}

// publish sends an event to the topic, as this Goldmint's.
func (w *Worker) publish(ctx context.Context, e event.Event) error {
	e.Source = w.Rules.EventSource
	return w.Bus.Publish(ctx, e)
}

// maxMessageID is what Service Bus allows.
const maxMessageID = 128

// inTime is w with a clock that is not behind the message: Service Bus had it before. A build timed by a clock that is
// behind comes back at once, again and again.
func (w *Worker) inTime(m message.Received) *Worker {
	behind := m.EnqueuedAt.Sub(w.Now())
	if behind <= 0 {
		return w
	}
	ahead := *w
	ahead.Now = func() time.Time { return w.Now().Add(behind) }
	return &ahead
}

// RetryPause is how long to wait before an error is answered, by the delivery count of the message. The host abandons at
// once and Service Bus delivers again within milliseconds, but a cut connection takes seconds to heal and a role that was
// just assigned takes minutes: a hundred deliveries then last for more than three hours.
func RetryPause(delivery int) time.Duration {
	switch {
	case delivery <= 1:
		return time.Second
	case delivery == 2:
		return time.Minute
	}
	return 2 * time.Minute
}

// ErrKilled is that a process died of decoding a message.
var ErrKilled = errors.New("a process that read the message died")
