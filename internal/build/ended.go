package build

import (
	"time"

	"goldmint/internal/event"
)

// succeed ends the build with the image.
func (p Policy) succeed(b Build, i Image, reused bool, now time.Time) (Build, Command) {
	return b.end(b.succeededEvent(i, reused, now))
}

// fail ends the build without one. A failure is written down before it is told: it goes through the queue, where the
// first verdict on a message wins, because a message that is delivered again could come to another one. Whoever finds it
// written down tells it, as often as need be.
func (p Policy) fail(b Build, f Failure, now time.Time) (Build, Command) {
	f.Final = true
	b.Failure = &f
	if !b.decided {
		return p.later(b, now, "failed with "+f.Code+", told next")
	}
	return b.end(b.failedEvent(f, now))
}

// decided: the build has failed, and the image is looked at for the last time.
func (p Policy) decided(b Build, i Image, now time.Time) (Build, Command) {
	own := i.Exists && i.BuildTag == b.Tag()
	switch {
	case own && i.is("Succeeded"): // better late than never
		return p.succeed(b, i, false, now)
	case own && i.is("Failed"):
		return p.clear(b, now)
	}
	return p.fail(b, *b.Failure, now)
}

func (b Build) end(e event.Event) (Build, Command) {
	b.ended, b.Step = true, Publish
	return b, Command{Verb: Publish, Event: e}
}

// Poison is the build once its message was delivered too often to be tried again: failed, unless its image is there. It is
// to be continued at once. A build that an earlier delivery has sent on goes on, for its continuation has the same
// MessageId and came first.
func (b Build) Poison(text string) Build {
	f := failure("PoisonMessage", text, true)
	b.Failure = &f
	b.Seq++
	return b
}

// Decided says that the build has failed and nothing but its end is left to be told.
func (b Build) Decided() bool { return b.Failure != nil && b.Failure.Final }

// Poisoned is the end of a decided build that could not be told within the allowed deliveries. seen is the zero Image when
// ARM could not be asked.
func (b Build) Poisoned(seen Image, now time.Time) event.Event {
	if seen.Exists && seen.BuildTag == b.Tag() && seen.is("Succeeded") {
		return b.succeededEvent(seen, false, now)
	}
	return b.failedEvent(*b.Failure, now)
}

func (b Build) succeededEvent(i Image, reused bool, now time.Time) event.Event {
	e := b.event(event.Succeeded, now)
	e.Subject = i.ID
	e.Data.ImageID, e.Data.Location, e.Data.HyperVGeneration, e.Data.Reused = i.ID, i.Location, i.HyperVGeneration, reused
	e.Data.EndedAt = now
	return e
}

func (b Build) failedEvent(f Failure, now time.Time) event.Event {
	e := b.event(event.Failed, now)
	e.Data.Error = &f.Error
	e.Data.EndedAt = now
	return e
}

// event is what every event of the build says.
func (b Build) event(eventType string, now time.Time) event.Event {
	r, source := b.Request, b.Request.Source()
	d := event.Data{
		BuildID: r.ID, Digest: b.Digest, ImageID: b.ImageID(), Name: r.Name, ResourceGroup: r.ResourceGroup,
		SubscriptionID: b.SubscriptionID, Source: event.Source(source), RequestedAt: b.RequestedAt, StartedAt: b.AcceptedAt,
		Attempts: b.Attempts, Metadata: r.Metadata,
	}
	if l := r.Image.Location; l != nil {
		d.Location = *l
	}
	if p := r.Image.Properties; p != nil && p.HyperVGeneration != nil {
		d.HyperVGeneration = string(*p.HyperVGeneration)
	}
	return event.Event{ID: event.ID(b.Key(), eventType), Type: eventType, Subject: b.ImageID(), Time: now, Data: d}
}
