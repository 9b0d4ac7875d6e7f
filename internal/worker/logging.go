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
