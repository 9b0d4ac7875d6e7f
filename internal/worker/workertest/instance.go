package workertest

import (
	"context"
	"iter"
	"slices"
	"time"

	"go.uber.org/zap"

	"goldmint/internal/message"
	"goldmint/internal/ratelimit"
	"goldmint/internal/worker"
)

// InvocationTimeout bounds a handler's work on one message.
const InvocationTimeout = time.Minute

// instance is one Functions host with its handler process.
type instance struct {
	w       *World
	name    string
	skew    time.Duration // of its clock
	up      bool
	only    message.Queue      // the queue whose function the instance runs; empty for both
	limiter *ratelimit.Limiter // of the process, lost with it
	at      []*invocation      // the messages it works on, in the order in which they came
	crashes []time.Time
}

// free reports whether the host would take another message of the queue: it has slots for each
// function.
func (i *instance) free(q *queue) bool {
	if !i.up || i.only != "" && i.only != q.name {
		return false
	}
	busy := 0
	for _, inv := range i.at {
		if inv.q == q {
			busy++
		}
	}
	return busy < i.w.Slots
}

// dispatch delivers available messages to free instances.
func (w *World) dispatch() {
	w.dispatchOf(w.requests)
	w.dispatchOf(w.builds)
}

func (w *World) dispatchOf(q *queue) {
	for len(q.available) > 0 {
		free := make([]*instance, 0, len(w.instances))
		for _, i := range w.instances {
			if i.free(q) {
				free = append(free, i)
			}
		}
		if len(free) == 0 {
			return
		}
		free[w.rng.IntN(len(free))].receive(q, q.take())
	}
}

// invocation is the handling of one delivery: a coroutine that stops at each call of a port.
type invocation struct {
	i       *instance
	q       *queue
	m       *entry
	lock    int
	first   bool // delivery of the message
	expires time.Time

	next func() (time.Duration, bool)
	stop func()
	wait func(time.Duration) bool // false: the process is dead
	err  error

	crashed bool // the message kills the handler
	absent  bool // the last look saw no image
}

// killed unwinds the coroutine of a process that is dead.
type killed struct{}

func (i *instance) receive(q *queue, m *entry) {
	inv := &invocation{i: i, q: q, m: m, lock: m.lock, first: m.deliveries == 1}
	i.at = append(i.at, inv)
	i.w.stats.Deliveries++
	if r := i.w.records[m.key]; r != nil {
		r.deliveries = max(r.deliveries, m.deliveries)
	}
	i.w.tell(i.name, m.key, "received %s (delivery %d)", m.id, m.deliveries)
	inv.next, inv.stop = iter.Pull(inv.body)
	i.w.clock.after(i.w.between(time.Millisecond, 10*time.Millisecond), func() {
		inv.expires = i.w.clock.now.Add(InvocationTimeout)
		inv.resume()
	})
}

// body is the handler's work on the message until its answer to the host.
func (inv *invocation) body(yield func(time.Duration) bool) {
	defer func() {
		if p := recover(); p != nil {
			if _, dead := p.(killed); !dead {
				inv.i.w.violated(inv.m.key, "the handler panicked: %v", p)
			}
		}
	}()
	inv.wait = yield
	m := inv.m
	in := message.Received{
		Body: m.body, ID: m.id, LockToken: "lock", SequenceNumber: m.sequence, EnqueuedAt: m.enqueuedAt, DeliveryCount: m.deliveries,
	}
	if w := inv.worker(&in); inv.q == inv.i.w.requests {
		inv.err = w.TakeRequest(deadline{inv}, in)
	} else {
		inv.err = w.BuildImage(deadline{inv}, in)
	}
	inv.sleep(time.Millisecond)
}

// worker is the real worker with the ports of this invocation.
func (inv *invocation) worker(in *message.Received) *worker.Worker {
	i := inv.i
	w := &worker.Worker{
		Bus: busPort{inv}, ARM: armPort{inv}, Policy: i.w.Policy, Rules: i.w.Rules, Log: zap.NewNop(),
		Now: inv.now, Limits: i.limiter, Probe: inv.probe,
	}
	if i.w.mutate != nil {
		i.w.mutate(inv, w, in)
	}
	return w
}

// probe decodes the message in a separate process.
func (inv *invocation) probe(context.Context, message.Received) error {
	inv.sleep(inv.i.w.between(20*time.Millisecond, 200*time.Millisecond))
	if inv.m.kills {
		return worker.ErrKilled
	}
	return nil
}

