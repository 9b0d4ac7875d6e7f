package ratelimit

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// ErrConflict says that another instance has written the document since it was loaded.
var ErrConflict = errors.New("the document has changed")

// Limiter paces creations over all instances that share the store. It never stops a build: when the
// store does not answer, the limiter uses the last state that it saw and its own process's
// creations, and adds these to the document later.
type Limiter struct {
	Store Store
	Now   func() time.Time
	Pause func(context.Context, time.Duration) error // before the second attempt of a write that met a conflict
	Rand  *rand.Rand                                 // draws the pauses; nil: they differ from run to run
	// Report is called with an error when a document cannot be shared any more, once, and with nil
	// when it can again.
	Report func(document string, err error)

	mu        sync.Mutex
	documents map[string]*document
}

const (
	budget        = time.Second      // time for a batch: a call waits for at most the batch before and its own
	retryStore    = 10 * time.Second // after it failed
	mostLost      = 3                // lost answers to the writes of one batch
	keptWrites    = 32
	keptDocuments = 256 // in memory
)

// Ask says whether the build may create its image now, by the number of its last turn, 0 for a
// build that is new.
func (l *Limiter) Ask(ctx context.Context, document string, number int) (turn Turn) {
	l.do(ctx, document, func(s *State, now time.Time, _ time.Duration) { turn = s.Ask(number, now) })
	return turn
}

// Answer updates the limits from the answer to a creation. The times are of this process's clock,
// except for a.Start.
func (l *Limiter) Answer(ctx context.Context, document string, a Answer) {
	sent := a.Sent
	l.do(ctx, document, func(s *State, now time.Time, offset time.Duration) {
		a.Sent = sent.Add(offset)
		s.Answer(a, now)
	})
}

// Return takes back a turn that was not used.
func (l *Limiter) Return(ctx context.Context, document string, t Turn) {
	if !t.Start.IsZero() {
		l.do(ctx, document, func(s *State, _ time.Time, _ time.Duration) { s.Return(t.Start) })
	}
}

// Leave removes a build from the line, because it ended while it waited.
func (l *Limiter) Leave(ctx context.Context, document string, number int) {
	if number > 0 {
		l.do(ctx, document, func(s *State, _ time.Time, _ time.Duration) { s.Leave(number) })
	}
}

// call is one of the methods above, applied to the current state of the document.
type call struct {
	do   func(s *State, now time.Time, offset time.Duration)
	done chan struct{}
}

// document is what this process knows of one document.
type document struct {
	waiting []*call       // guarded by the limiter's lock: calls that arrive while the store is busy share one write
	busy    chan struct{} // a lock: its holder calls the store and may use the fields below

	state   State
	base    *State          // what the store had at the last call; nil while it equals state
	offsets []time.Duration // difference of the store's clock to this process's, by the last answers
	retryAt time.Time

	written uint32 // a write that has no answer yet
	alone   *State // the state after doing that write's calls without the store; nil while the write is tried again
}

func (l *Limiter) do(ctx context.Context, name string, f func(*State, time.Time, time.Duration)) {
	c := &call{f, make(chan struct{})}
	d := l.enqueue(name, c)
	select {
	case <-c.done: // by another caller
		return
	case d.busy <- struct{}{}:
	}
	defer func() { <-d.busy }()
	l.mu.Lock()
	calls := d.waiting
	d.waiting = nil
	l.mu.Unlock()
	if len(calls) > 0 {
		l.share(context.WithoutCancel(ctx), name, d, calls)
	}
	for _, c := range calls {
		close(c.done)
	}
}

func (l *Limiter) enqueue(name string, c *call) *document {
	l.mu.Lock()
	defer l.mu.Unlock()
	d := l.documents[name]
	if d == nil {
		l.evict()
		d = &document{busy: make(chan struct{}, 1)}
		l.documents[name] = d
	}
	d.waiting = append(d.waiting, c)
	return d
}

// evict removes documents from memory. The store still has them.
func (l *Limiter) evict() {
	if l.documents == nil {
		l.documents = map[string]*document{}
	}
	for name, d := range l.documents {
		if len(l.documents) < keptDocuments {
			return
		}
		if len(d.waiting) == 0 && len(d.busy) == 0 {
			delete(l.documents, name)
		}
	}
}

