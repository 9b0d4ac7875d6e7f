// Package worker handles one message: it decodes it, lets the build decide, acts, publishes, and
// returns how to settle the message.
//
// [Worker.TakeRequest] and [Worker.BuildImage] are the two functions of the Functions app. The
// first checks messages from any sender and sends them on; the second does all work at Azure
// Resource Manager.
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
	"goldmint/internal/message"
	"goldmint/internal/ratelimit"
	"goldmint/internal/vmevent"
)

// Bus is the part of Service Bus that the worker needs. Each call is safe to repeat, because
// duplicate detection drops a repeated MessageId.
type Bus interface {
	// Publish sends the event to the topic.
	Publish(ctx context.Context, e event.Event) error
	// Enqueue sends a message to the builds queue.
	Enqueue(ctx context.Context, m message.Outgoing) error
	// DeadLetter moves the locked message of the queue to its dead-letter queue. reason and
	// description are cut to the limits of Service Bus.
	DeadLetter(ctx context.Context, q message.Queue, lockToken, reason, description string) error
}

// ARM is the part of Azure Resource Manager that the worker needs. An error is a *armerr.Error, or
// wraps one.
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

	// Probe decodes a message that came back too often in a separate process. [ErrKilled] says that
	// the message killed it.
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

// TakeRequest handles one message of the requests queue: it checks the message, and rejects it,
// ignores it or sends it on to the builds queue. It does not call ARM. Nil means that the message
// is handled and may be completed. An error means that the bus failed or something unforeseen
// happened, and that the message has to be delivered again.
func (w *Worker) TakeRequest(ctx context.Context, m message.Received) error {
	return w.settle(ctx, message.Requests, m, (*Worker).take)
}

// BuildImage handles one message of the builds queue, to which the function alone may send. Its
// error means the same as that of [Worker.TakeRequest].
func (w *Worker) BuildImage(ctx context.Context, m message.Received) error {
	return w.settle(ctx, message.Builds, m, (*Worker).carryOn)
}

// Settlement is how to settle a handled message. The zero value means that the host completes it.
type Settlement struct {
	Reason      string // PascalCase, of the dead-letter queue; empty to complete the message
	Description string // for a person
}

// settle handles a message and settles it as the handling says.
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

// publish sends an event to the topic, with the source of this Goldmint.
func (w *Worker) publish(ctx context.Context, e event.Event) error {
	e.Source = w.Rules.EventSource
	return w.Bus.Publish(ctx, e)
}

// maxMessageID is Service Bus's limit.
const maxMessageID = 128

// inTime is w with a clock that is not behind the message's enqueued time. With a clock that is
// behind, a build would compute moments in the past and come back at once, again and again.
func (w *Worker) inTime(m message.Received) *Worker {
	behind := m.EnqueuedAt.Sub(w.Now())
	if behind <= 0 {
		return w
	}
	ahead := *w
	ahead.Now = func() time.Time { return w.Now().Add(behind) }
	return &ahead
}

// RetryPause is how long to wait before an error is answered, by the delivery count of the message.
// The host abandons at once and Service Bus delivers again within milliseconds, but a cut
// connection takes seconds to heal and a role that was just assigned takes minutes: a hundred
// deliveries then last for more than three hours.
func RetryPause(delivery int) time.Duration {
	switch {
	case delivery <= 1:
		return time.Second
	case delivery == 2:
		return time.Minute
	}
	return 2 * time.Minute
}

// ErrKilled says that a process died while it decoded a message.
var ErrKilled = errors.New("a process that read the message died")

// logDone logs the result of a command.
func (w *Worker) logDone(log *zap.Logger, b build.Build, do build.Command, seen build.Observation) {
	if do.Verb != build.Publish {
		log.Debug("step", zap.String("step", string(do.Verb)), zap.Any("seen", redacted(seen)))
		return
	}
	logPublished(log, b.ImageID(), do.Event)
}

// logPublished logs the event that a build has published.
func logPublished(log *zap.Logger, imageID string, e event.Event) {
	d := e.Data
	fields := []zap.Field{
		zap.String("step", string(build.Publish)),
		zap.String("imageId", imageID), zap.String("location", d.Location), zap.String("subscriptionId", d.SubscriptionID),
		zap.Int("attempts", d.Attempts),
	}
	switch e.Type {
	case event.Started:
		log.Info(logStarted, fields...)
	case event.Succeeded, event.Failed:
		code, outcome := "", "succeeded"
		if d.Error != nil {
			code, outcome = d.Error.Code, "failed"
		}
		log.Info(logEnded, append(fields, zap.String("outcome", outcome), zap.String("code", code), zap.Float64("durationSeconds", sinceStart(d)))...)
	}
}

