package vmevent

import (
	"time"

	"goldmint/internal/armerr"
	"goldmint/internal/iso8601"
	"goldmint/internal/request"
	"goldmint/internal/retry"
)

var (
	// notReady are the waits before each look at a VM that is not ready: ARM shows a new state
	// within seconds, a deallocation was recorded to take up to 503 s.
	notReady = retry.Grace{
		5 * time.Second, 10 * time.Second, 20 * time.Second, 40 * time.Second, time.Minute, 2 * time.Minute, 2 * time.Minute, 2 * time.Minute, 2 * time.Minute,
	}
	// young are the waits after a refusal that may pass: a new VM, a new role assignment. They are
	// few, because Event Grid reports every VM of the subscription but the role covers only some.
	young   = retry.Grace{5 * time.Second, 30 * time.Second, 2 * time.Minute}
	backoff = retry.Backoff{First: 5 * time.Second, Max: 5 * time.Minute}
)

func (p Policy) lookAgain(w Work, reason string, now time.Time) (Work, Command) {
	wait := notReady[w.Looks]
	w.Looks++
	return p.later(w, wait, reason, now)
}

// errored decides what follows a command that failed.
func (p Policy) errored(w Work, o Errored, now time.Time) (Work, Command) {
	if o.Err == nil {
		if !now.Before(p.deadline(w)) {
			return leave(w, CouldNotPublish, true, "")
		}
		w.Transient++
		return p.later(w, w.backoff(0), string(CouldNotPublish), now)
	}
	switch class := o.Err.Class(); {
	case class.Retryable():
		w.Transient++
		return p.later(w, w.backoff(o.Err.RetryAfter), "ARM: "+o.Err.Reason(), now)
	case o.Verb == Prepare && class == armerr.Final: // the VM is busy, or was started again
		if w.Looks < len(notReady) {
			return p.lookAgain(w, "generalize: "+o.Err.Reason(), now)
		}
	default:
		if wait, more := young.Wait(w.Grace); more {
			w.Grace++
			return p.later(w, wait, "not believed yet: "+o.Err.Reason(), now)
		}
	}
	if o.Verb == Read {
		return leave(w, Unreadable, true, o.Err.Reason())
	}
	return p.fail(w, o.Err.Name(), o.Err.Message+advice(o, w.plan.request.Target()), false, now)
}

// advice is what to do about an error that is final.
func advice(o Errored, target request.Target) string {
	find := "Microsoft.Compute/images/read"
	if target == request.GalleryImageVersion {
		find = "Microsoft.Compute/galleries/images/versions/read"
	}
	right := map[Verb]string{Prepare: "Microsoft.Compute/virtualMachines/generalize/action", Find: find}[o.Verb]
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
	if now.Before(deadline) {
		w.Seq++
		at := now.Add(wait)
		if at.After(deadline) {
			at = deadline
		}
		return w, Command{Verb: Continue, At: at, Reason: reason}
	}
	if w.plan.request.ID == "" { // the VM was not read, so nothing is published about it
		return leave(w, Unreadable, true, reason)
	}
	return p.fail(w, "WaitedTooLong", "the VM could not be captured within "+iso8601.Format(p.MaxWait)+" (MAX_WAIT): "+reason, true, now)
}

func (p Policy) deadline(w Work) time.Time { return w.EnqueuedAt.Add(p.MaxWait) }

func (w Work) backoff(asked time.Duration) time.Duration {
	return backoff.Delay(w.Transient, asked, retry.Spread(w.Key(), w.Seq))
}
