package build

import (
	"time"

	"goldmint/internal/event"
)

// succeed ends the build with the image. That another's image is reused is written down first, as a
// failure is: it may be gone when the message is delivered again.
func (p Policy) succeed(b Build, i Image, v Verdict, now time.Time) (Build, Command) {
	b.Verdict = v
	if v == Reused && b.message.verdict == "" {
		return p.requeue(b, now, now, "the image is reused, published next")
	}
	return b.end(b.succeededEvent(i, v == Reused, now))
}

// fail ends the build without one. A failure is written down before it is published: it goes
// through the queue, where the first verdict on a message wins, because a message that is delivered
// again could come to another one. The message that brings it publishes it, as often as need be.
func (p Policy) fail(b Build, f Failure, now time.Time) (Build, Command) {
	f.Final = true
	b.Failure, b.Verdict = &f, Failed
	if b.message.verdict == "" {
		return p.requeue(b, now, now, "failed with "+f.Code+", published next")
	}
	return b.end(b.failedEvent(f, now))
}

// decided: the message brought the verdict, and the image is looked at for the last time.
func (p Policy) decided(b Build, i Image, now time.Time) (Build, Command) {
	own := i.Exists && i.BuildTag == b.Tag()
	switch {
	case own && i.is("Succeeded"): // better late than never
		return p.succeed(b, i, Created, now)
	case own && i.broken():
		return p.clear(b, now)
	case b.message.verdict == Failed:
		return p.fail(b, *b.Failure, now)
	case b.message.verdict == Reused && i.Exists && i.is("Succeeded"):
		return p.succeed(b, i, Reused, now)
	}
	return p.fail(b, vanished("the image was there and is gone: somebody else deleted it or took its name"), now)
}

func vanished(text string) Failure { return failure("ImageVanished", text, false) }

func (b Build) end(e event.Event) (Build, Command) {
	b.message.ending, b.Step = true, Publish
	return b, Command{Verb: Publish, Event: e}
}

// Poison is what to do about a build whose message was delivered too often to be tried again. The
// first time it continues, later than the others, for it may only have been in one process with a
// message that kills. The second time it has failed, unless its image is there. Either goes through
// the queue: a build that an earlier delivery has sent on goes on, for its continuation has the
// same MessageId and came first.
func (p Policy) Poison(b Build, text string, now time.Time) (Build, Command) {
	b.message = message{redelivered: true}
	if b.Poison {
		return p.fail(b, failure("PoisonMessage", text, true), now)
	}
	b.Poison = true
	stagger := p.HandOver + time.Duration(float64(p.HandOver)*b.spread())
	return p.requeue(b, now, now.Add(stagger), "delivered too often: tried once more, by itself")
}

// Refuse is the end of a build that the handler's own rules refuse although ARM has work of it: its
// allow-list was narrowed. It goes through the queue like every failure, and the message that
// brings it publishes it and touches nothing.
func (p Policy) Refuse(b Build, code, text string, now time.Time) (Build, Command) {
	return p.fail(b, failure(code, text, false), now)
}

// Poisoned is the end of a decided build that could not be published within the allowed deliveries.
// seen is the zero Image when ARM could not be asked.
func (b Build) Poisoned(seen Image, text string, now time.Time) event.Event {
	if seen.Exists && seen.BuildTag == b.Tag() && seen.is("Succeeded") {
		return b.succeededEvent(seen, false, now)
	}
	f := failure("PoisonMessage", text, true)
	if b.Failure != nil {
		f = *b.Failure
	}
	return b.failedEvent(f, now)
}

func (b Build) succeededEvent(i Image, reused bool, now time.Time) event.Event {
	e := b.event(event.Succeeded, now)
	e.Data.Location, e.Data.HyperVGeneration, e.Data.Reused = i.Location, i.HyperVGeneration, reused
	e.Data.ReplicationStatus = i.Replication
	e.Data.EndedAt = now
	return e
}

func (b Build) failedEvent(f Failure, now time.Time) event.Event {
	e := b.event(event.Failed, now)
	f.Hint = b.hint(f.Error)
	e.Data.Error, e.Data.ReplicationStatus = &f.Error, f.Replication
	e.Data.EndedAt = now
	return e
}

// Queued is the event that says that the request was taken. Its id is the same whenever that
// request is sent, as that of the build's first message is: what is sent again is not announced
// again.
func (b Build) Queued(now time.Time) event.Event {
	e := b.event(event.Queued, now)
	e.ID = event.ID(b.Key(), event.Queued, 1)
	return e
}

// event is what every event of the build says.
func (b Build) event(eventType string, now time.Time) event.Event {
	r, source := b.Request, b.Request.Source()
	d := event.Data{
		BuildID: r.ID, Digest: b.Digest, Run: b.Run, ImageID: b.ImageID(), Name: r.Name, ResourceGroup: r.ResourceGroup,
		SubscriptionID: b.SubscriptionID, Source: event.Source{Type: source.Type, ID: source.ID, UniqueID: b.UniqueID}, RequestedAt: b.RequestedAt, StartedAt: b.AcceptedAt,
		Location: r.Location(), Attempts: b.Attempts, Metadata: r.Metadata,
	}
	if p := r.Image.Properties; p != nil && p.HyperVGeneration != nil {
		d.HyperVGeneration = string(*p.HyperVGeneration)
	}
	if v := r.GalleryImageVersion; v != nil {
		d.GalleryName, d.GalleryImageName = r.GalleryName, r.GalleryImageName
		if v.Properties != nil && v.Properties.PublishingProfile != nil {
			p := v.Properties.PublishingProfile
			d.ExcludeFromLatest = p.ExcludeFromLatest != nil && *p.ExcludeFromLatest
			if p.EndOfLifeDate != nil {
				d.EndOfLifeDate = *p.EndOfLifeDate
			}
		}
	}
	return event.Event{ID: event.ID(b.Key(), eventType, b.Run), Type: eventType, Subject: b.ImageID(), Time: now, Data: d}
}
