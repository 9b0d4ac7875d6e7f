package workertest

import (
	"strings"
	"time"

	"goldmint/internal/message"
)

// Service Bus as infra/ configures it.
const (
	lockDuration    = 5 * time.Minute
	maxDelivery     = 100
	duplicateWindow = 7 * 24 * time.Hour
)

// queue has Service Bus's semantics: peek-lock, delivery counts, duplicate detection, scheduled
// delivery.
type queue struct {
	w         *World
	name      message.Queue
	detects   bool     // duplicates, by MessageId
	available []*entry // roughly in order
	left      int      // messages that are not settled, scheduled ones included
	sequence  int64
	locks     int
	seen      map[string]time.Time // MessageIds, for duplicate detection
	dead      []Dead
}

// entry is one message of the queue.
type entry struct {
	sequence   int64
	id         string
	key        string // of the build
	body       []byte
	enqueuedAt time.Time
	deliveries int
	lock       int // number of the delivery that may settle it; 0 if it is not locked
	settled    bool
	kills      bool // it ends the process that decodes it
}

// Dead is a message in the dead-letter queue.
type Dead struct {
	ID, Key             string
	Reason, Description string
	At                  time.Time
	Deliveries          int
}

// send puts a message into the queue. One whose MessageId was seen is dropped without an error.
func (q *queue) send(m message.Outgoing, key string, kills bool) (accepted bool) {
	now := q.w.clock.now
	if at, known := q.seen[m.ID]; known && now.Sub(at) < duplicateWindow && q.detects {
		return false
	}
	q.seen[m.ID] = now
	q.left++
	msg := &entry{id: m.ID, key: key, body: m.Body, kills: kills}
	if m.At.After(now) {
		q.sequence++ // a scheduled message has another number until then
	}
	q.w.clock.at(m.At, func() { // never early, and with a new sequence number at that time
		q.sequence++
		msg.sequence, msg.enqueuedAt = q.sequence, q.w.clock.now
		q.offer(msg)
	})
	return true
}

func (q *queue) offer(m *entry) {
	m.lock = 0
	q.available = append(q.available, m)
	q.w.dispatch()
}

// take locks one of the first messages, because Service Bus does not keep the order.
func (q *queue) take() *entry {
	pick := q.w.rng.IntN(min(4, len(q.available)))
	m := q.available[pick]
	q.available[pick] = q.available[0]
	q.available[0] = nil
	q.available = q.available[1:]
	m.deliveries++
	q.locks++
	m.lock = q.locks
	lock, lasts := m.lock, lockDuration
	if q.w.chance(q.w.Faults.LockLost) {
		lasts = q.w.between(0, 20*time.Second)
	}
	q.w.clock.after(lasts, func() { q.giveBack(m, lock) })
	return m
}

// giveBack ends a delivery without settling the message: it was abandoned, or the lock ran out.
func (q *queue) giveBack(m *entry, lock int) {
	if m.settled || m.lock != lock {
		return
	}
	if m.deliveries >= maxDelivery {
		q.bury(m, "MaxDeliveryCountExceeded", "")
		return
	}
	q.offer(m)
}

// complete removes the message, if the lock still holds.
func (q *queue) complete(m *entry, lock int) bool {
	if m.settled || m.lock != lock {
		return false
	}
	m.settled = true
	q.left--
	return true
}

func (q *queue) deadLetter(m *entry, lock int, reason, description string) bool {
	if m.settled || m.lock != lock {
		return false
	}
	q.bury(m, reason, description)
	return true
}

func (q *queue) bury(m *entry, reason, description string) {
	m.settled = true
	q.left--
	d := Dead{ID: m.id, Key: m.key, Reason: reason, Description: description, At: q.w.clock.now, Deliveries: m.deliveries}
	q.dead = append(q.dead, d)
	q.w.tell("bus", m.key, "dead-lettered %s after %d deliveries: %s", m.id, m.deliveries, reason)
}

// keyOf is the build's key in a MessageId of the builds queue or in the id of an event.
func keyOf(messageID string) string {
	parts := strings.SplitN(messageID, "/", 3)
	return strings.Join(parts[:min(2, len(parts))], "/")
}
