package build

import (
	"strconv"
	"time"

	"goldmint/internal/event"
	"goldmint/internal/request"
)

// When to look at how far a gallery image version is replicated: no region was recorded to be done
// earlier, and the news is for people.
const (
	firstProgress = 2 * time.Minute // after the operation's start
	progressEvery = time.Minute     // at most
)

// progressDue says that the look at the operation is to be followed by one at the version. Nothing
// is decided by that.
func (p Policy) progressDue(b Build, now time.Time) bool {
	a := b.Attempt
	return b.Request.Target() == request.GalleryImageVersion && b.Announced &&
		age(a.StartedAt, b.message.date, now) >= firstProgress && now.Sub(a.ProgressAt) >= progressEvery
}

// progressed: the version was looked at while its operation is at work.
func (p Policy) progressed(b Build, i Image, now time.Time) (Build, Command) {
	b.message.progress = false
	if i.BuildTag != b.Tag() {
		return p.watchLater(b, now)
	}
	return p.replicating(b, i, now)
}

// replicating publishes how far the version is, when a region has it that had not the last time,
// and waits for the rest.
func (p Policy) replicating(b Build, i Image, now time.Time) (Build, Command) {
	done := i.Replication.Done()
	if done <= b.Regions || !b.Announced {
		return p.announced(b, now)
	}
	b.message.regions = done
	e := b.event(event.Replicating, now)
	e.ID = event.ID(b.Key(), event.Replicating, b.Run, strconv.Itoa(done))
	e.Data.ReplicationStatus = i.Replication
	return b, Command{Verb: Publish, Event: e}
}
