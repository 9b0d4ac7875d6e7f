package build

import (
	"time"

	"goldmint/internal/event"
)

// succeed ends the build with the image.
func (p Policy) succeed(b Build, i Image, reused bool, now time.Time) (Build, Command) {
	return b.end(b.succeededEvent(i, reused, now))
}

// fail ends the build without one. The failure stays in the build, so that a build whose event could not be published
// comes to the same end again.
func (p Policy) fail(b Build, f Failure, now time.Time) (Build, Command) {
	f.Final = true
	b.Failure = &f
	return b.end(b.failedEvent(f, now))
}

func (b Build) end(e event.Event) (Build, Command) {
	b.ended, b.Step = true, Publish
	return b, Command{Verb: Publish, Event: e}
}

// Poisoned is the end of a build whose message was delivered too often to be tried again: with the image if it is there,
// else failed. seen is the zero Image when ARM could not be asked.
func (b Build) Poisoned(seen Image, text string, now time.Time) event.Event {
	if seen.Exists && seen.BuildTag == b.Tag() && seen.is("Succeeded") {
		return b.succeededEvent(seen, false, now)
	}
	return b.failedEvent(failure("PoisonMessage", text, true), now)
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
