package ratelimit

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// The simulation of bursts: a queue, instances with a limiter each, their common store, and
// Resource Manager. Its time is synctest's. The limiters are the deployed code. A seed determines a
// run, because each message and each limiter has its own random numbers, and no two things happen
// at the same moment.
const (
	putTakes   = 4800 * time.Millisecond // of a PUT, at least
	putSpread  = time.Second             // by which it takes longer now and then
	lookTakes  = 200 * time.Millisecond  // of the look before it, at most
	lateness   = time.Second             // by which Service Bus delivers later than scheduled, at most
	firstLook  = 5500 * time.Millisecond // at the operation, after the answer
	nextLook   = 5150 * time.Millisecond
	takes      = 20 * time.Millisecond // of a message that only comes back
	slots      = 16                    // messages an instance works on at once
	clockError = 5 * time.Second       // by which an instance's clock is off, at most
)

// scenario is what a burst consists of. The zero value is the default burst without faults.
type scenario struct {
	name      string
	limit     func() model
	builds    int           // 1,000 where 0
	galleries int           // of the builds that are gallery versions, limited by gallery()
	every     time.Duration // between two requests; 0: all at once
	others    int           // requests for other regions between two
	before    func(*world)  // happens before the burst

	outage     [2]time.Duration // from, to: the store does not answer
	lostAt     time.Duration    // the document is deleted
	allDie     bool             // at that moment, all processes
	dies       float64          // chance of a process to die between its turn and the PUT
	answerLost float64          // chance of a write to be applied though its answer is lost
	stale      float64          // chance that a load returns an older document
}

// result is the result of a burst.
type result struct {
	builds, started, refused, messages int
	last                               time.Duration // when the last was started
	starts                             []time.Duration
	order                              []*message // as they were started
	longestAsk                         time.Duration
	writes, conflicts, size            int
}

func (r result) refusals() float64 { return float64(r.refused) / float64(max(1, r.started+r.refused)) }

// overtaken is the most builds that came at least so much later than one and were started before
// it.
func (r result) overtaken(later time.Duration) int {
	worst := 0
	for i, m := range r.order {
		n := 0
		for _, before := range r.order[:i] {
			if before.came-m.came >= later {
				n++
			}
		}
		worst = max(worst, n)
	}
	return worst
}

// message is a build's. Its fields are what a continuation carries.
type message struct {
	document string // empty: a request for another region
	came     time.Duration
	number   int
	looks    int  // left at the operation, once the image is being created
	found    bool // the image will be there at the first look
	leaves   bool // ends while it waits
	twice    bool // is delivered twice while it waits
	random   *rand.Rand
}

// policy decides when a creation may start.
type policy int

const (
	goldmint   policy = iota
	inPlace           // tries at once, and after a 429 waits for Retry-After within the invocation
	afterTenth        // tries at once, and again 10 s after a 429
)

func (p policy) String() string {
	return [...]string{"Goldmint", "Retry-After, in place", "again after 10 s"}[p]
}

type world struct {
	scenario
	policy   policy
	seed     uint64
	begun    time.Time
	models   map[string]model
	store    *slowStore
	limiters []*Limiter
	busy     sync.WaitGroup // messages that are not completed
	messages uint64         // that were submitted

	mu     sync.Mutex
	random *rand.Rand
	free   []int // slots of each instance
	ready  []*message
	result result
}

// play plays the scenario in virtual time.
func (s scenario) play(t *testing.T, p policy, instances int, seed uint64) (r result) {
	t.Helper()
	synctest.Test(t, func(*testing.T) {
		w := newWorld(s, p, instances, seed)
		if s.before != nil {
			s.before(w)
			w.busy.Wait()
			w.restart(s.limit())
		}
		w.burst()
		w.busy.Wait()
		w.result.writes, w.result.conflicts, w.result.size = w.store.writes, w.store.conflicts, w.store.size
		r = w.result
	})
	return r
}