// sinceStart is how long the build took since ARM accepted it, in seconds; 0 when it never did.
func sinceStart(d event.Data) float64 {
	if d.StartedAt.IsZero() {
		return 0
	}
	return d.EndedAt.Sub(d.StartedAt).Round(time.Millisecond).Seconds()
}

// logStepFailed logs that a command failed.
func logStepFailed[V ~string](log *zap.Logger, step V, err error) {
	log.Warn("step failed", zap.String("step", string(step)), zap.String("error", event.Clean(err.Error(), event.MaxDeadLetter)))
}

// logErrored logs the same for a build's command, and that Azure throttled it.
func logErrored(log *zap.Logger, b build.Build, t build.Errored, err error) {
	logStepFailed(log, t.Verb, err)
	if t.Err != nil && t.Err.Class() == armerr.Throttled {
		log.Warn(logThrottled, zap.Float64("retryAfterSeconds", t.Err.RetryAfter.Seconds()), zap.String("subscriptionId", b.SubscriptionID),
			zap.String("location", b.Request.Location()))
	}
}

// redacted is an observation without the resume token, and with ARM's words cleaned.
func redacted(seen build.Observation) build.Observation {
	switch o := seen.(type) {
	case build.Accepted:
		if o.Token != "" {
			o.Token = "(resume token)"
		}
		return o
	case build.Operation:
		if o.Err != nil {
			o.Err = &armerr.Error{Status: o.Err.Status, Code: o.Err.Code, Message: event.Clean(o.Err.Message, event.MaxDeadLetter)}
		}
		return o
	}
	return seen
}

// The names of the log events, a line's "msg".
const (
	logTaken            = "taken"
	logUnknownMessage   = "unknown_message"
	logStarted          = "build_started"
	logDelayed          = "build_delayed"
	logEnded            = "build_ended"
	logContinued        = "continued"
	logThrottled        = "throttled"
	logRejected         = "rejected"
	logDeadLettered     = "dead_lettered"
	logPoison           = "poison"
	logVMEventIgnored   = "vm_event_ignored" // a warning if somebody may miss an image
	logVMEventRequested = "vm_event_requested"
	logVMEventContinued = "vm_event_continued"
)

// LogEvent is one kind of log line that alerts, the workbook and people may query: what it says and
// the fields that every such line carries, besides those of [LogFields].
type LogEvent struct {
	Name    string
	Meaning string
	Fields  []string
}

// LogFields are on every line about a message.
func LogFields() []string {
	return []string{"queue", "invocationId", "messageId", "sequenceNumber", "deliveryCount"}
}

// LogEvents is the fixed list of log events. It stays stable for queries of the logs. infra/queries
// use nothing else, and a test checks all lines of a run against it.
func LogEvents() []LogEvent {
	return []LogEvent{
		{logTaken, "a message from outside was checked and handed on", []string{"id", "buildId"}},
		{logUnknownMessage, "the builds queue held something that is not the function's own: a role is wrong", []string{"reason", "hint"}},
		{logStarted, "ARM has accepted the image's creation", []string{"buildId", "digest", "imageId", "location", "subscriptionId", "attempts"}},
		{logDelayed, "the build waits before ARM works on its image; the event says so", []string{"buildId", "digest", "reason", "code", "until"}},
		{logContinued, "the build will be looked at again", []string{"buildId", "digest", "at", "reason", "seq", "step"}},
		{logEnded, "the build has ended, with its image or without", []string{"buildId", "digest", "imageId", "location", "subscriptionId", "attempts", "outcome", "code", "durationSeconds"}},
		{logThrottled, "ARM refused work for now", []string{"buildId", "digest", "retryAfterSeconds", "subscriptionId", "location"}},
		{logRejected, "the message can never succeed; its " + event.Rejected + " event is out", []string{"buildId", "reason", "problems"}},
		{logDeadLettered, "the message is in the dead-letter queue", []string{"reason"}},
		{logPoison, "the message came back too often: its build is tried once more (retried), then ended (failed, published)", []string{"outcome", "step"}},
		{logVMEventRequested, "a VM's build request is in the queue", []string{"vm", "operation", "buildId", "name"}},
		{logVMEventContinued, "the VM will be looked at again", []string{"vm", "operation", "at", "reason", "seq"}},
		{logVMEventIgnored, "the event asks for no image", []string{"reason"}},
	}
}
