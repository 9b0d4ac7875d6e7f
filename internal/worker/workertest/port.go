package workertest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"goldmint/internal/armerr"
	"goldmint/internal/build"
	"goldmint/internal/event"
	"goldmint/internal/message"
)

// busPort is worker.Bus for one invocation.
type busPort struct{ inv *invocation }

var (
	errBus    = errors.New("amqp: link detached")
	errDenied = errors.New("unauthorized access: 'Send' claim(s) are required to perform this operation")
)

// Publish sends the event to the topic. That ARM is asked comes from beside the coroutine, which
// alone may touch the world; nothing depends on it, so nothing is done about it.
func (p busPort) Publish(_ context.Context, e event.Event) error {
	if e.Type == event.Asked {
		return nil
	}
	return p.send("publish "+e.Type, func() { p.inv.i.w.publish(e) })
}

// Enqueue sends the message to the builds queue.
func (p busPort) Enqueue(_ context.Context, m message.Outgoing) error {
	w := p.inv.i.w
	return p.send("continue at "+clockTime(m.At), func() {
		if w.builds.send(m, keyOf(m.ID), false) {
			w.continued(keyOf(m.ID))
		} else {
			w.tell("bus", keyOf(m.ID), "dropped %s: a duplicate", m.ID)
		}
	})
}

// DeadLetter moves the invocation's own message.
func (p busPort) DeadLetter(_ context.Context, _ message.Queue, _, reason, description string) error {
	moved := false
	err := p.send("dead-letter "+reason, func() { moved = p.inv.q.deadLetter(p.inv.m, p.inv.lock, reason, description) })
	if err == nil && !moved {
		return errors.New("com.microsoft:message-lock-lost")
	}
	return err
}

func (p busPort) send(what string, land func()) error {
	inv, w := p.inv, p.inv.i.w
	w.tell(inv.i.name, inv.m.key, "%s", what)
	switch {
	case w.denied():
		inv.sleep(w.between(10*time.Millisecond, 100*time.Millisecond))
		return errDenied
	case w.chance(w.Faults.SendFails):
		inv.sleep(w.between(10*time.Millisecond, 20*time.Second))
		return errBus
	case w.chance(w.Faults.SendLost):
		w.clock.after(w.between(time.Millisecond, 10*time.Millisecond), land)
		inv.sleep(w.between(10*time.Millisecond, 20*time.Second))
		return errBus
	}
	w.clock.after(w.between(time.Millisecond, 10*time.Millisecond), land)
	inv.sleep(w.between(10*time.Millisecond, 30*time.Millisecond))
	return nil
}

// armPort is worker.ARM for one invocation.
type armPort struct{ inv *invocation }

// Image looks at the image.
func (p armPort) Image(_ context.Context, id string) (build.Image, error) {
	return call(p.inv, build.Look, func() (build.Image, time.Duration, *armerr.Error) {
		seen := p.inv.i.w.arm.get(id)
		p.inv.absent = !seen.Exists
		return seen, 0, nil
	})
}

// Create puts the image.
func (p armPort) Create(_ context.Context, b build.Build) (build.Accepted, error) {
	return call(p.inv, build.Create, func() (build.Accepted, time.Duration, *armerr.Error) {
		return p.inv.i.w.arm.put(p.inv, b)
	})
}

// Operation looks at the operation.
func (p armPort) Operation(_ context.Context, b build.Build) (build.Operation, error) {
	return call(p.inv, build.Watch, func() (build.Operation, time.Duration, *armerr.Error) {
		op, err := p.inv.i.w.arm.operation(b.Attempt.Token, b.ImageID())
		return op, 0, err
	})
}

// Delete deletes the image.
func (p armPort) Delete(_ context.Context, id string) error {
	_, err := call(p.inv, build.Delete, func() (build.Deleted, time.Duration, *armerr.Error) {
		p.inv.i.w.arm.remove(p.inv, id)
		return build.Deleted{}, 0, nil
	})
	return err
}