func newWorld(s scenario, p policy, instances int, seed uint64) *world {
	w := &world{scenario: s, policy: p, seed: seed, random: rand.New(rand.NewPCG(seed, 1))}
	w.store = &slowStore{w: w, memory: NewMemory(time.Now), older: map[string][]byte{}}
	for i := range instances {
		off := time.Duration(w.random.Int64N(int64(2*clockError))) - clockError
		w.limiters = append(w.limiters, &Limiter{Store: w.store, Pause: pause, Rand: rand.New(rand.NewPCG(seed, uint64(i)+2)), Now: func() time.Time { return time.Now().Add(off) }})
		w.free = append(w.free, slots)
	}
	if w.builds == 0 {
		w.builds = 1000
	}
	w.restart(s.limit())
	return w
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

const images, versions = "images/sub/westeurope", "gallery-versions/sub/westeurope"

// restart forgets what was counted, and with it what was used of the limit.
func (w *world) restart(m model) {
	w.begun, w.result = time.Now(), result{builds: w.builds}
	w.models = map[string]model{images: m, versions: gallery()}
}

func (w *world) burst() {
	if w.lostAt > 0 {
		time.AfterFunc(w.lostAt, w.lose)
	}
	for n := range w.builds {
		m := &message{document: images, came: time.Duration(n) * w.every}
		if n%2 == 1 && n/2 < w.galleries {
			m.document = versions
		}
		w.submit(m)
		for range w.others {
			w.submit(&message{came: m.came})
		}
	}
}

func (w *world) lose() {
	w.store.forget()
	for _, l := range w.limiters {
		if w.allDie {
			l.mu.Lock()
			l.documents = nil
			l.mu.Unlock()
		}
	}
}

func (w *world) submit(m *message) {
	w.busy.Add(1)
	m.random = rand.New(rand.NewPCG(w.seed, 1000+w.messages))
	w.messages++
	if m.came == 0 {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.ready = append(w.ready, m)
		w.deliver()
		return
	}
	w.enqueue(m, m.came)
}

// schedule sends the message to be delivered after d. The message that is handled is complete.
func (w *world) schedule(m *message, d time.Duration) { w.enqueue(m, d+m.upTo(lateness)) }

func (w *world) enqueue(m *message, d time.Duration) {
	time.AfterFunc(d, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.ready = append(w.ready, m)
		w.deliver()
	})
}

// deliver hands messages to instances with a free slot, drawn at random.
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
		i, m := open[w.random.IntN(len(open))], w.ready[0]
		w.ready = w.ready[1:]
		w.free[i]--
		if m.document != "" {
			w.result.messages++
		}
		go func() {
			sleep(takes + m.upTo(time.Millisecond))
			w.handle(i, m)
			w.mu.Lock()
			defer w.mu.Unlock()
			w.free[i]++
			w.deliver()
		}()
	}
}

// sleep lets virtual time pass.
func sleep(d time.Duration) { <-time.After(d) }

// handle is one invocation, as internal/worker has it.
func (w *world) handle(i int, m *message) {
	switch {
	case m.looks > 1:
		m.looks--
		w.schedule(m, nextLook)
		return
	case m.looks == 1 || m.document == "":
		w.busy.Done()
		return
	case w.policy != goldmint:
		w.put(i, m, Turn{})
		return
	}
	asked := time.Now()
	turn := w.limiters[i].Ask(context.Background(), m.document, m.number)
	m.settle()
	w.note(func(r *result) { r.longestAsk = max(r.longestAsk, time.Since(asked)) })
	switch {
	case turn.Wait > 0 && m.leaves:
		w.limiters[i].Leave(context.Background(), m.document, turn.Number)
		m.settle()
		w.busy.Done()
	case turn.Wait > 0:
		m.number = turn.Number
		if m.twice { // the second delivery sends the build on, because it does not know what the first has done
			m.twice = false
		}
		w.schedule(m, turn.Wait)
	case w.dies > 0 && m.random.Float64() < w.dies:
		w.schedule(m, time.Minute)
	default:
		m.number = turn.Number
		sleep(m.upTo(lookTakes))
		if m.found {
			w.limiters[i].Return(context.Background(), m.document, turn)
			m.settle()
			w.busy.Done()
			return
		}
		w.put(i, m, turn)
	}
}

