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
// store does not answer, the limiter goes by what it saw last and by what its own process does, and
// adds that to the document later.
type Limiter struct {
	Store Store
	Now   func() time.Time
	Pause func(context.Context, time.Duration) error // before a write that another instance overtook is tried again
	Rand  *rand.Rand                                 // draws the pauses; nil: nobody can repeat them
	// Report is called with an error when a document cannot be shared any more, once, and with nil
	// when it can again.
	Report func(document string, err error)

	mu        sync.Mutex
	documents map[string]*document
}

const (
	budget        = time.Second      // of a batch: nobody waits longer than for the one before and its own
	retryStore    = 10 * time.Second // after it failed
	mostLost      = 3                // answers to writes of one batch
	keptWrites    = 32
	keptDocuments = 256 // in memory
)

// Ask says whether the build may create its image now, by the number of its last turn, 0 for a
// build that is new.
func (l *Limiter) Ask(ctx context.Context, document string, number int) (turn Turn) {
	l.do(ctx, document, func(s *State, now time.Time, _ time.Duration) { turn = s.Ask(number, now) })
	return turn
}

// Answer takes in the answer to a creation. The times are of this process's clock, but for a.Start.
func (l *Limiter) Answer(ctx context.Context, document string, a Answer) {
	sent := a.Sent
	l.do(ctx, document, func(s *State, now time.Time, offset time.Duration) {
		a.Sent = sent.Add(offset)
		s.Answer(a, now)
	})
}

// Return gives back a turn that was not used.
func (l *Limiter) Return(ctx context.Context, document string, t Turn) {
	if !t.Start.IsZero() {
		l.do(ctx, document, func(s *State, _ time.Time, _ time.Duration) { s.Return(t.Start) })
	}
}

// Leave takes a build out of the line that ends while it waits.
func (l *Limiter) Leave(ctx context.Context, document string, number int) {
	if number > 0 {
		l.do(ctx, document, func(s *State, _ time.Time, _ time.Duration) { s.Leave(number) })
	}
}

// call is one of the above, done on whatever state the document turns out to have.
type call struct {
	do   func(s *State, now time.Time, offset time.Duration)
	done chan struct{}
}

// document is what this process knows of one document.
type document struct {
	waiting []*call       // guarded by the limiter's lock: what is asked while the store is busy goes into one write
	busy    chan struct{} // holds whoever talks to the store, and guards the rest

	state   State
	base    *State          // what the store had when it was seen last; nil while state is what the store has
	offsets []time.Duration // of the store's clock to this process's, by the last answers
	retryAt time.Time

	written uint32 // a write that has no answer yet
	alone   *State // the state after what that write holds was done without the store; nil while it is tried again
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

// evict makes room in memory. What is forgotten is in the store.
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

// share does the calls on the document, or without the store on what was seen of it last.
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
		return // others were faster all the time: the store answers, and the next batch tells it
	}
	was := d.retryAt
	d.retryAt = time.Time{}
	if err != nil {
		d.retryAt = l.Now().Add(retryStore)
	}
	if l.Report != nil && (err == nil) == !was.IsZero() { // it could not be shared before, and can now, or the other way round
		l.Report(name, err)
	}
}

// swap does the calls on the document until no other instance comes between. What ends at the
// budget after a conflict is a conflict.
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
		case d.written != 0 && d.alone == nil && lost < mostLost: // the next look reports whether it was written
			lost++
		default:
			return err
		}
		// The less time is left, the sooner it tries again, so that nobody is overtaken for ever.
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
		s = d.state.clone() // the document was lost: this process's copy is the next
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

// settle finds out what became of a write without an answer, and adds what was done alone since. It
// is true when the calls at hand are in the document already.
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

// clock is the store's, read to more than the whole seconds of its Date: of the last answers the
// largest difference to this process's clock is the nearest to the truth.
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
