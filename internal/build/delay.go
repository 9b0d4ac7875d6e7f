package build

import (
	"slices"
	"time"

	"goldmint/internal/armerr"
	"goldmint/internal/event"
)

// Why a build waits before ARM works on its image.
const (
	rateLimited = "RateLimited" // for ARM's rate limit of creations
	refused     = "Refused"     // ARM refuses the request, but may accept it soon
	unavailable = "Unavailable" // ARM fails or is not reachable
	nameInUse   = "NameInUse"   // another writer is at work on an image of the name
)

// short is the longest wait that is not worth an event.
const short = 10 * time.Second

// announce adds to a continuation the event that says what the build waits for, once for each
// reason and run, so that its sender knows the reason during the wait. A build that ARM works on is
// in progress, not delayed.
func (b Build) announce(do Command, d event.Delay, now time.Time) (Build, Command) {
	if do.Verb != Continue || b.Attempts > 0 || slices.Contains(b.Delays, d.Reason) {
		return b, do
	}
	b.Delays = append(slices.Clone(b.Delays), d.Reason)
	do.Event = b.event(event.Delayed, now)
	do.Event.ID = event.ID(b.Key(), event.Delayed, b.Run, d.Reason)
	do.Event.Data.Delay = &d
	return b, do
}

// postponed handles a creation that may not start yet: others go first, or ARM's rate limit is used
// up for now.
func (p Policy) postponed(b Build, o Postponed, now time.Time) (Build, Command) {
	b, do := p.pause(b, now, o.At.Sub(now), o.Reason)
	if do.At.Sub(now) < short {
		return b, do
	}
	return b.announce(do, event.Delay{Reason: rateLimited, Message: "Azure allows no more creations for now", Ahead: o.Ahead, Until: do.At.UTC()}, now)
}

// delayed publishes that an error of ARM holds the build up. until is when it gives up trying, or
// zero.
func (b Build) delayed(do Command, e *armerr.Error, until, now time.Time) (Build, Command) {
	d := event.Delay{Reason: unavailable, Code: e.Name(), Message: "Azure says " + e.Reason(), Until: do.At.UTC()}
	switch e.Class() {
	case armerr.Throttled:
		d.Reason = rateLimited
	case armerr.MayHeal:
		d.Reason, d.Until = refused, until.UTC()
	case armerr.Transient:
		if b.Transient < 2 {
			return b, do // the next attempt shows whether it works
		}
	case armerr.Final:
	}
	if e.Message != "" {
		d.Message += ": " + event.Clean(e.Message, maxDelayMessage)
	}
	return b.announce(do, d, now)
}

const maxDelayMessage = 500
