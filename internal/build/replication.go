package build

import (
	"strconv"
	"time"

	"goldmint/internal/event"
	"goldmint/internal/request"
)

// When to look at the replication of a gallery image version. No recorded region was done earlier,
// and only people use this progress.
const (
	firstProgress = 2 * time.Minute // after the operation's start
	progressEvery = time.Minute     // at most
)

// progressDue reports whether to look at the version after the operation. That look only reports
// progress and decides nothing.
func (p Policy) progressDue(b Build, now time.Time) bool {
	a := b.Attempt
	return b.Request.Target() == request.GalleryImageVersion && b.Announced &&
		age(a.StartedAt, b.message.date, now) >= firstProgress && now.Sub(a.ProgressAt) >= progressEvery
}

// progressed handles a look at the version while its operation runs.
func (p Policy) progressed(b Build, i Image, now time.Time) (Build, Command) {
	b.message.progress = false
	if i.BuildTag != b.Tag() {
		return p.watchLater(b, now)
	}
	return p.replicating(b, i, now)
}

// replicating publishes the progress when one more region has the version, and waits for the
// others.
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
