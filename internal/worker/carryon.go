package worker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"goldmint/internal/armerr"
	"goldmint/internal/build"
	"goldmint/internal/event"
	"goldmint/internal/message"
	"goldmint/internal/ratelimit"
	"goldmint/internal/vmevent"
)

// carryOn continues what a message from the function itself holds: a build or the work on a VM's
// event.
func (w *Worker) carryOn(ctx context.Context, m message.Received, log *zap.Logger) (Settlement, error) {
	switch message.KindOf(m.Body) {
	case message.Build:
		e, err := message.Open[build.Build](m.Body)
		if err == nil {
			err = e.Data.Check()
		}
		if err != nil {
			return w.refused(ctx, m, refuse(m, "InvalidContinuation", "the build cannot be taken up: %v", err), log)
		}
		return w.build(ctx, m, e.Data, log)
	case message.VMWork:
		e, err := message.Open[vmevent.Work](m.Body)
		if err == nil {
			err = e.Data.Check()
		}
		if err != nil {
			return w.refused(ctx, m, refuse(m, "InvalidContinuation", "the work on a VM cannot be taken up: %v", err), log)
		}
		return w.vmWork(ctx, m, e.Data, log)
	default:
		log.Error(logUnknownMessage, zap.String("reason", "UnknownMessage"), zap.String("hint", "a role is wrong, or a sender uses the wrong queue: the function alone may send here"))
		return w.refused(ctx, m, w.unknown(m), log)
	}
}

// unknown is the refusal of a message that the function did not send. If it was meant for the other
// queue, the refusal has the ids that its sender waits for.
func (w *Worker) unknown(m message.Received) *refusal {
	refused := refuse(m, "UnknownMessage", "this queue is the function's own: send build requests to the requests queue")
	if taken, err := w.handOn(m); err == nil {
		if e, err := message.Open[build.Build](taken.out.Body); err == nil && e.Data.Request.ID != "" {
			refused.buildID, refused.digest = e.Data.Request.ID, e.Data.Digest
		}
		return refused
	} else if r := (*refusal)(nil); errors.As(err, &r) {
		refused.buildID, refused.digest = r.buildID, r.digest
	}
	return refused
}

// build continues a build.
func (w *Worker) build(ctx context.Context, m message.Received, b build.Build, log *zap.Logger) (Settlement, error) {
	if message.Resubmitted(m.ID, firstID(b), b.Key(), b.Seq) {
		b = b.Anew(m.EnqueuedAt)
	}
	if b.Run == 0 {
		b.Run = m.SequenceNumber
	}
	log = log.With(zap.String("buildId", b.Request.ID), zap.String("digest", b.Digest[:12]))
	if refused := (*refusal)(nil); errors.As(w.Rules.allow(b), &refused) {
		return w.disallowed(ctx, m, b, refused, log)
	}
	if m.DeliveryCount >= w.Rules.PoisonDelivery {
		return w.poison(ctx, m, b, log)
	}
	return Settlement{}, w.run(ctx, m, b, log)
}

// disallowed ends a build that an allow-list refuses. Before the first request to ARM, the message
// is rejected. Later the build fails, because it was announced or ARM makes its image. Nothing more
// is created or deleted for it.
func (w *Worker) disallowed(ctx context.Context, m message.Received, b build.Build, r *refusal, log *zap.Logger) (Settlement, error) {
	switch {
	case b.Decided():
		return Settlement{}, w.publishOutside(ctx, b, b.Poisoned(build.Image{}, r.text, w.Now()), log)
	case b.Attempts == 0 && !b.Announced:
		w.leave(ctx, b)
		return w.refused(ctx, m, r, log)
	}
	next, do := w.Policy.Refuse(b, r.reason, r.text, w.Now())
	return Settlement{}, w.resume(ctx, m, next, do, log)
}

// run steps the build until it has nothing more to do on this message.
func (w *Worker) run(ctx context.Context, m message.Received, b build.Build, log *zap.Logger) error {
	turn := turn{w: w}
	err := w.steps(ctx, m, b, &turn, log)
	turn.over(ctx)
	return err
}