func (w *world) put(i int, m *message, turn Turn) {
	sent := w.limiters[i].Now()
	w.mu.Lock()
	header, wait := w.models[m.document].take(time.Since(w.begun))
	w.mu.Unlock()
	took := putTakes + m.upTo(putSpread)
	if wait > 0 {
		took = 100 * time.Millisecond
	}
	sleep(took)
	if w.policy == goldmint {
		w.limiters[i].Answer(context.Background(), m.document,
			Answer{Start: turn.Start, Sent: sent, Limits: Parse(header), Refused: wait > 0, RetryAfter: wait})
		m.settle()
	}
	if wait == 0 {
		m.looks = 2
		w.note(func(r *result) {
			r.started, r.last = r.started+1, time.Since(w.begun)
			r.starts, r.order = append(r.starts, r.last), append(r.order, m)
		})
		w.schedule(m, firstLook)
		return
	}
	w.note(func(r *result) { r.refused++ })
	switch w.policy {
	case inPlace:
		sleep(wait)
		w.put(i, m, turn)
	case afterTenth:
		w.schedule(m, 10*time.Second)
	default:
		w.schedule(m, wait+m.upTo(2*time.Second))
	}
}

func (m *message) upTo(d time.Duration) time.Duration {
	return time.Duration(m.random.Int64N(int64(d)))
}

// settle lets the builds of one write continue one after another.
func (m *message) settle() { sleep(m.upTo(time.Millisecond)) }

func (w *world) note(f func(*result)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f(&w.result)
}

func (w *world) upTo(d time.Duration) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Duration(w.random.Int64N(int64(d)))
}

func (w *world) chance(p float64) bool {
	if p == 0 {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.random.Float64() < p
}

// slowStore is a store across a network: 4 to 12 ms a call, now and then half a second, and the
// scenario's faults.
type slowStore struct {
	w      *world
	memory *Memory

	mu                      sync.Mutex
	older                   map[string][]byte
	writes, conflicts, size int
}

func (s *slowStore) travel(ctx context.Context) error {
	d := 4*time.Millisecond + s.w.upTo(8*time.Millisecond)
	if s.w.chance(0.005) {
		d += 500 * time.Millisecond
	}
	if at := time.Since(s.w.begun); at >= s.w.outage[0] && at < s.w.outage[1] {
		d = time.Hour
	}
	return pause(ctx, d)
}

// Load implements Store. Its clock has whole seconds, like a Date header.
func (s *slowStore) Load(ctx context.Context, name string) ([]byte, string, time.Time, error) {
	if err := s.travel(ctx); err != nil {
		return nil, "", time.Time{}, err
	}
	body, etag, now, err := s.memory.Load(ctx, name)
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.older[name]; old != nil && s.w.chance(s.w.stale) {
		body, etag = old, "stale"
	}
	return body, etag, now.Truncate(time.Second), err
}

// Swap implements Store.
func (s *slowStore) Swap(ctx context.Context, name string, body []byte, etag string) error {
	if err := s.travel(ctx); err != nil {
		return err
	}
	err := s.memory.Swap(ctx, name, body, etag)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writes++
	if err != nil {
		s.conflicts++
		return err
	}
	s.size = max(s.size, len(body))
	if s.writes%50 == 0 {
		s.older[name] = slices.Clone(body)
	}
	if s.w.chance(s.w.answerLost) {
		return errors.New("connection reset by peer")
	}
	return nil
}

// forget deletes all documents.
func (s *slowStore) forget() {
	s.memory.Forget(images)
	s.memory.Forget(versions)
}
