package worker

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"go.uber.org/zap"

	"goldmint/internal/armid"
	"goldmint/internal/build"
	"goldmint/internal/event"
	"goldmint/internal/message"
	"goldmint/internal/request"
	"goldmint/internal/vmevent"
)

// refusal is why a message can never succeed. It ends as a rejected event and in the dead-letter
// queue.
type refusal struct {
	reason   string // PascalCase, of the dead-letter queue
	text     string // for a person
	buildID  string
	digest   string
	problems []request.Problem
}

func (r *refusal) Error() string { return r.reason + ": " + r.text }

// refuse is the refusal of a message of which only the ids are known.
func refuse(m message.Received, reason, format string, args ...any) *refusal {
	return &refusal{
		reason: reason, text: fmt.Sprintf(format, args...),
		buildID: request.Identity("", m.ID, m.SequenceNumber), digest: digestOf(m.Body),
	}
}

// take checks a message from outside and sends it on to the builds queue.
func (w *Worker) take(ctx context.Context, m message.Received, log *zap.Logger) (Settlement, error) {
	if m.DeliveryCount >= w.Rules.PoisonDelivery {
		if err := w.probe(ctx, m); err != nil {
			return w.refused(ctx, m, err, log)
		}
	}
	taken, err := w.handOn(m)
	var ignored *vmevent.Ignored
	if errors.As(err, &ignored) {
		logIgnored(log, ignored)
		return Settlement{}, nil
	}
	if err != nil {
		return w.refused(ctx, m, err, log)
	}
	if taken.queued.Type != "" { // first, so that it is the first event of the build
		w.news(ctx, taken.queued, log)
	}
	if err := w.Bus.Enqueue(ctx, taken.out); err != nil {
		return Settlement{}, fmt.Errorf("hand the message on: %w", err)
	}
	log.Info(logTaken, zap.String("id", taken.out.ID), zap.String("buildId", taken.out.CorrelationID))
	return Settlement{}, nil
}

// Decode does everything that TakeRequest does before it sends anything. If a message kills the
// process here, it kills every process that gets it; see [Worker.Probe].
func (w *Worker) Decode(m message.Received) { _, _ = w.handOn(m) }

// taken is what a message from outside asks for.
type taken struct {
	out    message.Outgoing // to the builds queue
	queued event.Event      // of a request alone
}

// handOn returns what a message from outside asks for. An error is a *refusal, or *vmevent.Ignored.
func (w *Worker) handOn(m message.Received) (taken, error) {
	switch message.KindOf(m.Body) {
	case message.Build, message.VMWork:
		return taken{}, refuse(m, "InvalidContinuation", "a build under way is taken from the function's own queue alone: send a build request")
	case message.VMEvent:
		out, err := w.takeVMEvent(m)
		return taken{out: out}, err
	default:
		return w.takeRequest(m)
	}
}

func (w *Worker) takeRequest(m message.Received) (taken, error) {
	r, err := request.Decode(m.Body)
	var invalid *request.Invalid
	if errors.As(err, &invalid) {
		refused := refuse(m, invalid.Reason, "%s", invalid.Error())
		refused.buildID, refused.problems = request.Identity(invalid.ID, m.ID, m.SequenceNumber), invalid.Problems
		return taken{}, refused
	}
	if err != nil {
		return taken{}, err
	}
	r = r.WithIdentity(m.ID, m.SequenceNumber)
	if ofVM(r.ID) {
		refused := refuse(m, "ReservedID", "the id %s is of the form that builds made from VM events have: choose another", r.ID)
		refused.buildID = r.ID
		return taken{}, refused
	}
	b := build.New(r, w.Rules.DefaultSubscription, m.EnqueuedAt)
	if err := w.Rules.allow(b); err != nil {
		return taken{}, err
	}
	out, err := w.outgoing(b, firstID(b))
	return taken{out, b.Queued(w.Now())}, err
}

