// Package worker handles one message: decode it, let the build decide, act, publish and settle.
package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"goldmint/internal/armerr"
	"goldmint/internal/build"
	"goldmint/internal/event"
	"goldmint/internal/pace"
	"goldmint/internal/vmevent"
)

// Message is what Service Bus delivered.
type Message struct {
	Body           []byte
	ID             string
	LockToken      string
	SequenceNumber int64
	EnqueuedAt     time.Time
	DeliveryCount  int    // 1 at the first delivery
	InvocationID   string // of the Functions host, for the log
}

// Outgoing is a message for the build queue.
type Outgoing struct {
	ID            string // MessageId: duplicate detection drops a second one
	ContentType   string
	Body          []byte
	Subject       string
	CorrelationID string
	At            time.Time // scheduled enqueue time; zero for now
}

// Bus is Service Bus as the worker needs it. Each call is safe to repeat: duplicate detection drops a repeated MessageId.
type Bus interface {
	Publish(ctx context.Context, e event.Event) error
	Enqueue(ctx context.Context, m Outgoing) error
	// DeadLetter moves the locked message to the dead-letter queue. reason and description are cut to what Service Bus takes.
	DeadLetter(ctx context.Context, lockToken, reason, description string) error
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
	VMs      VMs            // for VM events
	VMPolicy vmevent.Policy // for VM events
	Pacer    *pace.Pacer    // spreads creations over ARM's allowance; nil to try at once
	Now      func() time.Time
	Pause    func(context.Context, time.Duration) error // waits a moment within an invocation
	Log      *zap.Logger
}

// Rules are the handler's own, beyond the schema's.
type Rules struct {
	DefaultSubscription   string
	AllowedSubscriptions  []string // all where empty
	AllowedResourceGroups []string // all where empty
	EventSource           string
	PoisonDelivery        int // delivery count from which a message is poison
}

// Handle deals with one message. Nil means that the message is dealt with and may be completed; an error that the bus is
// in trouble, or that nobody foresaw this, and the message has to come again.
func (w *Worker) Handle(ctx context.Context, m Message) error {
	log := w.Log.With(zap.String("invocationId", m.InvocationID), zap.String("messageId", event.Clean(m.ID, maxMessageID)), zap.Int64("sequenceNumber", m.SequenceNumber), zap.Int("deliveryCount", m.DeliveryCount))
	if m.DeliveryCount >= w.Rules.PoisonDelivery+Undecoded {
		return w.discard(ctx, m, log)
	}
	if err := w.apart(ctx, m); err != nil {
		return err
	}
	w = w.inTime(m)
	k := kindOf(m.Body)
	w.heard(m, k)
	if k == kindVMEvent || k == kindVMContinuation {
		return w.handleVMEvent(ctx, m, k, log)
	}
	b, err := w.decode(m, k)
	var refused *refusal
	if errors.As(err, &refused) {
		return w.reject(ctx, m, refused, log)
	}
	if err != nil {
		return err
	}
	log = log.With(zap.String("buildId", b.Request.ID), zap.String("digest", b.Digest[:12]))
	b = w.learn(m, b)
	if m.DeliveryCount >= w.Rules.PoisonDelivery {
		return w.poison(ctx, m, b, log)
	}
	return w.run(ctx, m, b, log)
}

// inTime is w with a clock that is not behind the message: Service Bus had it before. A continuation timed by a clock that
// is behind comes back at once, again and again.
func (w *Worker) inTime(m Message) *Worker {
	const believable = 10 * time.Minute
	behind := m.EnqueuedAt.Sub(w.Now())
	if behind <= 0 || behind > believable {
		return w
	}
	ahead := *w
	ahead.Now = func() time.Time { return w.Now().Add(behind) }
	return &ahead
}

// run steps the build until it has nothing more to do on this message.
func (w *Worker) run(ctx context.Context, m Message, b build.Build, log *zap.Logger) error {
	var seen build.Observation = build.Woken{Redelivered: m.DeliveryCount > 1}
	turn := turn{w: w}
	defer turn.over()
	for range maxSteps {
		var do build.Command
		b, do = w.Policy.Step(b, seen, w.Now())
		switch do.Verb {
		case build.Finish:
			return nil
		case build.Continue:
			return w.resume(ctx, m, b, do, log)
		default:
		}
		if postponed := turn.ask(ctx, &b, do, seen); postponed != nil {
			seen = *postponed
			continue
		}
		sent := w.Now()
		seen = w.act(ctx, b, do, log)
		turn.took(b, do, seen, sent)
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("the invocation ran out of time after %q: %w", do.Verb, err)
		}
	}
	return fmt.Errorf("build %s did not settle within %d steps", b.Key(), maxSteps)
}

// maxMessageID is what Service Bus allows.
const maxMessageID = 128

// maxSteps is far above the longest way through one message: watch, look, delete, publish.
const maxSteps = 16

// act carries a command out and says what came of it.
func (w *Worker) act(ctx context.Context, b build.Build, do build.Command, log *zap.Logger) build.Observation {
	seen, err := w.perform(ctx, b, do)
	if err != nil {
		var arm *armerr.Error
		if do.Verb != build.Publish && !errors.As(err, &arm) {
			arm = armerr.Unreachable(err)
		}
		trouble := build.Trouble{Verb: do.Verb, Err: arm}
		w.logTrouble(log, b, trouble, err)
		return trouble
	}
	w.logDone(log, b, do, seen)
	return seen
}

func (w *Worker) perform(ctx context.Context, b build.Build, do build.Command) (build.Observation, error) {
	if do.Verb == build.Publish {
		do.Event.Source = w.Rules.EventSource
		return build.Published{}, w.Bus.Publish(ctx, do.Event)
	}
	ctx, cancel := w.forARM(ctx)
	defer cancel()
	switch do.Verb {
	case build.Look:
		return lift(w.ARM.Image(ctx, b.ImageID()))
	case build.Create:
		return lift(w.ARM.Create(ctx, b))
	case build.Watch:
		return lift(w.ARM.Operation(ctx, b))
	case build.Delete:
		return build.Deleted{}, w.ARM.Delete(ctx, b.ImageID())
	default:
		return nil, fmt.Errorf("no such command: %q", do.Verb)
	}
}

// forARM keeps a quarter of the invocation's time for the bus: when ARM does not answer, there is time to say so.
func (w *Worker) forARM(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, time.Until(deadline)*3/4)
}

func lift[T build.Observation](o T, err error) (build.Observation, error) { return o, err }

// resume sends the build to the queue, to be taken up at do.At. Sent before the message is completed: a crash between
// the two is absorbed by duplicate detection.
func (w *Worker) resume(ctx context.Context, m Message, b build.Build, do build.Command, log *zap.Logger) error {
	if w.Pacer != nil {
		b.Pace = w.Pacer.Note(b.Place(), b.Pace, w.Now())
	}
	out, err := continuation(b, m, w.Rules.EventSource, w.Now())
	if err != nil {
		return err
	}
	out.At = do.At
	if err := w.Bus.Enqueue(ctx, out); err != nil {
		return fmt.Errorf("send the continuation: %w", err)
	}
	log.Info(logContinued, zap.Time("at", do.At), zap.String("reason", do.Reason), zap.Int("seq", b.Seq), zap.String("step", string(b.Step)))
	return nil
}
