package pace

import (
	"container/heap"
	"math/rand/v2"
	"time"
)

// A burst of requests against ARM's limits, in virtual time: a queue, instances that each take a few messages at a time,
// and a model of the limit. Policies differ in what they do with a build that may not or could not start.

const (
	putTime   = 4800 * time.Millisecond // ARM's at least, before it answers a PUT
	putSpread = time.Second             // by which it takes longer now and then
	getTime   = 200 * time.Millisecond  // of the look that precedes it
	delay     = time.Second             // by which Service Bus delivers later than scheduled, at most
	firstLook = 5500 * time.Millisecond // at the operation, after the answer
	nextLook  = 5150 * time.Millisecond
	taking    = 20 * time.Millisecond // of a message that only comes back
	parallel  = 16                    // messages an instance works on at once
)

// result is what a burst came to.
type result struct {
	builds, started, refused, messages int
	overtaken                          int           // builds that were started before the oldest
	last, most                         time.Duration // when the last, and 98 of a hundred, were started
}

func (r result) refusals() float64 { return float64(r.refused) / float64(r.started+r.refused) }

// run plays a burst of n requests that arrive at once.
func run(n, instances int, m model, p policy, seed uint64) result {
	return (&world{limit: m, policy: p}).play(n, instances, seed)
}

func (w *world) play(n, instances int, seed uint64) result {
	w.free, w.random = make([]int, instances), rand.New(rand.NewPCG(seed, 1))
	for i := range w.free {
		w.free[i] = parallel
	}
	for range n {
		for range 1 + w.others {
			w.sequence++
			w.ready = append(w.ready, &message{ticket: w.sequence, sequence: w.sequence, note: Note{Ticket: w.sequence}})
		}
	}
	w.result.builds = n
	w.deliver()
	for w.events.Len() > 0 && w.now < 24*time.Hour {
		e := heap.Pop(&w.events).(event)
		w.now = e.at
		e.do()
		w.deliver()
	}
	return w.result
}

type world struct {
	limit    model
	others   int // requests for other regions between two of its own
	policy   policy
	random   *rand.Rand
	now      time.Duration
	sequence int64
	ready    []*message
	free     []int // slots of each instance
	events   events
	order    int
	result   result
}

var epoch = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func (w *world) after(d time.Duration, do func()) {
	w.order++
	heap.Push(&w.events, event{w.now + d, w.order, do})
}

// deliver hands waiting messages to instances with a free slot, drawn at random.
func (w *world) deliver() {
	for len(w.ready) > 0 {
		var open []int
		for i, f := range w.free {
			if f > 0 {
				open = append(open, i)
			}
		}
		if len(open) == 0 {
			return
		}
		i := open[w.random.IntN(len(open))]
		m := w.ready[0]
		w.ready = w.ready[1:]
		w.free[i]--
		w.result.messages++
		w.after(taking, func() { w.work(i, m) })
	}
}

func (w *world) work(i int, m *message) {
	if (m.ticket-1)%int64(1+w.others) > 0 { // somebody else's, and soon done
		w.policy.pass(i, m)
		w.free[i]++
		return
	}
	if m.looks > 0 {
		w.policy.look(i, m, epoch.Add(w.now))
		w.free[i]++
		if m.looks--; m.looks > 0 {
			w.schedule(m, epoch.Add(w.now+nextLook))
		}
		return
	}
	create, hold, back := w.policy.wake(i, m, epoch.Add(w.now))
	switch {
	case hold > 0:
		w.after(hold, func() { w.work(i, m) })
	case create:
		w.after(w.upTo(getTime), func() { w.put(i, m) })
	default:
		w.free[i]++
		w.schedule(m, back)
	}
}

func (w *world) put(i int, m *message) {
	left, wait := w.limit.take(w.now)
	took := putTime + w.upTo(putSpread)
	if wait > 0 {
		took = 100 * time.Millisecond
	}
	sent := epoch.Add(w.now)
	w.after(took, func() { w.answer(i, m, left, wait, sent) })
}

func (w *world) upTo(d time.Duration) time.Duration { return time.Duration(w.random.Int64N(int64(d))) }

func (w *world) answer(i int, m *message, left []Allowance, wait time.Duration, sent time.Time) {
	now := epoch.Add(w.now)
	w.policy.answered(i, m, left, wait, sent, now)
	if wait == 0 {
		w.free[i]++
		w.result.started++
		w.result.last = w.now
		if m.ticket == 1 {
			w.result.overtaken = w.result.started - 1
		}
		if w.result.started == w.result.builds*98/100 {
			w.result.most = w.now
		}
		m.looks = 2
		w.schedule(m, now.Add(firstLook))
		return
	}
	w.result.refused++
	back, inPlace := w.policy.refused(m, wait, now)
	if inPlace {
		w.after(back.Sub(now), func() { w.work(i, m) })
		return
	}
	w.free[i]++
	w.schedule(m, back)
}

// schedule sends the message to be delivered then: it uses up a sequence number now and one when it is activated.
func (w *world) schedule(m *message, back time.Time) {
	w.sequence++
	w.after(back.Sub(epoch)-w.now+w.upTo(delay), func() {
		w.sequence++
		m.sequence, m.scheduled = w.sequence, true
		w.ready = append(w.ready, m)
	})
}

type event struct {
	at    time.Duration
	order int
	do    func()
}

type events []event

func (e events) Len() int { return len(e) }
func (e events) Less(i, j int) bool {
	return e[i].at < e[j].at || e[i].at == e[j].at && e[i].order < e[j].order
}
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)   { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	old := *e
	x := old[len(old)-1]
	*e = old[:len(old)-1]
	return x
}
