package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"go.uber.org/zap"

	"goldmint/internal/armerr"
	"goldmint/internal/event"
	"goldmint/internal/request"
	"goldmint/internal/vmevent"
)

// VMs is Azure Resource Manager as VM events need it. An error is a *armerr.Error, or wraps one.
type VMs interface {
	VM(ctx context.Context, id vmevent.ID) (vmevent.VM, error)
	Generalize(ctx context.Context, id vmevent.ID) error
	// ImageOf is the resource ID of an image in the group that a build of that id has made or is making, "" where there is none.
	ImageOf(ctx context.Context, subscription, group, buildID string) (string, error)
}

// handleVMEvent deals with an event about a VM, or with the continuation of the work on one. Each effect may be repeated:
// generalizing is, and what is sent has the same MessageId each time.
func (w *Worker) handleVMEvent(ctx context.Context, m Message, k kind, log *zap.Logger) error {
	work, err := w.decodeVMEvent(m, k)
	var ignored *vmevent.Ignored
	if errors.As(err, &ignored) {
		log.Info(logVMEventIgnored, zap.String("reason", string(ignored.Reason)))
		return nil
	}
	var refused *refusal
	if errors.As(err, &refused) {
		return w.reject(ctx, m, refused, log)
	}
	if err != nil {
		return err
	}
	log = log.With(zap.String("vm", work.Event.VM.String()), zap.String("operation", string(work.Event.Operation)))
	if m.DeliveryCount >= w.Rules.PoisonDelivery { // no build, so nobody waits
		log.Error(logPoison, zap.String("outcome", "dead-lettered"), zap.String("step", "vm event"))
		return w.deadLetter(ctx, m, "PoisonMessage", fmt.Sprintf("the VM event was delivered %d times without being dealt with. %s", m.DeliveryCount, remedy), log)
	}
	return w.runVMEvent(ctx, m, work, log)
}

func (w *Worker) decodeVMEvent(m Message, k kind) (vmevent.Work, error) {
	if k == kindVMContinuation {
		return w.decodeVMContinuation(m)
	}
	e, err := vmevent.Decode(m.Body, m.EnqueuedAt)
	var malformed *vmevent.Malformed
	if errors.As(err, &malformed) {
		return vmevent.Work{}, vmRefusal(m, "InvalidEvent", malformed.Problem)
	}
	return vmevent.New(e, m.EnqueuedAt), err
}

func vmRefusal(m Message, reason, text string) *refusal {
	return &refusal{reason: reason, text: text, buildID: request.Identity("", m.ID, m.SequenceNumber), digest: digestOf(m.Body)}
}

// runVMEvent steps the work until it has nothing more to do on this message.
func (w *Worker) runVMEvent(ctx context.Context, m Message, work vmevent.Work, log *zap.Logger) error {
	var seen vmevent.Observation = vmevent.Woken{}
	for range maxSteps {
		var do vmevent.Command
		work, do = w.VMPolicy.Step(work, seen, w.Now())
		switch do.Verb {
		case vmevent.Completed:
			return nil
		case vmevent.LeaveIt:
			logIgnored(log, work, do)
			return nil
		case vmevent.Continue:
			return w.resumeVMEvent(ctx, m, work, do, log)
		case vmevent.Send:
			if err := w.Bus.Enqueue(ctx, buildRequest(do.Request)); err != nil {
				return fmt.Errorf("send the build request: %w", err)
			}
			log.Info(logVMEventRequested, zap.String("buildId", do.Request.ID), zap.String("name", do.Request.Name), zap.Strings("tagsLeftOut", do.Dropped))
			seen = vmevent.Sent{}
		default:
			seen = w.actOnVM(ctx, work, do, log)
		}
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("the invocation ran out of time after %q: %w", do.Verb, err)
		}
	}
	return fmt.Errorf("the event about VM %s did not settle within %d steps", work.Event.VM.Name, maxSteps)
}