// call is one request to ARM and its answer, each with a delay. land is what ARM does when the
// request arrives, and returns how long that takes. A sent request lands even if the caller dies
// first.
func call[T any](inv *invocation, verb build.Verb, land func() (T, time.Duration, *armerr.Error)) (T, error) {
	w := inv.i.w
	budget := max(inv.expires.Sub(w.clock.now)*3/4, time.Millisecond)
	f := w.fate(inv.m.key, verb, budget)
	var answer T
	var takes time.Duration
	var refused *armerr.Error
	if f.lands {
		w.clock.after(f.lag, func() { answer, takes, refused = land() })
	}
	if f.err != nil || f.silent {
		if f.silent {
			inv.sleep(budget)
		} else {
			inv.sleep(f.lag + w.between(time.Millisecond, 100*time.Millisecond))
		}
		w.tell(inv.i.name, inv.m.key, "%s: %s", verb, f)
		w.refusal(inv.m.key, f.err)
		return *new(T), f.error()
	}
	inv.sleep(f.lag)
	inv.sleep(takes + w.between(time.Millisecond, 50*time.Millisecond))
	if w.Trace != nil {
		w.tell(inv.i.name, inv.m.key, "%s: %s", verb, said(answer, refused))
	}
	if refused != nil {
		w.refusal(inv.m.key, refused)
		return *new(T), refused
	}
	return answer, nil
}

func said(answer any, refused *armerr.Error) string {
	if refused != nil {
		return refused.Error()
	}
	switch a := answer.(type) {
	case build.Image:
		if !a.Exists {
			return "absent"
		}
		return fmt.Sprintf("image of %q is %s", a.BuildTag, a.State)
	case build.Accepted:
		return fmt.Sprintf("accepted, operation %s", a.Token)
	case build.Operation:
		return fmt.Sprintf("operation %s", a.Status)
	}
	return "accepted"
}

// fate is the outcome of a call.
type fate struct {
	lands  bool
	lag    time.Duration // until it lands
	silent bool          // no answer until the caller's timeout
	err    *armerr.Error
}

func (f fate) String() string {
	switch {
	case f.silent:
		return fmt.Sprintf("no answer (landed: %t)", f.lands)
	case f.lands:
		return "the answer is lost"
	}
	return f.err.Error()
}

func (f fate) error() error {
	if f.silent {
		return context.DeadlineExceeded
	}
	return f.err
}

// fate draws the outcome of a call.
func (w *World) fate(key string, verb build.Verb, budget time.Duration) fate {
	f, at := w.Faults, fate{lands: true, lag: w.between(5*time.Millisecond, 80*time.Millisecond)}
	unavailable := func() *armerr.Error {
		status := []int{500, 502, 503}[w.rng.IntN(3)]
		return &armerr.Error{Status: status, Code: map[int]string{500: "InternalServerError", 503: "ServiceUnavailable"}[status]}
	}
	refused := func(e *armerr.Error) fate { return fate{lag: at.lag, err: e} }
	switch {
	case w.out():
		if w.chance(0.3) {
			return fate{silent: true}
		}
		return refused(unavailable())
	case w.chance(f.Lost):
		at.err = armerr.Unreachable(errors.New("connection reset by peer"))
		return at
	case w.chance(f.Refused):
		return refused(armerr.Unreachable(errors.New("connection refused")))
	case w.chance(f.Timeout):
		// Where two builds share a name, nothing lands later than a creation takes. ARM has no
		// conditional PUT or DELETE of images, so a delayed request cannot be distinguished from a
		// new one.
		at.silent, at.lands = true, w.chance(0.5)
		if w.shared(key) {
			budget = min(budget, 4*time.Second)
		}
		at.lag = w.between(0, budget)
		return at
	case w.chance(f.Unavailable):
		return refused(unavailable())
	case w.chance(f.Throttled):
		return refused(&armerr.Error{Status: 429, Code: "OperationNotAllowed", RetryAfter: w.between(time.Second, 3*time.Minute)})
	}
	if verb == build.Create {
		switch {
		case w.chance(f.Conflict):
			return refused(&armerr.Error{Status: 409, Code: "ConflictingConcurrentWriteNotAllowed"})
		case w.chance(f.Final):
			return refused(&armerr.Error{Status: 409, Code: "OperationNotAllowed", Message: "the VM is not generalized"})
		}
	}
	if w.doubted(key) {
		return refused(&armerr.Error{Status: 403, Code: "AuthorizationFailed"})
	}
	return at
}
