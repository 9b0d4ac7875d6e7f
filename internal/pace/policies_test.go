package pace

import (
	"fmt"
	"time"
)

// policy says what becomes of a build's message at an instance.
type policy interface {
	// wake says whether to create now, and else when to come back.
	wake(instance int, m *message, now time.Time) (create bool, hold time.Duration, back time.Time)
	answered(instance int, m *message, left []Allowance, retryAfter time.Duration, sent, now time.Time)
	pass(instance int, m *message)                // of another region
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
	o.pacers[i].Answered("region", m.ticket, left, retryAfter, sent, now)
	m.note = o.pacers[i].Note("region", m.note, now)
}

func (o *ours) look(i int, m *message, now time.Time) {
	p := o.pacers[i]
	p.Heard(m.sequence, m.scheduled)
	p.Learn("region", m.note, now)
	m.note = p.Note("region", m.note, now)
}

func (o *ours) pass(i int, m *message) { o.pacers[i].Heard(m.sequence, m.scheduled) }

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
func (naive) pass(int, *message)                                                       {}
func (naive) look(int, *message, time.Time)                                            {}
func (n naive) refused(_ *message, retryAfter time.Duration, now time.Time) (time.Time, bool) {
	if n.fixed > 0 {
		return now.Add(n.fixed), false
	}
	return now.Add(retryAfter), true
}
