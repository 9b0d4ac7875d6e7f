package workertest

import (
	"context"
	"errors"
	"time"

	"goldmint/internal/ratelimit"
)

// store has the documents of the rate limits, which all instances share. Its calls take no virtual
// time, because a limiter that waited would block the coroutine of another invocation.
type store struct {
	w      *World
	memory *ratelimit.Memory
}

var errStore = errors.New("503 ServerBusy")

// Load implements ratelimit.Store.
func (s store) Load(ctx context.Context, name string) ([]byte, string, time.Time, error) {
	if s.w.chance(s.w.Faults.StoreFails) {
		return nil, "", time.Time{}, errStore
	}
	if s.w.chance(s.w.Faults.StoreForgets) {
		s.memory.Forget(name)
	}
	body, etag, now, err := s.memory.Load(ctx, name)
	return body, etag, now.Truncate(time.Second), err
}

// Swap implements ratelimit.Store.
func (s store) Swap(ctx context.Context, name string, body []byte, etag string) error {
	switch {
	case s.w.chance(s.w.Faults.StoreFails):
		return errStore
	case s.w.chance(s.w.Faults.StoreConflicts):
		return ratelimit.ErrConflict
	}
	err := s.memory.Swap(ctx, name, body, etag)
	if err == nil && s.w.chance(s.w.Faults.StoreLost) {
		return errStore
	}
	return err
}

// limiter is the limiter of a new process of the instance.
func (i *instance) newLimiter() *ratelimit.Limiter {
	return &ratelimit.Limiter{
		Store: i.w.store, Now: func() time.Time { return i.w.clock.now.Add(i.skew) },
		Pause: func(context.Context, time.Duration) error { return nil },
	}
}
