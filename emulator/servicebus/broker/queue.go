package broker

import (
	"container/heap"
	"time"

	"goldmint/emulator/servicebus/amqp"
)

type kind int

const (
	kindQueue kind = iota
	kindTopic
	kindSubscription
	kindDeadLetter
)

// Queue is an entity: a queue, a topic, a subscription or a dead-letter queue.
// They differ in what may be done with them and in what becomes of a message
// that arrives; a topic's own store holds its scheduled messages.
type Queue struct {
	b        *Broker
	path     string
	kind     kind
	settings Settings

	deadLetters   *Queue   // nil for topics and dead-letter queues
	filters       []Filter // of a subscription
	subscriptions []*Queue // of a topic

	refusal      *Error    // of what is sent; nil for none
	refusedUntil time.Time // zero: until the next call of Refuse

	sequence int64
	store    store
	ready    readyHeap
	locks    map[amqp.UUID]*entry
	waiters  waiters
	seen     history

	sessions  map[string]*session
	acceptors waiters
}

func newQueue(b *Broker, path string, kind kind, s Settings) *Queue {
	return &Queue{
		b: b, path: path, kind: kind, settings: s,
		locks: map[amqp.UUID]*entry{}, sessions: map[string]*session{}, seen: history{until: map[string]time.Time{}},
	}
}

// Path is the entity's name: "queue", "topic", "topic/Subscriptions/name", the
// last and the first also with [DeadLetterSuffix].
func (q *Queue) Path() string { return q.path }

// Receivable reports whether messages can be received: not from a topic.
func (q *Queue) Receivable() bool { return q.kind != kindTopic }

// Sendable reports whether messages can be sent: to queues and topics alone.
func (q *Queue) Sendable() bool { return q.kind == kindQueue || q.kind == kindTopic }

// RequiresSession reports whether receivers have to accept a session first.
func (q *Queue) RequiresSession() bool { return q.settings.RequiresSession }

// Counts are the numbers of messages by state; locked ones count as active.
type Counts struct{ Active, Scheduled, DeadLettered, Deferred int }

// Counts counts the entity's messages.
func (q *Queue) Counts() Counts {
	q.b.enter()
	defer q.b.mu.Unlock()
	c := Counts{}
	q.store.each(0, func(e *entry) bool {
		switch e.State {
		case Active:
			c.Active++
		case Scheduled:
			c.Scheduled++
		case Deferred:
			c.Deferred++
		}
		return true
	})
	if q.deadLetters != nil {
		c.DeadLettered = len(q.deadLetters.store.entries) - q.deadLetters.store.gaps
	}
	return c
}

// enqueue takes a message in. A sequence number of 0 stands for the next one.
func (q *Queue) enqueue(d Delivery) *entry {
	if d.SequenceNumber == 0 {
		q.sequence++
		d.SequenceNumber = q.sequence
	}
	e := &entry{Delivery: d, queue: q}
	if q.settings.RequiresSession {
		id, _ := d.Message.Properties.Text(amqp.PropGroupID)
		e.session = q.session(id)
		e.session.messages++
	}
	q.store.add(e)
	if d.State == Active {
		q.makeReady(e)
	}
	return e
}

// makeReady offers a message to receivers, unless its life is over.
func (q *Queue) makeReady(e *entry) {
	if at, ok := e.expiresAt(); ok {
		if !at.After(q.b.now) {
			q.expire(e)
			return
		}
		e.timer.fire = func() { q.expire(e) }
		q.b.set(&e.timer, at)
	}
	if e.session != nil {
		e.session.offer(e)
		return
	}
	heap.Push(&q.ready, e)
	q.waiters.wakeOne()
}

// take removes a message for good.
func (q *Queue) take(e *entry) {
	q.b.stop(&e.timer)
	q.unlock(e)
	q.unready(e)
	q.store.remove(e)
	if e.session != nil {
		e.session.messages--
		e.session.collect()
	}
}

func (q *Queue) unready(e *entry) {
	if e.ready == 0 {
		return
	}
	if e.session != nil {
		heap.Remove(&e.session.ready, e.ready-1)
		return
	}
	heap.Remove(&q.ready, e.ready-1)
}

// expire ends a message's life.
func (q *Queue) expire(e *entry) {
	if q.settings.DeadLetterOnExpiry {
		q.deadLetter(e, "TTLExpiredException", "The message expired and was dead lettered.")
		return
	}
	q.take(e)
}
