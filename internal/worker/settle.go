package worker

import (
	"context"
	"fmt"
	"math"
	"time"

	"go.uber.org/zap"

	"goldmint/internal/build"
	"goldmint/internal/event"
	"goldmint/internal/request"
)

// Undecoded is how many deliveries beyond PoisonDelivery a message is still decoded: one that kills the process while it
// is decoded has to end too.
const Undecoded = 3

// reject publishes that the message can never succeed, then dead-letters it.
func (w *Worker) reject(ctx context.Context, m Message, r *refusal, log *zap.Logger) error {
	e := event.Event{
		ID: event.ID(request.Key(r.buildID, r.digest), event.Rejected), Source: w.Rules.EventSource, Type: event.Rejected, Time: w.Now(),
		Data: event.Data{
			BuildID: r.buildID, Digest: r.digest,
			Error: &event.Error{Code: r.reason, Message: r.text},
		},
	}
	for _, p := range r.problems {
		e.Data.Problems = append(e.Data.Problems, event.Problem{Pointer: p.Pointer, Path: p.Path, Message: p.Message})
	}
	if err := w.Bus.Publish(ctx, e); err != nil {
		return fmt.Errorf("publish the rejection: %w", err)
	}
	log.Warn(logRejected, zap.String("buildId", r.buildID), zap.String("reason", r.reason), zap.String("problems", event.Clean(r.text, event.MaxDeadLetter)))
	return w.deadLetter(ctx, m, r.reason, r.text, log)
}

// aside is over how long the messages of a process that are poison, or were in its company, are spread.
const aside = 3 * time.Second

// apart lets suspect messages be read one after another, and at each delivery in the opposite order. One of them may kill
// the process as it is read, and they all came back together: read before it once, a neighbour is spared; every neighbour
// is read before it at this delivery or at the next.
func (w *Worker) apart(ctx context.Context, m Message) error {
	round := m.DeliveryCount - w.Rules.PoisonDelivery
	if round < 0 || w.Pause == nil {
		return nil
	}
	const golden = 0.6180339887498949 // spreads consecutive numbers evenly
	_, slot := math.Modf(float64(m.SequenceNumber%1_000_000) * golden)
	if round%2 == 1 {
		slot = 1 - slot
	}
	return w.Pause(ctx, time.Duration(slot*float64(aside)))
}

// poison ends a build whose message comes back again and again: whatever kills its handling, nobody waits for ever.
func (w *Worker) poison(ctx context.Context, m Message, b build.Build, log *zap.Logger) error {
	text := fmt.Sprintf("delivered %d times without being dealt with; last step: %s", m.DeliveryCount, stepName(b))
	poison := func(outcome string) {
		log.Error(logPoison, zap.String("outcome", outcome), zap.String("step", stepName(b)))
	}
	if b.Decided() { // telling the verdict is what fails
		poison("told")
		if err := w.tellEnd(ctx, b, text, log); err != nil {
			return err
		}
		return w.deadLetter(ctx, m, "PoisonMessage", text+". "+remedy, log)
	}
	next, do := w.Policy.Poison(b, text, w.Now())
	if err := w.resume(ctx, m, next, do, log); err != nil {
		return err
	}
	if !next.Decided() {
		poison("spared")
		return nil
	}
	poison("failed")
	return w.deadLetter(ctx, m, "PoisonMessage", text+". "+remedy, log)
}

func (w *Worker) tellEnd(ctx context.Context, b build.Build, text string, log *zap.Logger) error {
	image, err := w.lookForPoison(ctx, b)
	if err != nil {
		log.Warn("trouble", zap.String("step", string(build.Look)), zap.String("error", event.Clean(err.Error(), event.MaxDeadLetter)))
	}
	e := b.Poisoned(image, text, w.Now())
	e.Source = w.Rules.EventSource
	if err := w.Bus.Publish(ctx, e); err != nil {
		return fmt.Errorf("publish the end of a poison message: %w", err)
	}
	logPublished(log, b.ImageID(), e)
	return nil
}

const remedy = "Look at the handler's log for this build id; once the cause is gone, `goldmint dead-letters resubmit` sends it again."

func (w *Worker) lookForPoison(ctx context.Context, b build.Build) (build.Image, error) {
	ctx, cancel := w.forARM(ctx)
	defer cancel()
	return w.ARM.Image(ctx, b.ImageID())
}

// discard rejects a message that is not even decoded any more.
func (w *Worker) discard(ctx context.Context, m Message, log *zap.Logger) error {
	return w.reject(ctx, m, &refusal{
		reason: "PoisonMessage", text: fmt.Sprintf("delivered %d times, and the handler never lived to read it. %s", m.DeliveryCount, remedy),
		buildID: request.Identity("", m.ID, m.SequenceNumber), digest: digestOf(m.Body),
	}, log)
}

func (w *Worker) deadLetter(ctx context.Context, m Message, reason, text string, log *zap.Logger) error {
	if err := w.Bus.DeadLetter(ctx, m.LockToken, reason, event.Clean(text, event.MaxDeadLetter)); err != nil {
		return fmt.Errorf("dead-letter the message: %w", err)
	}
	log.Warn(logDeadLettered, zap.String("reason", reason))
	return nil
}

func stepName(b build.Build) string {
	if b.Step == "" {
		return "none"
	}
	return string(b.Step)
}