// buildRequest is the message that asks for the image of a VM: like any other, under an id that only this VM has.
func buildRequest(r request.Request) Outgoing {
	return Outgoing{ID: r.ID, ContentType: "application/json", Body: r.Canonical(), CorrelationID: r.ID}
}

func (w *Worker) actOnVM(ctx context.Context, work vmevent.Work, do vmevent.Command, log *zap.Logger) vmevent.Observation {
	seen, err := w.performOnVM(ctx, work, do)
	if err == nil {
		log.Debug("step", zap.String("step", string(do.Verb)))
		if do.Verb == vmevent.Publish {
			d := do.Event.Data // a build that failed before its request was sent
			logPublished(log.With(zap.String("buildId", d.BuildID), zap.String("digest", d.Digest[:12])), d.ImageID, do.Event)
		}
		return seen
	}
	var arm *armerr.Error
	if do.Verb != vmevent.Publish && !errors.As(err, &arm) {
		arm = armerr.Unreachable(err)
	}
	log.Warn("trouble", zap.String("step", string(do.Verb)), zap.String("error", event.Clean(err.Error(), event.MaxDeadLetter)))
	return vmevent.Trouble{Verb: do.Verb, Err: arm}
}

func (w *Worker) performOnVM(ctx context.Context, work vmevent.Work, do vmevent.Command) (vmevent.Observation, error) {
	if do.Verb == vmevent.Publish {
		do.Event.Source = w.Rules.EventSource
		return vmevent.Published{}, w.Bus.Publish(ctx, do.Event)
	}
	ctx, cancel := w.forARM(ctx)
	defer cancel()
	switch do.Verb {
	case vmevent.Read:
		return w.VMs.VM(ctx, work.Event.VM)
	case vmevent.Prepare:
		return vmevent.Prepared{}, w.VMs.Generalize(ctx, work.Event.VM)
	case vmevent.Find:
		id, err := w.VMs.ImageOf(ctx, do.Request.SubscriptionID, do.Request.ResourceGroup, do.Request.ID)
		return vmevent.Found{ImageID: id}, err
	default:
		return nil, fmt.Errorf("no such command: %q", do.Verb)
	}
}

func logIgnored(log *zap.Logger, work vmevent.Work, do vmevent.Command) {
	level := zap.InfoLevel
	if do.Warn {
		level = zap.WarnLevel
	}
	log.Log(level, logVMEventIgnored, zap.String("reason", string(do.Why)), zap.String("detail", do.Detail), zap.Int("seq", work.Seq))
}

// vmContinuationType is the CloudEvents type of a look-again-later.
const vmContinuationType = "goldmint.vm.continuation"

func isVMContinuation(eventType json.RawMessage) bool {
	var s string
	return json.Unmarshal(eventType, &s) == nil && s == vmContinuationType
}

func (w *Worker) resumeVMEvent(ctx context.Context, m Message, work vmevent.Work, do vmevent.Command, log *zap.Logger) error {
	e := envelope[vmevent.Work]{
		Source: w.Rules.EventSource, Type: vmContinuationType, Subject: work.Event.VM.String(), Time: w.Now().UTC(), Data: work,
	}
	out, err := e.outgoing(work.Key(), work.Seq, m)
	if err != nil {
		return err
	}
	out.At = do.At
	if err := w.Bus.Enqueue(ctx, out); err != nil {
		return fmt.Errorf("send the continuation: %w", err)
	}
	log.Info(logVMEventContinued, zap.Time("at", do.At), zap.String("reason", do.Reason), zap.Int("seq", work.Seq))
	return nil
}

func (w *Worker) decodeVMContinuation(m Message) (vmevent.Work, error) {
	var e envelope[vmevent.Work]
	if err := unwrap(m.Body, &e); err != nil {
		return vmevent.Work{}, vmRefusal(m, "InvalidContinuation", fmt.Sprintf("the continuation cannot be read: %v", err))
	}
	if err := e.Data.Check(w.Now()); err != nil {
		return vmevent.Work{}, vmRefusal(m, "InvalidContinuation", fmt.Sprintf("the continuation does not fit its event: %v", err))
	}
	return e.Data, nil
}
