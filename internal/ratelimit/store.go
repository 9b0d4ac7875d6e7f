package ratelimit

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Store keeps the documents.
type Store interface {
	// Load returns the document, or nil if it does not exist, and the time by the store's clock.
	Load(ctx context.Context, name string) (body []byte, etag string, now time.Time, err error)
	// Swap writes the document if it still has the etag; "" means that it must not exist yet.
	// Otherwise the error is ErrConflict. After any other error the document may still have been
	// written.
	Swap(ctx context.Context, name string, body []byte, etag string) error
}

// Memory is a Store in one process, for a handler without a shared one.
type Memory struct {
	mu        sync.Mutex
	documents map[string]memoryDocument
	now       func() time.Time
}

type memoryDocument struct {
	body    []byte
	version int
}

// NewMemory is an empty store.
func NewMemory(now func() time.Time) *Memory {
	return &Memory{documents: map[string]memoryDocument{}, now: now}
}

// Load implements Store.
func (m *Memory) Load(_ context.Context, name string) ([]byte, string, time.Time, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	d, found := m.documents[name]
	if !found {
		return nil, "", m.now(), nil
	}
	return d.body, strconv.Itoa(d.version), m.now(), nil
}

// Forget deletes a document.
func (m *Memory) Forget(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.documents, name)
}

// Swap implements Store.
func (m *Memory) Swap(_ context.Context, name string, body []byte, etag string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	d, found := m.documents[name]
	if found && etag != strconv.Itoa(d.version) || !found && etag != "" {
		return ErrConflict
	}
	m.documents[name] = memoryDocument{body, d.version + 1}
	return nil
}

// decode reads a document. A document that makes no sense is an error, and the limiter treats it as
// missing.
func decode(body []byte, now time.Time) (State, error) {
	var s State
	if err := json.Unmarshal(body, &s); err != nil {
		return State{}, err
	}
	const soon = time.Hour // clocks of stores and instances never differ by more
	switch latest := now.Add(soon); {
	case len(s.Limits) > mostLimits || len(s.Starts) > mostKept || len(s.Writes) > keptWrites || len(s.Line) > mostWaiting:
		return State{}, errors.New("the document has more entries than are ever written")
	case s.NotBefore.After(now.Add(longestWindow)):
		return State{}, errors.New("the document has a Retry-After that cannot be")
	case s.Next < 0 || len(s.Line) > 0 && (s.Line[0] <= 0 || s.Line[len(s.Line)-1] > s.Next) || !slices.IsSorted(s.Line):
		return State{}, errors.New("the document has a line that cannot be")
	case !slices.IsSorted(s.Starts) || len(s.Starts) > 0 && s.Starts[len(s.Starts)-1] > latest.UnixMilli():
		return State{}, errors.New("the document has creations out of order or in the future")
	case slices.ContainsFunc(s.Limits, func(l Limit) bool { return !l.sound(latest) }):
		return State{}, errors.New("the document has a limit that cannot be")
	}
	return s, nil
}

// sound reports whether headers could have produced a document's limit.
func (l *Limit) sound(latest time.Time) bool {
	return l.valid() && l.Window >= 0 && l.Window <= longestWindow && !l.At.After(latest) && !l.TokensAt.After(latest) &&
		l.Capacity >= 0 && l.Capacity <= mostRemaining+mostKept && l.Others >= 0 && l.Others <= l.Capacity &&
		l.Tokens > -mostKept && l.Tokens <= mostRemaining
}

func (s *State) clone() State {
	c := *s
	c.Limits, c.Starts = slices.Clone(s.Limits), slices.Clone(s.Starts)
	c.Line, c.Writes = slices.Clone(s.Line), slices.Clone(s.Writes)
	return c
}

// merge adds what an instance did since base, while it could not reach the store.
func (s *State) merge(alone, base State) {
	for _, t := range alone.Starts {
		if !slices.Contains(base.Starts, t) && !slices.Contains(s.Starts, t) {
			s.Starts = append(s.Starts, t)
		}
	}
	slices.Sort(s.Starts)
	for _, t := range base.Starts { // those that were answered or taken back
		if len(alone.Starts) > 0 && t >= alone.Starts[0] && !slices.Contains(alone.Starts, t) {
			s.remove(time.UnixMilli(t))
		}
	}
	s.Next = max(s.Next, alone.Next)
	for _, n := range added(alone.Line, base.Line) {
		s.enter(n)
	}
	for _, n := range added(base.Line, alone.Line) {
		s.Leave(n)
	}
	s.NotBefore = later(s.NotBefore, alone.NotBefore)
	for _, l := range alone.Limits {
		own := s.limit(l, l.At)
		own.Capacity = max(own.Capacity, l.Capacity)
		if l.At.After(own.At) {
			own.Remaining, own.At, own.Others = l.Remaining, l.At, max(own.Others, l.Others)
		}
		own.Tokens = min(own.Tokens, l.Tokens)
	}
	s.Unlimited = s.Unlimited && len(s.Limits) == 0
	s.trim()
}

// added is what one list has and the other does not. Both are sorted.
func added(now, before []int) []int {
	return slices.DeleteFunc(slices.Clone(now), func(n int) bool {
		_, found := slices.BinarySearch(before, n)
		return found
	})
}