// now is the instance's clock. The handler calls it before it reads the message, so a message that
// kills its reader takes effect here.
func (inv *invocation) now() time.Time {
	w := inv.i.w
	if inv.m.kills && inv.m.deliveries < w.Rules.PoisonDelivery {
		inv.crashed = true
		inv.sleep(0)
	}
	return w.clock.now.Add(inv.i.skew)
}

// sleep lets virtual time pass.
func (inv *invocation) sleep(d time.Duration) {
	if !inv.wait(d) {
		panic(killed{})
	}
}

// resume runs the handler to its next call, or its end.
func (inv *invocation) resume() {
	i := inv.i
	if !slices.Contains(i.at, inv) {
		return // the process died in the meantime
	}
	switch {
	case i.w.chance(i.w.Faults.MachineLost):
		i.lose()
		return
	case i.w.chance(i.w.Faults.Killed):
		i.die()
		return
	}
	d, going := inv.next()
	switch {
	case inv.crashed:
		i.die()
	case going:
		i.w.clock.after(d, inv.resume)
	default:
		inv.done()
	}
}

// done settles the message as the host does after the handler's answer.
func (inv *invocation) done() {
	i, w := inv.i, inv.i.w
	if inv.err != nil {
		w.tell(i.name, inv.m.key, "failed: %v", inv.err)
		w.clock.after(worker.RetryPause(inv.m.deliveries), inv.failed)
		return
	}
	i.forget(inv)
	switch {
	case w.chance(w.Faults.NoComplete):
		w.tell(i.name, inv.m.key, "done, but the completion is lost")
	default:
		w.clock.after(w.between(time.Millisecond, 10*time.Millisecond), func() {
			if inv.q.complete(inv.m, inv.lock) {
				w.tell(i.name, inv.m.key, "completed %s", inv.m.id)
			}
		})
	}
	w.dispatch()
}

// failed is the handler's answer that something went wrong, after its pause.
func (inv *invocation) failed() {
	if i := inv.i; slices.Contains(i.at, inv) {
		i.forget(inv)
		inv.abandon()
		i.w.dispatch()
	}
}

// abandon returns the message to the queue, as the host does when an invocation failed.
func (inv *invocation) abandon() {
	w := inv.i.w
	w.clock.after(w.between(5*time.Millisecond, 30*time.Millisecond), func() { inv.q.giveBack(inv.m, inv.lock) })
}

func (i *instance) forget(inv *invocation) {
	i.at = slices.DeleteFunc(i.at, func(other *invocation) bool { return other == inv })
}

// The host starts a dead handler again at once, but ends at the third death within half an hour;
// then somebody starts the host.
const (
	restartHandler = 100 * time.Millisecond
	restartHost    = time.Minute
)

// die ends the handler process. Its host fails the invocations and abandons their messages.
func (i *instance) die() {
	now := i.w.clock.now
	for _, inv := range i.halt("handler killed") {
		inv.abandon()
	}
	i.crashes = append(slices.DeleteFunc(i.crashes, func(t time.Time) bool { return now.Sub(t) > 30*time.Minute }), now)
	back := restartHandler
	if len(i.crashes) >= 3 {
		back, i.crashes = restartHost, nil
	}
	i.w.clock.after(back, i.start)
}

// lose ends the whole machine: the messages stay locked.
func (i *instance) lose() {
	i.halt("machine lost")
	i.w.clock.after(i.w.between(10*time.Second, 2*time.Minute), i.start)
}

func (i *instance) halt(why string) []*invocation {
	i.w.stats.Kills++
	was := i.at
	i.up, i.at = false, nil
	for _, inv := range was {
		i.w.tell(i.name, inv.m.key, "%s", why)
		inv.stop()
	}
	return was
}

func (i *instance) start() {
	i.boot()
	i.w.dispatch()
}

// boot starts a new handler process with empty memory.
func (i *instance) boot() {
	i.up = true
	i.limiter = i.newLimiter()
}

// deadline is an invocation's context: it is virtual and has no timer. Waiting calls ask the
// invocation.
type deadline struct{ inv *invocation }

func (d deadline) Deadline() (time.Time, bool) { return time.Time{}, false }
func (d deadline) Done() <-chan struct{}       { return nil }
func (d deadline) Value(any) any               { return nil }
func (d deadline) Err() error {
	if d.inv.i.w.clock.now.Before(d.inv.expires) {
		return nil
	}
	return context.DeadlineExceeded
}
