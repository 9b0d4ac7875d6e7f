package worker

import (
	"context"
	"errors"
	"fmt"

	"go.uber.org/zap"

	"goldmint/internal/armerr"
	"goldmint/internal/build"
	"goldmint/internal/message"
	"goldmint/internal/request"
	"goldmint/internal/vmevent"
)

// VMs is Azure Resource Manager as VM events need it. An error is a *armerr.Error, or wraps one.
type VMs interface {
	VM(ctx context.Context, id vmevent.ID) (vmevent.VM, error)
	Generalize(ctx context.Context, id vmevent.ID) error
	// ImageOf returns the resource ID of an image that a build of the request's id has made or is
	// making, or "". It searches where the request wants its image; the name does not matter.
	ImageOf(ctx context.Context, r request.Request) (string, error)
}

// takeVMEvent reads an event about a VM. Most ask for nothing and end here.
func (w *Worker) takeVMEvent(m message.Received) (message.Outgoing, error) {
	e, err := vmevent.Decode(m.Body, m.EnqueuedAt)
	var malformed *vmevent.Malformed
	if errors.As(err, &malformed) {
		return message.Outgoing{}, refuse(m, "InvalidEvent", "%s", malformed.Problem)
	}
	if err != nil {
		return message.Outgoing{}, err
	}
	work := vmevent.New(e, m.EnqueuedAt)
	if _, do := w.VMPolicy.Step(work, vmevent.Woken{}, w.Now()); do.Verb == vmevent.Ignore {
		return message.Outgoing{}, &vmevent.Ignored{Reason: do.Why}
	}
	return w.vmOutgoing(work, message.FirstID(work.Key()))
}

func (w *Worker) vmOutgoing(work vmevent.Work, id string) (message.Outgoing, error) {
	e := message.Envelope[vmevent.Work]{Source: w.Rules.EventSource, Type: message.VMWorkType, Subject: work.Event.VM.String(), Time: w.Now().UTC(), Data: work}
	return e.Outgoing(id, work.Key())
}

// vmWork continues the work on a VM's event. Each effect may be repeated: generalizing again
// changes nothing, and what is sent has the same MessageId each time.
func (w *Worker) vmWork(ctx context.Context, m message.Received, work vmevent.Work, log *zap.Logger) (Settlement, error) {
	log = log.With(zap.String("vm", work.Event.VM.String()), zap.String("operation", string(work.Event.Operation)))
	if m.DeliveryCount >= w.Rules.PoisonDelivery {
		return w.poisonedVM(ctx, m, work, log)
	}
	var seen vmevent.Observation = vmevent.Woken{}
	for range maxSteps {
		var do vmevent.Command
		work, do = w.VMPolicy.Step(work, seen, w.Now())
		switch do.Verb {
		case vmevent.Completed:
			return Settlement{}, nil
		case vmevent.Ignore:
			logVMIgnored(log, work, do)
			return Settlement{}, nil
		case vmevent.Continue:
			return Settlement{}, w.resumeVMEvent(ctx, m, work, do, log)
		case vmevent.Send:
			if err := w.sendBuild(ctx, work, do, log); err != nil {
				return Settlement{}, err
			}
			seen = vmevent.Sent{}
		default:
			seen = w.actOnVM(ctx, work, do, log)
		}
		if err := ctx.Err(); err != nil {
			return Settlement{}, fmt.Errorf("the invocation ran out of time after %q: %w", do.Verb, err)
		}
	}
	return Settlement{}, fmt.Errorf("the event about VM %s did not settle within %d steps", work.Event.VM.Name, maxSteps)
}

