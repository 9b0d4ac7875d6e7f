package vmevent

import (
	"fmt"
	"strings"
	"time"

	"goldmint/internal/build"
	"goldmint/internal/iso8601"
)

// patience is how long to wait before each look at a VM that is not ready: ARM shows a new state within seconds, a
// deallocation was recorded to take up to 503 s.
var patience = []time.Duration{
	5 * time.Second, 10 * time.Second, 20 * time.Second, 40 * time.Second, time.Minute, 2 * time.Minute, 2 * time.Minute, 2 * time.Minute, 2 * time.Minute,
}

// doubts are the waits before a refusal is believed that may heal: a VM just made, a role just assigned. Event Grid speaks
// of every VM of the subscription and the role covers some, so they are few.
var doubts = []time.Duration{5 * time.Second, 30 * time.Second, 2 * time.Minute}

const (
	backoff    = 5 * time.Second // after the first temporary failure; doubles
	maxBackoff = 5 * time.Minute
)

func (p Policy) lookAgain(w Work, reason string, now time.Time) (Work, Command) {
	wait := patience[w.Looks]
	w.Looks++
	return p.later(w, wait, reason, now)
}

// trouble: a command did not go through.
func (p Policy) trouble(w Work, o Trouble, now time.Time) (Work, Command) {
	if o.Err == nil {
		if !now.Before(p.deadline(w)) {
			return leave(w, CouldNotPublish, true, "")
		}
		w.Trouble++
		return p.later(w, w.backoff(0), string(CouldNotPublish), now)
	}
	switch meaning := o.Err.Meaning(); {
	case meaning == build.Retry, meaning == build.Throttled:
		w.Trouble++
		return p.later(w, w.backoff(o.Err.RetryAfter), "ARM: "+reason(o.Err), now)
	case o.Verb == Prepare && meaning == build.Final: // the VM is busy, or was started again
		if w.Looks < len(patience) {
			return p.lookAgain(w, "generalize: "+reason(o.Err), now)
		}
	case w.Doubts < len(doubts):
		w.Doubts++
		return p.later(w, doubts[w.Doubts-1], "not believed yet: "+reason(o.Err), now)
	}
	if o.Verb == Read {
		return leave(w, Unreadable, true, reason(o.Err))
	}
	code := o.Err.Code
	if code == "" {
		code = fmt.Sprintf("Http%d", o.Err.Status)
	}
	return p.fail(w, code, o.Err.Message+advice(o), false, now)
}

// advice is what to do about an error that is final.
func advice(o Trouble) string {
	right := map[Verb]string{Prepare: "Microsoft.Compute/virtualMachines/generalize/action", Find: "Microsoft.Compute/images/read"}[o.Verb]
	if o.Err.Status == 401 || o.Err.Status == 403 {
		return " Give Goldmint's identity a role with " + right + "."
	}
	if o.Verb == Prepare {
		return " Deallocate the VM and generalize it by hand, or deallocate it again."
	}
	return ""
}

// later waits, within MAX_WAIT of the event's arrival.
func (p Policy) later(w Work, wait time.Duration, reason string, now time.Time) (Work, Command) {
	deadline := p.deadline(w)
	if now.Before(deadline) && w.Seq < maxSeq {
		w.Seq++
		at := now.Add(wait)
		if at.After(deadline) {
			at = deadline
		}
		return w, Command{Verb: Continue, At: at, Reason: reason}
	}
	if w.plan.request.ID == "" { // nothing of the VM was read, so nothing is told of it
		return leave(w, Unreadable, true, reason)
	}
	return p.fail(w, "WaitedTooLong", "the VM could not be captured within "+iso8601.Format(p.MaxWait)+" (MAX_WAIT): "+reason, true, now)
}

func (p Policy) deadline(w Work) time.Time { return w.EnqueuedAt.Add(p.MaxWait) }

// backoff doubles with each failure, spread so that the events of one outage do not come back together.
func (w Work) backoff(asked time.Duration) time.Duration {
	d := backoff
	for range min(w.Trouble-1, 16) {
		d = min(2*d, maxBackoff)
	}
	d = max(d, asked)
	return d + time.Duration(float64(d)*0.25*w.spread())
}

// reason is the error in a few words.
func reason(e *build.ARMError) string {
	if e.Status == 0 {
		return "no answer"
	}
	return strings.TrimSpace(fmt.Sprintf("%d %s", e.Status, e.Code))
}
