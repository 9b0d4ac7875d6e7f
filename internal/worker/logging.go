package worker

import (
	"time"

	"go.uber.org/zap"

	"goldmint/internal/armerr"
	"goldmint/internal/build"
	"goldmint/internal/event"
)

// logDone tells what came of a command.
func (w *Worker) logDone(log *zap.Logger, b build.Build, do build.Command, seen build.Observation) {
	if do.Verb != build.Publish {
		log.Debug("step", zap.String("step", string(do.Verb)), zap.Any("seen", redacted(seen)))
		return
	}
	logPublished(log, b.ImageID(), do.Event)
}

// logPublished tells of a build what its event tells the world.
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

// logTrouble tells that a command did not go through.
func (w *Worker) logTrouble(log *zap.Logger, b build.Build, t build.Trouble, err error) {
	log.Warn("trouble", zap.String("step", string(t.Verb)), zap.String("error", event.Clean(err.Error(), event.MaxDeadLetter)))
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
	logVMEventIgnored   = "vm_event_ignored" // warn where somebody may miss an image
	logVMEventRequested = "vm_event_requested"
	logVMEventContinued = "vm_event_continued"
)

// LogEvent is one kind of log line that alerts, the workbook and people may query: what it says and the fields that every
// such line carries, besides those of [LogFields].
type LogEvent struct {
	Name    string
	Meaning string
	Fields  []string
}

// LogFields are on every line about a message.
func LogFields() []string {
	return []string{"queue", "invocationId", "messageId", "sequenceNumber", "deliveryCount"}
}

// LogEvents is the fixed list of log events: a promise to whoever queries the logs. infra/queries ask for nothing else,
// and a test holds a whole run's lines against it.
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
		{logPoison, "the message came back too often: its build is tried once more (spared), then ended (failed, told)", []string{"outcome", "step"}},
		{logVMEventRequested, "a VM's build request is in the queue", []string{"vm", "operation", "buildId", "name"}},
		{logVMEventContinued, "the VM will be looked at again", []string{"vm", "operation", "at", "reason", "seq"}},
		{logVMEventIgnored, "the event asks for no image", []string{"reason"}},
	}
}