func (w *Worker) steps(ctx context.Context, m message.Received, b build.Build, turn *turn, log *zap.Logger) error {
	var seen build.Observation = build.Woken{Redelivered: m.DeliveryCount > 1}
	for range maxSteps {
		var do build.Command
		b, do = w.Policy.Step(b, seen, w.Now())
		switch do.Verb {
		case build.Finish:
			w.leave(ctx, b)
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
		turn.took(ctx, &b, do, seen, sent)
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("the invocation ran out of time after %q: %w", do.Verb, err)
		}
	}
	return fmt.Errorf("build %s did not settle within %d steps", b.Key(), maxSteps)
}

// maxSteps is far more than the longest handling of one message: watch, look, delete, publish.
const maxSteps = 16

// act carries out a command and returns its result.
func (w *Worker) act(ctx context.Context, b build.Build, do build.Command, log *zap.Logger) build.Observation {
	seen, err := w.perform(ctx, b, do, log)
	if err != nil {
		var arm *armerr.Error
		if do.Verb != build.Publish && !errors.As(err, &arm) {
			arm = armerr.Unreachable(err)
		}
		errored := build.Errored{Verb: do.Verb, Err: arm}
		logErrored(log, b, errored, err)
		return errored
	}
	w.logDone(log, b, do, seen)
	return seen
}

func (w *Worker) perform(ctx context.Context, b build.Build, do build.Command, log *zap.Logger) (build.Observation, error) {
	if do.Verb == build.Publish {
		return build.Published{}, w.publish(ctx, do.Event)
	}
	ctx, cancel := w.forARM(ctx)
	defer cancel()
	switch do.Verb {
	case build.Look:
		return observed(w.ARM.Image(ctx, b.ImageID()))
	case build.Create:
		defer w.meanwhile(ctx, do.Event, log)()
		return observed(w.ARM.Create(ctx, b))
	case build.Watch:
		return observed(w.ARM.Operation(ctx, b))
	case build.Delete:
		return build.Deleted{}, w.ARM.Delete(ctx, b.ImageID())
	default:
		return nil, fmt.Errorf("no such command: %q", do.Verb)
	}
}

func observed[T build.Observation](o T, err error) (build.Observation, error) { return o, err }

// forARM keeps a quarter of the invocation's time for the bus, so that a build can still continue
// when ARM does not answer.
func (w *Worker) forARM(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, time.Until(deadline)*3/4)
}

// resume sends the build to the queue, to be continued at do.At. It does so before the message is
// completed. After a crash in between, duplicate detection drops the second continuation.
func (w *Worker) resume(ctx context.Context, m message.Received, b build.Build, do build.Command, log *zap.Logger) error {
	if do.Event.Type != "" {
		b = w.announce(ctx, b, do.Event, log)
	}
	out, err := w.outgoing(b, message.NextID(b.Key(), b.Seq, m.SequenceNumber))
	if err != nil {
		return err
	}
	out.At = do.At
	if err := w.Bus.Enqueue(ctx, out); err != nil {
		return fmt.Errorf("send the build on: %w", err)
	}
	log.Info(logContinued, zap.Time("at", do.At), zap.String("reason", do.Reason), zap.Int("seq", b.Seq), zap.String("step", string(b.Step)))
	return nil
}

// announce publishes that the build waits. Nothing depends on that event: if it cannot be
// published, the build continues and publishes it the next time.
func (w *Worker) announce(ctx context.Context, b build.Build, e event.Event, log *zap.Logger) build.Build {
	if !w.news(ctx, e, log) {
		b.Delays = b.Delays[:len(b.Delays)-1]
		return b
	}
	d := e.Data.Delay
	log.Info(logDelayed, zap.String("reason", d.Reason), zap.String("code", d.Code), zap.Time("until", d.Until))
	return b
}

