package build

import (
	"time"

	"goldmint/internal/event"
)

// succeed ends the build with the image.
func (p Policy) succeed(b Build, i Image, reused bool, now time.Time) (Build, Command) {
	b.ended, b.Step = true, Publish
	e := b.event(event.Succeeded, event.Ended, now)
	e.Subject = i.ID
	e.Data.ImageID, e.Data.Location, e.Data.HyperVGeneration = i.ID, i.Location, i.HyperVGeneration
	e.Data.Reused = reused
	e.Data.EndedAt = &now
	return b, Command{Verb: Publish, Event: e}
}

// fail ends the build without one. The failure stays in the build, so that a build whose event could not be published
// comes to the same end again.
func (p Policy) fail(b Build, f Failure, now time.Time) (Build, Command) {
	f.Final = true
	b.ended, b.Step, b.Failure = true, Publish, &f
	e := b.event(event.Failed, event.Ended, now)
	e.Data.Error = &f.Error
	e.Data.EndedAt = &now
	return b, Command{Verb: Publish, Event: e}
}

func (b Build) startedEvent(now time.Time) event.Event { return b.event(event.Started, event.Begun, now) }
