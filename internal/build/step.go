package build

import (
	"time"

	"goldmint/internal/event"
	"goldmint/internal/iso8601"
	"goldmint/internal/request"
)

// Step takes what was observed and returns what the build is now and the one thing to do next.
//
// Its rules: look before every PUT. Every verdict comes from the image, and only if it has the
// build's own tag. After each wait ask ARM first; a deadline ends the build only where it would
// wait again. A message that was delivered before creates and deletes nothing. A failure is stored
// in a message before it is published.
func (p Policy) Step(b Build, seen Observation, now time.Time) (Build, Command) {
	switch o := seen.(type) {
	case Woken:
		b.message = message{redelivered: o.Redelivered, verdict: b.Verdict}
		if b.Attempt.Token != "" && !b.Decided() {
			return p.do(b, Watch)
		}
		return p.do(b, Look)
	case Image:
		switch {
		case b.message.progress:
			return p.progressed(b, o, now)
		case b.message.verdict != "":
			return p.decided(b, o, now)
		case !o.Exists:
			return p.absent(b, now)
		case o.BuildTag == b.Tag():
			return p.own(b, o, now)
		default:
			return p.foreign(b, o, now)
		}
	case Accepted:
		return p.accepted(b, o, now)
	case Postponed:
		return p.postponed(b, o, now)
	case Operation:
		return p.operation(b, o, now)
	case Deleted:
		return p.deleted(b, now)
	case Published:
		if b.message.ending {
			return b, Command{Verb: Finish}
		}
		b.Announced = true
		b.Regions = max(b.Regions, b.message.regions)
		return p.watchLater(b, now)
	case Errored:
		return p.errored(b, o, now)
	}
	panic("unknown observation")
}

// do returns the command and stores its verb as the last step.
func (p Policy) do(b Build, v Verb) (Build, Command) {
	b.Step = v
	return b, Command{Verb: v}
}

// absent handles a name without an image.
func (p Policy) absent(b Build, now time.Time) (Build, Command) {
	_, working := b.deadlines(p.MaxWait)
	switch {
	case b.Failure != nil && (b.Failure.Final || b.Attempts >= p.attempts(b)):
		return p.fail(b, *b.Failure, now)
	case b.Failure == nil && b.Attempts > 0:
		if wait, more := young.Wait(b.Grace); more { // ARM may show a finished image with a delay
			b.Grace++
			return p.pause(b, now, wait, "ARM does not show the image yet")
		}
		if f := b.gone(p.attempts(b)); f != nil {
			return p.fail(b, *f, now)
		}
	}
	switch {
	case b.Attempts > 0 && !now.Before(working):
		return p.fail(b, timedOut(b), now)
	case b.message.redelivered:
		return p.handOver(b, now)
	}
	return p.create(b, now)
}

// create asks ARM for the image, and publishes that until ARM has accepted a PUT. The event's id is
// the same each time, so a run has only one such event.
func (p Policy) create(b Build, now time.Time) (Build, Command) {
	b, do := p.do(b, Create)
	if b.Attempts == 0 {
		do.Event = b.event(event.Asked, now)
	}
	return b, do
}

// gone is why a missing image must not be made again after ARM had accepted it and no failure is
// known. It is nil if the image may be made again.
func (b Build) gone(attempts int) *Failure {
	var f Failure
	switch {
	case b.message.created:
		f = vanished("the image was created and is gone: somebody else deleted it")
	case b.Attempt.Redelivered: // an earlier delivery may have published its success, and a newer build may have replaced it
		f = vanished("the image is gone: somebody else deleted it")
	case b.Attempts >= attempts:
		f = vanished("the image is gone: it failed, or somebody else deleted it")
	default:
		return nil
	}
	return &f
}