// news publishes an event that nothing depends on, and reports whether that worked. A topic that
// does not answer holds up the build for newsTime.
func (w *Worker) news(ctx context.Context, e event.Event, log *zap.Logger) bool {
	ctx, cancel := context.WithTimeout(ctx, newsTime)
	defer cancel()
	err := w.publish(ctx, e)
	if err != nil {
		logStepFailed(log, build.Publish, err)
	}
	return err == nil
}

// meanwhile publishes news while something else is done, so that it costs no time before that. The
// returned function waits for it: nothing outlives the invocation, and no later event overtakes it.
func (w *Worker) meanwhile(ctx context.Context, e event.Event, log *zap.Logger) (wait func()) {
	if e.Type == "" {
		return func() {}
	}
	var news sync.WaitGroup
	news.Go(func() { w.news(ctx, e, log) })
	return news.Wait
}

// newsTime is how long a topic that does not answer may hold up a build for news.
const newsTime = 3 * time.Second

// publishOutside publishes the end of a build that Step did not decide: it is poison, or refused.
func (w *Worker) publishOutside(ctx context.Context, b build.Build, e event.Event, log *zap.Logger) error {
	if err := w.publish(ctx, e); err != nil {
		return fmt.Errorf("publish the end of build %s: %w", b.Key(), err)
	}
	logPublished(log, b.ImageID(), e)
	return nil
}

// turn is a build's turn to create its image, for the handling of one message.
type turn struct {
	w        *Worker
	document string
	got      ratelimit.Turn
	asked    bool
	used     bool
}

// ask returns when to come back if the build has to wait, or nil if it may go on. A new build calls
// it before its first look, so that waiting needs no request to ARM; any other build calls it
// before the PUT.
func (t *turn) ask(ctx context.Context, b *build.Build, do build.Command, seen build.Observation) *build.Postponed {
	if t.w.Limits == nil || t.asked || !mayCreate(*b, do, seen) {
		return nil
	}
	t.document = b.RateLimit()
	t.got = t.w.Limits.Ask(ctx, t.document, b.Number)
	b.Number = t.got.Number
	if t.got.Wait > 0 {
		return &build.Postponed{At: t.w.Now().Add(t.got.Wait), Ahead: t.got.Before, Reason: build.RateLimited}
	}
	t.asked = true
	return nil
}

// mayCreate reports whether the command creates the image, or may lead to that.
func mayCreate(b build.Build, do build.Command, seen build.Observation) bool {
	if do.Verb == build.Create {
		return true
	}
	woken, first := seen.(build.Woken)
	return first && do.Verb == build.Look && !woken.Redelivered && b.Attempts == 0 && !b.Decided()
}

// took passes what ARM's answer to a PUT says about the limits to the limiter. A PUT without an
// answer may have been counted.
func (t *turn) took(ctx context.Context, b *build.Build, do build.Command, seen build.Observation, sent time.Time) {
	if t.w.Limits == nil || do.Verb != build.Create {
		return
	}
	t.used = true
	a := ratelimit.Answer{Start: t.got.Start, Sent: t.w.Limits.Now().Add(-t.w.Now().Sub(sent))}
	switch o := seen.(type) {
	case build.Accepted:
		a.Limits, b.Number = o.Left, 0
	case build.Errored:
		if o.Err == nil || o.Err.Status == 0 {
			return
		}
		a.Limits = o.Err.Left
		// Throttling with another status comes from a source and is no limit of the region.
		if a.Refused = o.Err.Status == 429; a.Refused {
			a.RetryAfter = max(o.Err.RetryAfter, time.Second)
		} else if len(a.Limits) == 0 {
			return
		}
	}
	t.w.Limits.Answer(ctx, t.document, a)
}

// over returns a turn that was not used: the image existed, or the process could not go on.
func (t *turn) over(ctx context.Context) {
	if t.asked && !t.used {
		t.w.Limits.Return(ctx, t.document, t.got)
	}
}

// leave removes a build that ends from the line, in case it still waits there.
func (w *Worker) leave(ctx context.Context, b build.Build) {
	if w.Limits != nil {
		w.Limits.Leave(ctx, b.RateLimit(), b.Number)
	}
}
