package broker

import "fmt"

// schedule keeps a message until its time. It gets a new sequence number then.
func (q *Queue) schedule(d Delivery) int64 {
	d.State = Scheduled
	e := q.enqueue(d)
	e.timer.fire = func() { q.activate(e) }
	q.b.set(&e.timer, d.ScheduledFor)
	return e.SequenceNumber
}

func (q *Queue) activate(e *entry) {
	q.take(e)
	d := e.Delivery
	d.EnqueuedAt = q.b.now
	q.arrive(d, 0)
}

// Cancel removes scheduled messages, all or none. It returns an error with the
// condition [MessageNotFound] when one of them is not scheduled any more.
func (q *Queue) Cancel(sequences ...int64) error {
	q.b.enter()
	defer q.b.mu.Unlock()
	found := make([]*entry, len(sequences))
	for i, n := range sequences {
		e := q.store.find(n)
		if e == nil || e.State != Scheduled {
			return &Error{MessageNotFound, fmt.Sprintf("there is no scheduled message with sequence number %d", n)}
		}
		found[i] = e
	}
	for _, e := range found {
		if !e.gone {
			q.take(e)
		}
	}
	return nil
}
