package build

import (
	"time"

	"goldmint/internal/armerr"
	"goldmint/internal/event"
	"goldmint/internal/iso8601"
	"goldmint/internal/retry"
)

// errored decides what follows a command that failed.
func (p Policy) errored(b Build, o Errored, now time.Time) (Build, Command) {
	if o.Err == nil {
		return p.unpublished(b, now)
	}
	if b.message.progress { // a look that decides nothing
		return p.watchLater(b, now)
	}
	class := o.Err.Class()
	if o.Verb == Watch && !class.Retryable() {
		b.Attempt.Token = "" // without the operation, the image has to show the outcome
		return p.do(b, Look)
	}
	if o.Verb == Watch && class == armerr.Transient && b.Transient >= unseen {
		return p.do(b, Look) // the operation may be gone for good, and the image decides
	}
	switch class {
	case armerr.Transient, armerr.Throttled:
		b.Transient++
		b, do := p.pause(b, now, p.backoff(b, o.Err.RetryAfter), "Azure says "+o.Err.Reason())
		return b.delayed(do, o.Err, time.Time{}, now)
	case armerr.MayHeal:
		grace := young
		if o.Err.OfRole() {
			grace = youngRole
		}
		if wait, more := grace.Wait(b.Grace); more {
			until := now.Add(grace.Left(b.Grace))
			b.Grace++
			b, do := p.pause(b, now, wait, "not believed yet: "+o.Err.Reason())
			return b.delayed(do, o.Err, until, now)
		}
	case armerr.Final:
	}
	return p.fail(b, b.failureOf(o), now)
}

// failureOf is why the build fails on an error that does not pass.
func (b Build) failureOf(o Errored) Failure {
	switch {
	case b.Failure != nil && b.message.verdict != "":
		return *b.Failure
	case b.Failure != nil && o.Verb == Delete: // keep the first reason: the failed deletion is not why the build failed
		f := *b.Failure
		f.Message += " (and its failed image could not be deleted: " + o.Err.Reason() + ")"
		return f
	}
	f := *failed(o.Err)
	if o.Verb == Delete {
		f.Message += " (the image that has the name could not be deleted, so nothing was made: remove what holds it, or choose another name)"
	}
	return f
}

// unseen is how often in a row ARM may fail to show an operation before the build looks at the
// image as well.
const unseen = 5

// unpublished handles an event that could not be published. The queue may still work, so the build
// continues through it and tries again.
func (p Policy) unpublished(b Build, now time.Time) (Build, Command) {
	if !b.message.ending {
		return p.watchLater(b, now)
	}
	b.message.ending = false
	b.Transient++
	return p.later(b, now.Add(p.backoff(b, 0)), "the event could not be published")
}

// Waits for what passes by itself: a role assignment takes minutes to reach every front end. A new
// resource may be missing for seconds, and so may an image that an operation has just finished.
var (
	youngRole = retry.Grace{30 * time.Second, time.Minute, 2 * time.Minute, 3 * time.Minute, 4 * time.Minute}
	young     = retry.Grace{5 * time.Second, 10 * time.Second, 20 * time.Second}
)

// backoff is how long to wait after the failures in a row.
func (p Policy) backoff(b Build, asked time.Duration) time.Duration {
	return p.Backoff.Delay(b.Transient, asked, b.spread())
}

func (b Build) spread() float64 { return retry.Spread(b.Key(), b.Seq) }

// failed keeps ARM's error for the failed event.
func failed(e *armerr.Error) *Failure {
	class := e.Class()
	f := Failure{Error: event.Error{Code: e.Name(), Message: e.Message, Target: e.Target, Retryable: class.Retryable()}, Final: class == armerr.Final}
	for _, d := range e.Details {
		f.Details = append(f.Details, event.Detail{Code: d.Code, Target: d.Target, Message: d.Message})
	}
	f.Error = f.Bounded() // it travels in continuations
	return &f
}

func failure(code, message string, retryable bool) Failure {
	f := Failure{Final: true}
	f.Error = event.Error{Code: code, Message: message, Retryable: retryable}.Bounded()
	return f
}

func timedOut(b Build) Failure {
	if b.Failure != nil {
		return *b.Failure
	}
	return failure("TimedOut", "ARM did not finish the image within the request's timeout of "+iso8601.Format(b.Request.Timeout)+
		"; the operation goes on in ARM, so the image may still appear", true)
}