// ofVM reports whether an id has the form of builds from VM events. These ids are reserved: a
// request that took one before its VM is generalized would prevent the VM's image.
func ofVM(buildID string) bool {
	vmID, ok := strings.CutPrefix(buildID, "vm-")
	return ok && armid.IsGUID(vmID)
}

// firstID is the MessageId of a build's first message. The MessageId for a VM has no digest, so
// that a second event about the VM starts nothing, even if the tags have changed.
func firstID(b build.Build) string {
	if ofVM(b.Request.ID) {
		return message.FirstID(b.Request.ID)
	}
	return message.FirstID(b.Key())
}

// outgoing is the build as a message to the builds queue.
func (w *Worker) outgoing(b build.Build, id string) (message.Outgoing, error) {
	e := message.Envelope[build.Build]{Source: w.Rules.EventSource, Type: message.BuildType, Subject: b.ImageID(), Time: w.Now().UTC(), Data: b}
	return e.Outgoing(id, b.Request.ID)
}

// allow checks the build against the handler's own rules.
func (r Rules) allow(b build.Build) error {
	refuse := func(reason, format string, args ...any) error {
		return &refusal{reason: reason, text: fmt.Sprintf(format, args...), buildID: b.Request.ID, digest: b.Digest}
	}
	switch {
	case b.SubscriptionID == "":
		return refuse("SubscriptionMissing", "subscriptionId is missing, and the handler has no default (AZURE_SUBSCRIPTION_ID)")
	case !armid.Allowed(r.AllowedSubscriptions, b.SubscriptionID):
		return refuse("SubscriptionNotAllowed", "subscription %s is not one that this Goldmint may write (ALLOWED_SUBSCRIPTIONS)", b.SubscriptionID)
	case !armid.Allowed(r.AllowedResourceGroups, b.Request.ResourceGroup):
		return refuse("ResourceGroupNotAllowed", "resource group %s is not one that this Goldmint may write (ALLOWED_RESOURCE_GROUPS)", b.Request.ResourceGroup)
	}
	return nil
}

// probe decodes a message that came back too often in a separate process. Otherwise a message that
// kills its reader would end all other invocations of the process, at every delivery.
func (w *Worker) probe(ctx context.Context, m message.Received) error {
	err := w.Probe(ctx, m)
	if !errors.Is(err, ErrKilled) {
		return err
	}
	refused := refuse(m, "PoisonMessage", "delivered %d times, and %v. %s", m.DeliveryCount, err, remedy)
	if id, digest, ok := message.Sent(m.ID); ok {
		refused.buildID, refused.digest = id, digest
	}
	return refused
}

// refused publishes that the message can never succeed and dead-letters it. It returns any other
// error as it is.
func (w *Worker) refused(ctx context.Context, m message.Received, err error, log *zap.Logger) (Settlement, error) {
	var r *refusal
	if !errors.As(err, &r) {
		return Settlement{}, err
	}
	e := event.Event{
		ID: event.ID(request.Key(r.buildID, r.digest), event.Rejected, m.SequenceNumber), Type: event.Rejected, Time: w.Now(),
		Data: event.Data{
			BuildID: r.buildID, Digest: r.digest, RequestedAt: m.EnqueuedAt,
			Error: &event.Error{Code: r.reason, Message: r.text},
		},
	}
	for _, p := range r.problems {
		e.Data.Problems = append(e.Data.Problems, event.Problem{Pointer: p.Pointer, Path: p.Path, Message: p.Message})
	}
	if err := w.publish(ctx, e); err != nil {
		return Settlement{}, fmt.Errorf("publish the rejection: %w", err)
	}
	log.Warn(logRejected, zap.String("buildId", r.buildID), zap.String("reason", r.reason), zap.String("problems", event.Clean(r.text, event.MaxDeadLetter)))
	return Settlement{r.reason, r.text}, nil
}

func digestOf(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}