// share applies the calls to the document, or without the store to its last known state.
func (l *Limiter) share(ctx context.Context, name string, d *document, calls []*call) {
	if l.Now().Before(d.retryAt) {
		d.doAlone(calls, l.Now())
		return
	}
	err := l.swap(ctx, name, d, calls)
	if err != nil {
		d.doAlone(calls, l.Now())
	}
	if errors.Is(err, ErrConflict) {
		return // others were always faster: the store answers, and the next batch writes these calls
	}
	was := d.retryAt
	d.retryAt = time.Time{}
	if err != nil {
		d.retryAt = l.Now().Add(retryStore)
	}
	if l.Report != nil && (err == nil) == !was.IsZero() { // sharing has begun to fail, or to work again
		l.Report(name, err)
	}
}

// swap applies the calls to the document and tries again after each conflict with another instance.
// If the budget ends after a conflict, it returns the conflict.
func (l *Limiter) swap(ctx context.Context, name string, d *document, calls []*call) error {
	end := time.Now().Add(budget)
	ctx, cancel := context.WithDeadline(ctx, end)
	defer cancel()
	conflict, lost := error(nil), 0
	for {
		err := l.try(ctx, name, d, calls)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, ErrConflict):
			conflict = err
		case ctx.Err() != nil:
			return cmp.Or(conflict, err)
		case d.written != 0 && d.alone == nil && lost < mostLost: // the next load shows whether it was written
			lost++
		default:
			return err
		}
		// The less time is left, the sooner it tries again, so that no instance always loses.
		if err := l.Pause(ctx, l.upTo(max(time.Millisecond, time.Until(end)/8))); err != nil {
			return cmp.Or(conflict, err)
		}
	}
}

func (l *Limiter) upTo(d time.Duration) time.Duration {
	if l.Rand != nil {
		return time.Duration(l.Rand.Int64N(int64(d)))
	}
	return rand.N(d) //nolint:gosec // no secret
}

func (l *Limiter) try(ctx context.Context, name string, d *document, calls []*call) error {
	body, etag, date, err := l.Store.Load(ctx, name)
	if err != nil {
		return err
	}
	now, offset := d.clock(l.Now(), date)
	s, err := decode(body, now)
	if there := body != nil && err == nil; !there {
		s = d.state.clone() // the document was lost: this process's copy replaces it
	} else if d.settle(&s) {
		return nil
	}
	next := s.clone()
	for _, c := range calls {
		c.do(&next, now, offset)
	}
	changed, err := json.Marshal(next)
	if err != nil {
		return err
	}
	if bytes.Equal(changed, body) {
		d.state, d.base = next, nil
		return nil
	}
	d.alone = nil
	d.written = 1 + rand.Uint32N(1<<32-1) //nolint:gosec // no secret
	next.Writes = append(next.Writes[max(0, len(next.Writes)-keptWrites+1):], d.written)
	if body, err = json.Marshal(next); err != nil {
		return err
	}
	if err := l.Store.Swap(ctx, name, body, etag); err != nil {
		return err
	}
	d.state, d.base, d.written = next, nil, 0
	return nil
}

// settle finds out whether a write without an answer was applied, and adds what was done without
// the store since. It returns true when the document has the calls already.
func (d *document) settle(s *State) (done bool) {
	arrived := d.written != 0 && slices.Contains(s.Writes, d.written)
	switch {
	case arrived && d.alone == nil:
		d.base, done = nil, true
	case arrived:
		d.base = d.alone
	}
	d.written, d.alone = 0, nil
	if d.base != nil {
		seen := s.clone()
		s.merge(d.state, *d.base)
		d.base = &seen
	}
	d.state = s.clone()
	return done
}

func (d *document) doAlone(calls []*call, now time.Time) {
	if d.base == nil {
		base := d.state.clone()
		d.base = &base
	}
	offset := d.offset()
	for _, c := range calls {
		c.do(&d.state, now.Add(offset), offset)
	}
	if d.written != 0 && d.alone == nil {
		after := d.state.clone()
		d.alone = &after
	}
}

// clock estimates the store's time to less than the whole seconds of its Date header. The largest
// difference to this process's clock among the last answers is the best estimate, because a Date is
// cut to whole seconds and arrives late.
func (d *document) clock(now, date time.Time) (time.Time, time.Duration) {
	const answers = 16
	d.offsets = append(d.offsets[max(0, len(d.offsets)-answers+1):], date.Sub(now))
	offset := d.offset()
	return now.Add(offset), offset
}

func (d *document) offset() time.Duration {
	if len(d.offsets) == 0 {
		return 0
	}
	return slices.Max(d.offsets)
}
