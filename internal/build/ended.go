package build

import (
	"time"

	"goldmint/internal/event"
)

// succeed ends the build with the image. The reuse of another build's image is stored in a message
// first, like a failure, because that image may be gone when the message is delivered again.
func (p Policy) succeed(b Build, i Image, v Verdict, now time.Time) (Build, Command) {
	b.Verdict = v
	if v == Reused && b.message.verdict == "" {
		return p.requeue(b, now, now, "the image is reused, published next")
	}
	return b.end(b.succeededEvent(i, v == Reused, now))
}

// fail ends the build without an image. The failure goes through the queue before it is published,
// because a second delivery of the message could come to another verdict. In the queue the first
// verdict on a message wins. The message with the verdict publishes it, if necessary several times.
func (p Policy) fail(b Build, f Failure, now time.Time) (Build, Command) {
	f.Final = true
	b.Failure, b.Verdict = &f, Failed
	if b.message.verdict == "" {
		return p.requeue(b, now, now, "failed with "+f.Code+", published next")
	}
	return b.end(b.failedEvent(f, now))
}

// decided handles the last look at the image of a build whose message has the verdict.
func (p Policy) decided(b Build, i Image, now time.Time) (Build, Command) {
	own := i.Exists && i.BuildTag == b.Tag()
	switch {
	case own && i.is("Succeeded"): // a late success is a success
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
// first time it continues, later than the others, because another message may have killed their
// common process. The second time it has failed, unless its image exists. Both results go through
// the queue. If an earlier delivery has sent the build on already, that continuation has the same
// MessageId and wins.
func (p Policy) Poison(b Build, text string, now time.Time) (Build, Command) {
	b.message = message{redelivered: true}
	if b.Poison {
		return p.fail(b, failure("PoisonMessage", text, true), now)
	}
	b.Poison = true
	stagger := p.HandOver + time.Duration(float64(p.HandOver)*b.spread())
	return p.requeue(b, now, now.Add(stagger), "delivered too often: tried once more, by itself")
}

// Refuse is the end of a build that the handler's rules refuse although ARM works on it already,
// because an allow-list was narrowed. It goes through the queue like every failure. The message
// with the verdict publishes it and changes nothing at ARM.
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

// Queued is the event that says that the request was accepted. Its id, like that of the build's
// first message, is the same each time the request is sent, so a repeated request has no second
// event.
func (b Build) Queued(now time.Time) event.Event {
	e := b.event(event.Queued, now)
	e.ID = event.ID(b.Key(), event.Queued, 1)
	return e
}

// event is an event with what all events of the build have in common.
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