// own handles an image with this build's tag: its state is the verdict.
func (p Policy) own(b Build, i Image, now time.Time) (Build, Command) {
	if b.Attempts == 0 { // the process that sent the PUT died before it stored that
		b.Attempts, b.AcceptedAt, b.UniqueID = 1, now, i.UniqueID
	}
	b.Transient = 0
	switch {
	case i.is("Succeeded"):
		return p.succeed(b, i, Created, now)
	case i.is("Deleting"):
		return p.pause(b, now, p.looks(b).Gone, "waiting for the deletion")
	case i.broken():
		if b.Failure == nil {
			f := failure("ImageFailed", "ARM left the image in state "+i.State+" and says no more", true)
			f.Final = false
			b.Failure = &f
		}
		b.Failure.Replication = i.Replication.Bounded()
		if b.message.redelivered {
			return p.handOver(b, now)
		}
		return p.do(b, Delete) // a failed image has to be deleted before its name can be used again
	}
	return p.replicating(b, i, now)
}

// foreign handles an image of the name that this build did not make.
func (p Policy) foreign(b Build, i Image, now time.Time) (Build, Command) {
	switch {
	case b.Attempts > 0:
		return p.fail(b, b.takenOver(i), now)
	case i.broken() && i.BuildTag != "":
		return p.clear(b, now)
	case !i.broken() && !i.is("Succeeded"):
		b, do := p.pause(b, now, p.looks(b).Max, "the name is in use: image is "+i.State)
		return b.announce(do, event.Delay{Reason: nameInUse, Message: "an image of that name is " + i.State, Until: do.At.UTC()}, now)
	}
	switch b.Request.IfExists {
	case request.Reuse:
		if i.is("Succeeded") {
			return p.succeed(b, i, Reused, now)
		}
		return p.fail(b, failure("ImageExists", brokenText(b, i.State), false), now)
	case request.Replace:
		switch born := i.born(); {
		case born.IsZero():
			return p.fail(b, failure("ImageAgeUnknown", "an image of that name exists and ARM does not say since when, so it may be newer than this request and is left alone: "+
				"delete it by hand, or choose another name", false), now)
		case !born.Before(b.RequestedAt):
			return p.fail(b, failure("ReplacedByNewerBuild", "the image of that name was created after this request was sent, so it is left alone", false), now)
		}
		return p.clear(b, now)
	default:
		return p.fail(b, failure("ImageExists", existsText(b), false), now)
	}
}

func brokenText(b Build, state string) string {
	if b.Request.Target() == request.GalleryImageVersion {
		return "a version of that number exists and is in state " + state + ": delete it, or choose another number"
	}
	return "an image of that name exists and is in state " + state + ": delete it, or ask with ifExists: replace"
}

func existsText(b Build) string {
	if b.Request.Target() == request.GalleryImageVersion {
		return "a version of that number exists: choose another number, or ask with ifExists: reuse"
	}
	return "an image of that name exists: choose another name, or ask with ifExists: reuse or replace"
}

// takenOver decides about an image without this build's tag after an accepted PUT. The time of
// creation shows whether it is still this build's image. Without that time, another build's tag
// means another image.
func (b Build) takenOver(i Image) Failure {
	const clocks = 3 * time.Second // deleting an image and making another takes longer
	same := i.BuildTag == ""
	if !i.CreatedAt.IsZero() && !b.Attempt.StartedAt.IsZero() {
		same = i.CreatedAt.Before(b.Attempt.StartedAt.Add(clocks))
	}
	if !same {
		return failure("ImageNameTaken", "another writer took the image's name over while this build was running", false)
	}
	return failure("ImageTagsChanged", "the image does not carry the tag "+TagBuildID+" that this build gave it: somebody, perhaps an Azure Policy, "+
		"changed its tags while the build was running, so nothing vouches for it any more. Leave that tag alone, delete the image and ask again", false)
}

// clear removes an image that is in the way.
func (p Policy) clear(b Build, now time.Time) (Build, Command) {
	if b.message.redelivered {
		return p.handOver(b, now)
	}
	return p.do(b, Delete)
}

// accepted handles a PUT that ARM has accepted.
func (p Policy) accepted(b Build, o Accepted, now time.Time) (Build, Command) {
	if b.AcceptedAt.IsZero() {
		b.AcceptedAt = now
	}
	b.Attempts++
	// Until ARM says when the operation began, use the time at which the PUT reached it. ARM may
	// take seconds to answer, and the operation already runs then.
	b.Attempt = Attempt{Token: o.Token, StartedAt: now.Add(-o.Took)}
	b.Transient, b.Grace, b.Failure = 0, 0, nil
	b.UniqueID = o.UniqueID
	if o.Token == "" { // done already, so there is no operation to watch
		return p.do(b, Look)
	}
	return p.announced(b, now)
}

