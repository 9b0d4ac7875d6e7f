package broker

import (
	"container/heap"
	"fmt"
	"sort"
	"time"
)

// session is the messages of one session id, in order, and their state.
type session struct {
	id          string
	queue       *Queue
	messages    int
	ready       readyHeap
	state       []byte
	stateSet    time.Time // zero when there is no state
	holder      *SessionLock
	lockedUntil time.Time
	timer       timer
	held        map[*entry]struct{} // locked messages
	waiters     waiters
}

func (q *Queue) session(id string) *session {
	s := q.sessions[id]
	if s == nil {
		s = &session{id: id, queue: q, held: map[*entry]struct{}{}}
		q.sessions[id] = s
	}
	return s
}

// collect forgets a session that nothing is left of.
func (s *session) collect() {
	if s.messages == 0 && s.holder == nil && s.stateSet.IsZero() {
		delete(s.queue.sessions, s.id)
	}
}

func (s *session) offer(e *entry) {
	heap.Push(&s.ready, e)
	if s.holder != nil {
		s.waiters.wakeOne()
		return
	}
	s.queue.acceptors.wakeOne()
}

// SessionLock is a receiver's hold on a session.
type SessionLock struct {
	s    *session
	lost func()
}

// Accept locks a session by its id, which may have no messages yet. lost, which
// must not block or call back, is called when the lock ends by itself. A session
// that is locked is an error with the condition [SessionNotLocked].
func (q *Queue) Accept(id string, lost func()) (*SessionLock, error) {
	q.b.enter()
	defer q.b.mu.Unlock()
	s := q.session(id)
	if s.holder != nil {
		return nil, &Error{SessionNotLocked, fmt.Sprintf("the session %q is locked by another receiver", id)}
	}
	return s.lock(lost), nil
}

// AcceptNext locks the session whose first message waits longest. Without one it
// puts w in line and returns nil.
func (q *Queue) AcceptNext(w *Waiter, lost func()) *SessionLock {
	q.b.enter()
	defer q.b.mu.Unlock()
	var first *session
	for _, s := range q.sessions {
		if s.holder == nil && len(s.ready) > 0 && (first == nil || s.ready[0].SequenceNumber < first.ready[0].SequenceNumber) {
			first = s
		}
	}
	if first == nil {
		q.acceptors.add(w)
		return nil
	}
	return first.lock(lost)
}

// LeaveAcceptors removes a waiter of [Queue.AcceptNext] from the line.
func (q *Queue) LeaveAcceptors(w *Waiter) {
	q.b.enter()
	defer q.b.mu.Unlock()
	q.acceptors.remove(w)
	q.acceptors.wakeOne()
}

func (s *session) lock(lost func()) *SessionLock {
	l := &SessionLock{s, lost}
	s.holder = l
	s.timer.fire = func() { s.release(true) }
	s.renew()
	return l
}

func (s *session) renew() {
	s.lockedUntil = s.queue.b.now.Add(s.queue.settings.LockDuration)
	for e := range s.held {
		e.LockedUntil = s.lockedUntil
	}
	s.queue.b.set(&s.timer, s.lockedUntil)
}

// release ends the hold. Deliveries that were not settled count as failed when
// the lock ran out, and not when the receiver left.
func (s *session) release(expired bool) {
	l := s.holder
	s.holder = nil
	s.queue.b.stop(&s.timer)
	held := make([]*entry, 0, len(s.held))
	for e := range s.held {
		held = append(held, e)
	}
	sort.Slice(held, func(i, j int) bool { return held[i].SequenceNumber < held[j].SequenceNumber })
	for _, e := range held {
		s.queue.release(e, expired)
	}
	if len(s.ready) > 0 {
		s.queue.acceptors.wakeOne()
	}
	s.collect()
	if expired && l.lost != nil {
		l.lost()
	}
}

// ID is the session's id.
func (l *SessionLock) ID() string { return l.s.id }

// LockedUntil is when the lock ends unless it is renewed.
func (l *SessionLock) LockedUntil() time.Time {
	l.s.queue.b.enter()
	defer l.s.queue.b.mu.Unlock()
	return l.s.lockedUntil
}

// Receive is [Queue.Receive] for the session's messages.
func (l *SessionLock) Receive(limit int, w *Waiter) []Delivery {
	q := l.s.queue
	q.b.enter()
	defer q.b.mu.Unlock()
	if l.s.holder != l {
		return nil
	}
	return q.receive(&l.s.ready, &l.s.waiters, limit, w)
}

// Leave is [Queue.Leave].
func (l *SessionLock) Leave(w *Waiter) {
	l.s.queue.b.enter()
	defer l.s.queue.b.mu.Unlock()
	l.s.waiters.remove(w)
}

// Close releases the session; it can be accepted again at once.
func (l *SessionLock) Close() {
	q := l.s.queue
	q.b.enter()
	defer q.b.mu.Unlock()
	if l.s.holder == l {
		l.s.release(false)
	}
}

// held finds a session that some receiver holds.
func (q *Queue) heldSession(id string) (*session, error) {
	s := q.sessions[id]
	if s == nil || s.holder == nil {
		return nil, sessionLockLost()
	}
	return s, nil
}

// RenewSession makes the lock of a session longer.
func (q *Queue) RenewSession(id string) (until time.Time, err error) {
	q.b.enter()
	defer q.b.mu.Unlock()
	s, err := q.heldSession(id)
	if err != nil {
		return time.Time{}, err
	}
	s.renew()
	return s.lockedUntil, nil
}

// SessionState returns what was set last, nil when nothing is.
func (q *Queue) SessionState(id string) ([]byte, error) {
	q.b.enter()
	defer q.b.mu.Unlock()
	s, err := q.heldSession(id)
	if err != nil {
		return nil, err
	}
	return s.state, nil
}

// SetSessionState keeps a state with the session; an empty one removes it.
func (q *Queue) SetSessionState(id string, state []byte) error {
	q.b.enter()
	defer q.b.mu.Unlock()
	s, err := q.heldSession(id)
	if err != nil {
		return err
	}
	if len(state) > MaxMessageSize {
		return &Error{TooLarge, fmt.Sprintf("the session state takes %d bytes, the limit is %d", len(state), MaxMessageSize)}
	}
	s.state, s.stateSet = state, q.b.now
	if len(state) == 0 {
		s.state, s.stateSet = nil, time.Time{}
	}
	return nil
}

// Sessions lists session ids in order, skipping some: those with active messages
// or a state, or, with a time, those whose state was set after it.
func (q *Queue) Sessions(after *time.Time, skip, limit int) []string {
	q.b.enter()
	defer q.b.mu.Unlock()
	var ids []string
	for id, s := range q.sessions {
		if after != nil && s.stateSet.After(*after) || after == nil && (len(s.ready) > 0 || len(s.held) > 0 || !s.stateSet.IsZero()) {
			ids = append(ids, id)
		}
	}
	sort.Strings(ids)
	ids = ids[min(skip, len(ids)):]
	return ids[:min(limit, len(ids))]
}
