package broker

import (
	"fmt"

	"goldmint/emulator/servicebus/amqp"
)

// Verdict is what a receiver says about a message it had locked.
type Verdict int

// The verdicts.
const (
	Complete   Verdict = iota // done: remove it
	Abandon                   // failed: deliver it again
	Release                   // not looked at: deliver it again, do not count
	Defer                     // keep it, to be received by sequence number
	DeadLetter                // no good: move it to the dead-letter queue
)

// Settlement is a verdict with what belongs to it.
type Settlement struct {
	Verdict     Verdict
	Reason      string   // of DeadLetter
	Description string   // of DeadLetter
	Modify      amqp.Map // application properties to set, but for Complete
}

const maxReason = 4096 // characters

// Settle ends the lock of that token. A lock that is over, or never was, is an
// error with the condition [LockLost].
func (q *Queue) Settle(token amqp.UUID, s Settlement) error {
	q.b.enter()
	defer q.b.mu.Unlock()
	e := q.locks[token]
	if e == nil {
		return lockLost()
	}
	if max(len([]rune(s.Reason)), len([]rune(s.Description))) > maxReason {
		return &Error{NotAllowed, fmt.Sprintf("a dead-letter reason or description has more than %d characters", maxReason)}
	}
	q.modify(e, s.Modify)
	switch s.Verdict {
	case Complete:
		q.take(e)
	case Abandon:
		q.release(e, true)
	case Release:
		q.release(e, false)
	case Defer:
		e.State = Deferred
		q.unlock(e)
	case DeadLetter:
		q.deadLetter(e, s.Reason, s.Description)
	}
	return nil
}

func (q *Queue) modify(e *entry, changes amqp.Map) {
	if len(changes) == 0 {
		return
	}
	m := *e.Message
	for _, p := range changes {
		if name, ok := amqp.Text(p.Key); ok {
			m.Application = m.Application.With(name, p.Value)
		}
	}
	e.Message = &m
}

// Renew makes locks longer, all or none, and returns until when each one holds.
func (q *Queue) Renew(tokens ...amqp.UUID) ([]Delivery, error) {
	q.b.enter()
	defer q.b.mu.Unlock()
	for _, t := range tokens {
		if q.locks[t] == nil {
			return nil, lockLost()
		}
	}
	out := make([]Delivery, len(tokens))
	for i, t := range tokens {
		e := q.locks[t]
		if e.session == nil {
			e.LockedUntil = q.b.now.Add(q.settings.LockDuration)
			q.b.set(&e.timer, e.LockedUntil)
		}
		out[i] = e.Delivery
	}
	return out, nil
}

// Locked reports whether the lock of that token still holds.
func (q *Queue) Locked(token amqp.UUID) bool {
	q.b.enter()
	defer q.b.mu.Unlock()
	return q.locks[token] != nil
}

// deadLetter moves a message to the dead-letter queue. It keeps its sequence
// number, its times and its delivery count.
func (q *Queue) deadLetter(e *entry, reason, description string) {
	if q.deadLetters == nil { // it is in a dead-letter queue already
		q.release(e, false)
		return
	}
	q.take(e)
	q.bury(e.Delivery, reason, description)
}

func (q *Queue) bury(d Delivery, reason, description string) {
	m := *d.Message
	for _, p := range (amqp.Map{{Key: "DeadLetterReason", Value: reason}, {Key: "DeadLetterErrorDescription", Value: description}}) {
		if p.Value != "" {
			m.Application = m.Application.With(p.Key, p.Value)
		}
	}
	d.Message, d.State, d.LockToken = &m, Active, amqp.UUID{}
	d.TimeToLive, d.DeadLetterSource = Forever, q.path
	if to := q.deadLetters.settings.ForwardTo; to != "" {
		q.deadLetters.forward(d, to, d.SequenceNumber, 0)
		return
	}
	q.deadLetters.enqueue(d)
}