// operation handles a look at the ARM operation.
func (p Policy) operation(b Build, o Operation, now time.Time) (Build, Command) {
	b.Transient = 0
	if !o.StartedAt.IsZero() {
		b.Attempt.StartedAt = o.StartedAt
	}
	switch o.Status {
	case "Succeeded":
		b.message.created = true
		return p.do(b, Look)
	case "Failed":
		b.Attempt.Token = ""
		if o.Err != nil {
			b.Failure = failed(o.Err)
		}
		return p.do(b, Look)
	case "":
		b.Attempt.Token = ""
		return p.do(b, Look)
	default:
		b.Grace = 0
		b.Attempt.Looks++
		b.message.date, b.message.asked = o.Date, o.RetryAfter
		if p.progressDue(b, now) {
			b.Attempt.ProgressAt, b.message.progress = now, true
			return p.do(b, Look)
		}
		return p.announced(b, now)
	}
}

// deleted handles an accepted deletion, of another image with the name or of this build's failed
// image.
func (p Policy) deleted(b Build, now time.Time) (Build, Command) {
	b.Attempt.Token = ""
	if b.Failure != nil && (b.Failure.Final || b.Attempts >= p.attempts(b)) {
		return p.fail(b, *b.Failure, now)
	}
	return p.pause(b, now, p.looks(b).Gone, "waiting for the deletion")
}

// announced makes sure that the started event is published, then waits for the operation.
func (p Policy) announced(b Build, now time.Time) (Build, Command) {
	if !b.Announced {
		return b, Command{Verb: Publish, Event: b.event(event.Started, now)}
	}
	return p.watchLater(b, now)
}

// watchLater waits for ARM's work on the image, within the request's timeout.
func (p Policy) watchLater(b Build, now time.Time) (Build, Command) {
	_, working := b.deadlines(p.MaxWait)
	looks := p.looks(b)
	wait := looks.next(age(b.Attempt.StartedAt, b.message.date, now), b.message.asked)
	if b.Attempt.Token == "" { // only the image can be looked at, which costs ARM more
		wait = max(looks.Min, min(looks.Max, time.Duration(looks.Share*float64(now.Sub(b.AcceptedAt)))))
	}
	if !now.Before(working) {
		return p.fail(b, timedOut(b), now)
	}
	return p.later(b, earlier(now.Add(wait), working), Creating)
}

// pause waits for something that is not ARM's work on this image, within MAX_WAIT.
func (p Policy) pause(b Build, now time.Time, wait time.Duration, reason string) (Build, Command) {
	waiting, _ := b.deadlines(p.MaxWait)
	if !now.Before(waiting) {
		if b.Failure != nil {
			return p.fail(b, *b.Failure, now)
		}
		return p.fail(b, failure("WaitedTooLong", "the build could not go on within "+iso8601.Format(p.MaxWait)+" (MAX_WAIT): "+reason, true), now)
	}
	return p.requeue(b, now, earlier(now.Add(wait), waiting), reason)
}

// handOver leaves to a continuation what a redelivered message must not do. An earlier delivery may
// have sent a continuation with the same MessageId, so at most one of them goes on.
func (p Policy) handOver(b Build, now time.Time) (Build, Command) {
	return p.requeue(b, now, now, "delivered before: handed on")
}

// requeue continues where the image's state is not known. After a redelivery it waits until no
// earlier delivery can be alive, because the PUT or DELETE of one may still be on the way.
func (p Policy) requeue(b Build, now, at time.Time, reason string) (Build, Command) {
	if alive := now.Add(p.HandOver); b.message.redelivered && at.Before(alive) {
		at = alive
	}
	return p.later(b, at, reason)
}

func (p Policy) later(b Build, at time.Time, reason string) (Build, Command) {
	b.Seq++
	b.Attempt.Redelivered = b.Attempt.Redelivered || b.message.redelivered && b.Attempts > 0
	return b, Command{Verb: Continue, At: at, Reason: reason}
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
