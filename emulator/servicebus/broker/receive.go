package broker

import (
	"container/heap"
	"crypto/rand"
	"fmt"

	"goldmint/emulator/servicebus/amqp"
)

// Receive locks up to limit messages. When there are no messages it puts w in line, which is woken
// when one comes.
func (q *Queue) Receive(limit int, w *Waiter) []Delivery {
	q.b.enter()
	defer q.b.mu.Unlock()
	return q.receive(&q.ready, &q.waiters, limit, w)
}

func (q *Queue) receive(ready *readyHeap, line *waiters, limit int, w *Waiter) []Delivery {
	var out []Delivery
	for len(out) < limit && ready.Len() > 0 {
		e := heap.Pop(ready).(*entry)
		q.lock(e)
		out = append(out, e.Delivery)
	}
	if len(out) == 0 {
		line.add(w)
	}
	return out
}

// Leave removes a waiter from the line. One that was woken and did not come for its message passes
// the call on to the next.
func (q *Queue) Leave(w *Waiter) {
	q.b.enter()
	defer q.b.mu.Unlock()
	q.waiters.remove(w)
	if len(q.ready) > 0 {
		q.waiters.wakeOne()
	}
}

// lock assigns a message to a receiver until it settles or the lock ends.
func (q *Queue) lock(e *entry) {
	q.b.stop(&e.timer)
	e.locked = true
	e.LockToken = newToken()
	q.locks[e.LockToken] = e
	if e.session != nil {
		e.LockedUntil = e.session.lockedUntil
		e.session.held[e] = struct{}{}
		return
	}
	e.LockedUntil = q.b.now.Add(q.settings.LockDuration)
	e.timer.fire = func() { q.release(e, true) }
	q.b.set(&e.timer, e.LockedUntil)
}

func (q *Queue) unlock(e *entry) {
	if !e.locked {
		return
	}
	q.b.stop(&e.timer)
	delete(q.locks, e.LockToken)
	if e.session != nil {
		delete(e.session.held, e)
	}
	e.locked, e.LockToken = false, amqp.UUID{}
}

// release ends a lock without a verdict. A delivery that failed counts, except
// in a dead-letter queue, which keeps the count that brought the message there.
func (q *Queue) release(e *entry, failed bool) {
	q.unlock(e)
	if failed && q.kind != kindDeadLetter {
		e.DeliveryCount++
		if int(e.DeliveryCount) >= q.settings.MaxDeliveryCount {
			q.deadLetter(e, "MaxDeliveryCountExceeded",
				fmt.Sprintf("Message could not be consumed after %d delivery attempts.", q.settings.MaxDeliveryCount))
			return
		}
	}
	if e.State == Active {
		q.makeReady(e)
	}
}

// ReceiveDeferred locks deferred messages by their sequence numbers, all or
// none. One that is not there, not deferred or locked already is an error with
// the condition [MessageNotFound].
func (q *Queue) ReceiveDeferred(sequences ...int64) ([]Delivery, error) {
	q.b.enter()
	defer q.b.mu.Unlock()
	found := make([]*entry, len(sequences))
	for i, n := range sequences {
		e := q.store.find(n)
		if e == nil || e.State != Deferred || e.locked {
			return nil, &Error{MessageNotFound, fmt.Sprintf("there is no deferred message with sequence number %d that is not locked", n)}
		}
		found[i] = e
	}
	out := make([]Delivery, 0, len(found))
	for _, e := range found {
		if !e.locked { // a number that was given twice
			q.lock(e)
			out = append(out, e.Delivery)
		}
	}
	return out, nil
}

// Peek returns up to limit messages in any state from a sequence number on, and
// changes nothing. It stops early when the bodies reach [MaxMessageSize]. With a
// session it returns only that session's.
func (q *Queue) Peek(from int64, limit int, session *string) []Delivery {
	q.b.enter()
	defer q.b.mu.Unlock()
	var out []Delivery
	size := 0
	q.store.each(from, func(e *entry) bool {
		if len(out) >= limit || size >= MaxMessageSize {
			return false
		}
		id, _ := e.Message.Properties.Text(amqp.PropGroupID)
		if session == nil || *session == id {
			d := e.Delivery
			d.LockToken = amqp.UUID{}
			size += len(d.Message.Body)
			out = append(out, d)
		}
		return true
	})
	return out
}

func newToken() amqp.UUID {
	var u amqp.UUID
	_, _ = rand.Read(u[:]) // never fails: crypto/rand
	u[6] = u[6]&0x0f | 0x40
	u[8] = u[8]&0x3f | 0x80
	return u
}