// poisonedVM tries work whose message came back too often once more, then fails it.
func (w *Worker) poisonedVM(ctx context.Context, m message.Received, work vmevent.Work, log *zap.Logger) (Settlement, error) {
	if !work.Poison {
		log.Error(logPoison, zap.String("outcome", "retried"), zap.String("step", "vm event"))
		work.Poison, work.Seq = true, work.Seq+1
		do := vmevent.Command{Verb: vmevent.Continue, At: w.Now().Add(w.Policy.HandOver), Reason: "delivered too often: tried once more"}
		return Settlement{}, w.resumeVMEvent(ctx, m, work, do, log)
	}
	log.Error(logPoison, zap.String("outcome", "failed"), zap.String("step", "vm event"))
	text := fmt.Sprintf("the event about VM %s was delivered %d times without being dealt with: submit a request for its image by hand (goldmint submit --vm %s)",
		work.Event.VM.Name, m.DeliveryCount, work.Event.VM)
	e := work.Failed("PoisonMessage", text, w.Now())
	if err := w.publish(ctx, e); err != nil {
		return Settlement{}, fmt.Errorf("publish the failure: %w", err)
	}
	logPublished(log.With(zap.String("buildId", e.Data.BuildID), zap.String("digest", e.Data.Digest[:12])), e.Data.ImageID, e)
	return Settlement{"PoisonMessage", text + ". " + remedy}, nil
}

// sendBuild sends the build of a VM's image to the builds queue like any other build, with an id
// that only this VM has.
func (w *Worker) sendBuild(ctx context.Context, work vmevent.Work, do vmevent.Command, log *zap.Logger) error {
	b := build.New(do.Request, do.Request.SubscriptionID, work.EnqueuedAt)
	out, err := w.outgoing(b, firstID(b))
	if err != nil {
		return err
	}
	if err := w.Bus.Enqueue(ctx, out); err != nil {
		return fmt.Errorf("send the VM's build: %w", err)
	}
	log.Info(logVMEventRequested, zap.String("buildId", do.Request.ID), zap.String("name", do.Request.Name), zap.Strings("tagsLeftOut", do.Dropped))
	return nil
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
	logStepFailed(log, do.Verb, err)
	return vmevent.Errored{Verb: do.Verb, Err: arm}
}

func (w *Worker) performOnVM(ctx context.Context, work vmevent.Work, do vmevent.Command) (vmevent.Observation, error) {
	if do.Verb == vmevent.Publish {
		return vmevent.Published{}, w.publish(ctx, do.Event)
	}
	ctx, cancel := w.forARM(ctx)
	defer cancel()
	switch do.Verb {
	case vmevent.Read:
		return w.VMs.VM(ctx, work.Event.VM)
	case vmevent.Prepare:
		return vmevent.Prepared{}, w.VMs.Generalize(ctx, work.Event.VM)
	case vmevent.Find:
		id, err := w.VMs.ImageOf(ctx, do.Request)
		return vmevent.Found{ImageID: id}, err
	default:
		return nil, fmt.Errorf("no such command: %q", do.Verb)
	}
}

func (w *Worker) resumeVMEvent(ctx context.Context, m message.Received, work vmevent.Work, do vmevent.Command, log *zap.Logger) error {
	out, err := w.vmOutgoing(work, message.NextID(work.Key(), work.Seq, m.SequenceNumber))
	if err != nil {
		return err
	}
	out.At = do.At
	if err := w.Bus.Enqueue(ctx, out); err != nil {
		return fmt.Errorf("send the work on: %w", err)
	}
	log.Info(logVMEventContinued, zap.Time("at", do.At), zap.String("reason", do.Reason), zap.Int("seq", work.Seq))
	return nil
}

// logIgnored logs an event that asks for nothing. It warns if an allow-list is the reason, because
// somebody may miss the image.
func logIgnored(log *zap.Logger, ignored *vmevent.Ignored) {
	level := zap.InfoLevel
	if ignored.Reason == vmevent.NotAllowed {
		level = zap.WarnLevel
	}
	log.Log(level, logVMEventIgnored, zap.String("reason", string(ignored.Reason)))
}

// logVMIgnored logs that no image is made of a VM.
func logVMIgnored(log *zap.Logger, work vmevent.Work, do vmevent.Command) {
	level := zap.InfoLevel
	if do.Warn {
		level = zap.WarnLevel
	}
	log.Log(level, logVMEventIgnored, zap.String("reason", string(do.Why)), zap.String("detail", do.Detail), zap.Int("seq", work.Seq))
}
