// Package broker is what a Service Bus does with messages, independent of the protocol: queues,
// topics and subscriptions, locks, sessions, scheduling, duplicate detection and dead-lettering.
//
// It starts no goroutine and reads no clock but the one it is given. Whatever is
// due happens at the next call, in the order of the due times and as of them, so
// a test that turns the clock by an hour sees what an hour would have done.
// [Broker.Advance] makes it happen without another call.
package broker

import (
	"container/heap"
	"fmt"
	"strings"
	"sync"
	"time"
)

// Broker holds the entities of one namespace. All methods of it and of its
// entities may be called at once.
type Broker struct {
	mu     sync.Mutex
	clock  func() time.Time
	now    time.Time // during a call: the time it takes place at
	timers timerHeap
	paths  map[string]*Queue // by lower-case path
	wake   func()
}

// New makes a namespace without entities. clock returns the time; wake, which may be nil, is called
// when something became due earlier than [Broker.Advance] said. It must not call back.
func New(clock func() time.Time, wake func()) *Broker {
	if wake == nil {
		wake = func() {}
	}
	return &Broker{clock: clock, wake: wake, paths: map[string]*Queue{}}
}

// Suffixes of entity paths.
const (
	DeadLetterSuffix   = "/$DeadLetterQueue"
	subscriptionsInfix = "/Subscriptions/"
)

// AddQueue makes a queue and its dead-letter queue.
func (b *Broker) AddQueue(name string, s Settings) (*Queue, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.add(name, kindQueue, s)
}

// AddTopic makes a topic. Of the settings those of the duplicate detection and
// the time to live count.
func (b *Broker) AddTopic(name string, s Settings) (*Queue, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.add(name, kindTopic, s)
}

// AddSubscription makes a subscription with its dead-letter queue. It takes the
// messages that any of the filters takes; without filters it takes all.
func (b *Broker) AddSubscription(topic, name string, s Settings, filters ...Filter) (*Queue, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	t := b.paths[strings.ToLower(topic)]
	if t == nil || t.kind != kindTopic {
		return nil, fmt.Errorf("subscription %q: there is no topic %q", name, topic)
	}
	q, err := b.add(t.path+subscriptionsInfix+name, kindSubscription, s)
	if err != nil {
		return nil, err
	}
	q.filters = filters
	t.subscriptions = append(t.subscriptions, q)
	return q, nil
}

func (b *Broker) add(path string, kind kind, s Settings) (*Queue, error) {
	key := strings.ToLower(path)
	if _, taken := b.paths[key]; taken {
		return nil, fmt.Errorf("entity %q is there twice; names differ by more than letter case", path)
	}
	q := newQueue(b, path, kind, s.withDefaults())
	b.paths[key] = q
	if kind != kindTopic {
		q.deadLetters = newQueue(b, path+DeadLetterSuffix, kindDeadLetter, s.deadLetters())
		b.paths[strings.ToLower(q.deadLetters.path)] = q.deadLetters
	}
	return q, nil
}

// Lookup finds an entity by its path, without regard to letter case, or returns
// an error with the condition amqp:not-found.
func (b *Broker) Lookup(path string) (*Queue, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.lookup(path)
}

func (b *Broker) lookup(path string) (*Queue, error) {
	if q := b.paths[strings.ToLower(path)]; q != nil {
		return q, nil
	}
	return nil, &Error{NotFound, fmt.Sprintf("the messaging entity %q could not be found", path)}
}

// Advance does everything that is due, and returns when the next thing is; ok is false when nothing
// is planned.
func (b *Broker) Advance() (next time.Time, ok bool) {
	b.enter()
	defer b.mu.Unlock()
	if len(b.timers) == 0 {
		return time.Time{}, false
	}
	return b.timers[0].at, true
}

// enter locks the broker and brings it up to the present.
func (b *Broker) enter() {
	b.mu.Lock()
	now := b.clock()
	for len(b.timers) > 0 && !b.timers[0].at.After(now) {
		t := b.timers[0]
		b.now = t.at
		b.stop(t)
		t.fire()
	}
	b.now = now
}

// timer is one thing that will happen, at most once at a time.
type timer struct {
	at    time.Time
	fire  func()
	index int // place in the heap plus one; 0 when not set
}

func (b *Broker) set(t *timer, at time.Time) {
	b.stop(t)
	t.at = at
	heap.Push(&b.timers, t)
	if b.timers[0] == t {
		b.wake()
	}
}

func (b *Broker) stop(t *timer) {
	if t.index > 0 {
		heap.Remove(&b.timers, t.index-1)
	}
}

type timerHeap []*timer

func (h timerHeap) Len() int           { return len(h) }
func (h timerHeap) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h timerHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i+1, j+1
}

func (h *timerHeap) Push(x any) {
	t := x.(*timer)
	*h = append(*h, t)
	t.index = len(*h)
}

func (h *timerHeap) Pop() any {
	old := *h
	t := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	t.index = 0
	return t
}
