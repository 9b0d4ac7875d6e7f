package pace

import (
	"os"
	"strconv"

	"container/heap"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// A burst of requests against ARM's limits, in virtual time: a queue, instances that each take a few messages at a time,
// and a model of the limit. Policies differ in what they do with a build that may not or could not start.

const (
	putTime  = 5300 * time.Millisecond // ARM's, before it answers a PUT
	taking   = 20 * time.Millisecond   // of a message that only comes back
	parallel = 16                      // messages an instance works on at once
)

// model is a limit of ARM's.
type model interface {
	// take counts a creation at t (since the start), or refuses it and says how long to wait.
	take(t time.Duration) (left []Allowance, retryAfter time.Duration)
	String() string
}

type bucket struct {
	capacity, refill float64 // refill a minute
	level            float64
	last             time.Duration
}

func (b *bucket) String() string { return fmt.Sprintf("bucket %g + %g a minute", b.capacity, b.refill) }

func (b *bucket) take(t time.Duration) ([]Allowance, time.Duration) {
	b.level = min(b.capacity, b.level+(t-b.last).Minutes()*b.refill)
	b.last = t
	const name = "CreateImagesSubscriptionMaximum"
	if b.level < 1 {
		return []Allowance{{Name: name}}, time.Duration((1-b.level)/b.refill*60)*time.Second + time.Second
	}
	b.level--
	return []Allowance{{Name: name, Remaining: int(b.level)}}, 0
}

// windows count sliding (as documented for ARM's older limits) or in fixed steps.
type windows struct {
	per3, per30 int
	fixed       bool
	times       []time.Duration
}

func (w *windows) String() string {
	kind := "sliding"
	if w.fixed {
		kind = "fixed"
	}
	return fmt.Sprintf("windows %d / 3 min, %d / 30 min, %s", w.per3, w.per30, kind)
}

func (w *windows) take(t time.Duration) ([]Allowance, time.Duration) {
	left3, wait3 := w.left(t, 3*time.Minute, w.per3)
	left30, wait30 := w.left(t, 30*time.Minute, w.per30)
	if left3 < 1 {
		return []Allowance{{Name: "CreateImages3Min", Window: 3 * time.Minute}}, wait3.Truncate(time.Second) + time.Second
	}
	if left30 < 1 {
		return []Allowance{{Name: "CreateImages30Min", Window: 30 * time.Minute}}, max(wait3, wait30).Truncate(time.Second) + time.Second
	}
	w.times = append(w.times, t)
	return []Allowance{
		{Name: "CreateImages3Min", Window: 3 * time.Minute, Remaining: left3 - 1},
		{Name: "CreateImages30Min", Window: 30 * time.Minute, Remaining: left30 - 1},
	}, 0
}

func (w *windows) left(t, window time.Duration, capacity int) (int, time.Duration) {
	from := t - window
	if w.fixed {
		from = t.Truncate(window) - 1
	}
	used := 0
	first := t
	for i := len(w.times) - 1; i >= 0 && w.times[i] > from; i-- {
		used++
		first = w.times[i]
	}
	if used < capacity {
		return capacity - used, 0
	}
	if w.fixed {
		return 0, t.Truncate(window) + window - t
	}
	return 0, first + window - t
}

// bound is the least time in which the model lets n creations start.
func bound(m model, n int) time.Duration {
	t := time.Duration(0)
	for range n {
		for {
			_, wait := m.take(t)
			if wait == 0 {
				break
			}
			t += min(wait, 100*time.Millisecond)
		}
	}
	return t
}

// policy says what becomes of a build's message at an instance.
type policy interface {
	// wake says whether to create now, and else when to come back.
	wake(instance int, m *message, now time.Time) (create bool, hold time.Duration, back time.Time)
	answered(instance int, m *message, left []Allowance, retryAfter time.Duration, sent, now time.Time)
	look(instance int, m *message, now time.Time) // at the operation of a build that was started
	// refused says when to come back after a 429; in place keeps the message's slot until then.
	refused(m *message, retryAfter time.Duration, now time.Time) (back time.Time, inPlace bool)
}

type message struct {
	ticket, sequence int64
	scheduled        bool
	note             Note
	looks            int // left at the operation, once it was started
}

func (m *message) key() string { return fmt.Sprint("build-", m.ticket) }

// ours is Goldmint's.
type ours struct{ pacers []*Pacer }

func newOurs(instances int) *ours {
	o := &ours{}
	for i := range instances {
		o.pacers = append(o.pacers, New(fmt.Sprint("instance-", i)))
	}
	return o
}

func (o *ours) wake(i int, m *message, now time.Time) (bool, time.Duration, time.Time) {
	p := o.pacers[i]
	p.Heard(m.sequence, m.scheduled)
	v := p.Admit("region", m.key(), m.note, now)
	if !v.Go && v.Hold == 0 {
		m.note = p.Note("region", m.note, now)
		m.note.Waits++
	}
	return v.Go, v.Hold, v.At
}

func (o *ours) answered(i int, m *message, left []Allowance, retryAfter time.Duration, sent, now time.Time) {
	o.pacers[i].Answered("region", left, retryAfter, sent, now)
	m.note = o.pacers[i].Note("region", m.note, now)
}

func (o *ours) look(i int, m *message, now time.Time) {
	p := o.pacers[i]
	p.Heard(m.sequence, m.scheduled)
	p.Learn("region", m.note, now)
	m.note = p.Note("region", m.note, now)
}

func (o *ours) refused(m *message, retryAfter time.Duration, now time.Time) (time.Time, bool) {
	m.note.Waits++
	return now.Add(retryAfter + scatter(m.key(), m.note.Waits, time.Minute)), false
}

// naive tries at once and comes back after a fixed time, or as Retry-After says, in place.
type naive struct{ fixed time.Duration }

func (naive) wake(int, *message, time.Time) (bool, time.Duration, time.Time) {
	return true, 0, time.Time{}
}
func (naive) answered(int, *message, []Allowance, time.Duration, time.Time, time.Time) {}
func (naive) look(int, *message, time.Time)                                            {}
func (n naive) refused(_ *message, retryAfter time.Duration, now time.Time) (time.Time, bool) {
	if n.fixed > 0 {
		return now.Add(n.fixed), false
	}
	return now.Add(retryAfter), true
}

// result is what a burst came to.
type result struct {
	builds, started, refused, messages int
	last, oldest                       time.Duration // the last start; the start of the first request
}

func (r result) refusals() float64 { return float64(r.refused) / float64(r.started+r.refused) }

// run plays a burst of n requests that arrive at once.
func run(n, instances int, m model, p policy, seed uint64) result {
	w := &world{limit: m, policy: p, free: make([]int, instances), random: rand.New(rand.NewPCG(seed, 1))}
	for i := range w.free {
		w.free[i] = parallel
	}
	for range n {
		w.sequence++
		w.ready = append(w.ready, &message{ticket: w.sequence, sequence: w.sequence, note: Note{Ticket: w.sequence}})
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
	if m.looks > 0 {
		w.policy.look(i, m, epoch.Add(w.now))
		w.free[i]++
		if m.looks--; m.looks > 0 {
			w.schedule(m, epoch.Add(w.now+5150*time.Millisecond))
		}
		return
	}
	create, hold, back := w.policy.wake(i, m, epoch.Add(w.now))
	switch {
	case hold > 0:
		w.after(hold, func() { w.work(i, m) })
	case create:
		left, wait := w.limit.take(w.now)
		took := putTime
		if wait > 0 {
			took = 100 * time.Millisecond
		}
		sent := epoch.Add(w.now)
		w.after(took, func() { w.answer(i, m, left, wait, sent) })
	default:
		w.free[i]++
		w.schedule(m, back)
	}
}

func (w *world) answer(i int, m *message, left []Allowance, wait time.Duration, sent time.Time) {
	now := epoch.Add(w.now)
	w.policy.answered(i, m, left, wait, sent, now)
	if wait == 0 {
		w.free[i]++
		w.result.started++
		w.result.last = w.now
		if m.ticket == 1 {
			w.result.oldest = w.now
		}
		m.looks = 2
		w.schedule(m, now.Add(5500*time.Millisecond))
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
	w.after(back.Sub(epoch)-w.now, func() {
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

func models() []func() model {
	return []func() model{
		func() model { return &bucket{capacity: 60, refill: 20, level: 60} },
		func() model { return &bucket{capacity: 20, refill: 5, level: 20} },
		func() model { return &bucket{capacity: 100, refill: 50, level: 100} },
		func() model { return &windows{per3: 40, per30: 200} },
		func() model { return &windows{per3: 40, per30: 200, fixed: true} },
		func() model { return &windows{per3: 20, per30: 100} },
	}
}

func TestBurst(t *testing.T) {
	seeds := int(envf("seeds", 1))
	fmt.Println("columns: per model, K=1,4,40: time ratio / refused % / messages per build / oldest min (worst of seeds)")
	for i, m := range models() {
		if mo := int(envf("mod", -1)); mo >= 0 && mo&(1<<i) == 0 {
			continue
		}
		least := bound(m(), 1000)
		line := fmt.Sprintf("%-40s", m())
		for _, instances := range []int{1, 4, 40} {
			if k := int(envf("only", 0)); k > 0 && k != instances {
				continue
			}
			var ratio, ref, msgs, old float64
			for seed := range seeds {
				r := run(1000, instances, m(), newOurs(instances), uint64(seed+1))
				ratio, ref, msgs, old = max(ratio, float64(r.last)/float64(least)), max(ref, 100*r.refusals()), max(msgs, float64(r.messages)/1000), max(old, r.oldest.Minutes())
				if r.started != 1000 {
					t.Errorf("%d builds started", r.started)
				}
			}
			line += fmt.Sprintf(" | %.3f %4.1f%% %5.1f %4.1f", ratio, ref, msgs, old)
		}
		fmt.Println(line)
	}
}

func envf(n string, d float64) float64 {
	if v, err := strconv.ParseFloat(os.Getenv(n), 64); err == nil {
		return v
	}
	return d
}
