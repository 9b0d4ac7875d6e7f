package ratelimit

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// oddStore is a Memory whose calls fail as its fields say.
type oddStore struct {
	*Memory
	fail func() error // of every call
	lose bool         // the answers of writes, though they are applied
}

func (s *oddStore) Load(ctx context.Context, name string) ([]byte, string, time.Time, error) {
	if s.fail != nil {
		if err := s.fail(); err != nil {
			return nil, "", time.Time{}, err
		}
	}
	return s.Memory.Load(ctx, name)
}

func (s *oddStore) Swap(ctx context.Context, name string, body []byte, etag string) error {
	err := s.Memory.Swap(ctx, name, body, etag)
	if err == nil && s.lose {
		return errors.New("connection reset by peer")
	}
	return err
}

func (s *oddStore) state(t *testing.T) State {
	t.Helper()
	body, _, _, _ := s.Memory.Load(context.Background(), "r")
	var st State
	if err := json.Unmarshal(body, &st); err != nil {
		t.Fatal(err)
	}
	return st
}

func mustMarshal(t *testing.T, s State) []byte {
	t.Helper()
	body, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

type bench struct {
	*Limiter
	store   *oddStore
	now     time.Time
	reports []error
}

func newBench() *bench {
	b := &bench{now: noon}
	b.store = &oddStore{Memory: NewMemory(func() time.Time { return b.now.Truncate(time.Second) })}
	b.Limiter = &Limiter{
		Store: b.store, Now: func() time.Time { return b.now },
		Pause:  func(context.Context, time.Duration) error { return nil },
		Report: func(_ string, err error) { b.reports = append(b.reports, err) },
	}
	return b
}

func (b *bench) ask() Turn {
	b.now = b.now.Add(20 * time.Millisecond)
	return b.Ask(context.Background(), "r", 0)
}

// TestItNeverStopsABuild: when the store fails, builds continue with what is known, and there is
// one report. Once the store works again, the document has everything.
func TestItNeverStopsABuild(t *testing.T) {
	down := errors.New("down")
	for name, c := range map[string]struct {
		spoil, mend func(b *bench)
		reports     int
	}{
		"unreachable": {func(b *bench) { b.store.fail = func() error { return down } }, func(b *bench) { b.store.fail = nil }, 2},
		"garbage":     {func(b *bench) { b.store.put([]byte("<html>")) }, func(*bench) {}, 0},
		"impossible":  {func(b *bench) { b.store.put([]byte(`{"line":[5],"next":-3}`)) }, func(*bench) {}, 0},
		"deleted":     {func(b *bench) { b.store.put(nil) }, func(*bench) {}, 0},
		"lost":        {func(b *bench) { b.store.lose = true }, func(b *bench) { b.store.lose = false }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench()
			b.ask()
			c.spoil(b)
			for range 3 {
				if turn := b.ask(); turn.Wait > 0 {
					t.Fatalf("a build has to wait: %+v", turn)
				}
			}
			c.mend(b)
			b.now = b.now.Add(time.Minute)
			b.ask()
			if s := b.store.state(t); s.Next != 5 || len(s.Line) != 0 || len(s.Starts) != 5 {
				t.Errorf("the document has %+v, want five builds", s)
			}
			if len(b.reports) != c.reports || c.reports == 2 && (b.reports[0] == nil || b.reports[1] != nil) {
				t.Errorf("reported %v", b.reports)
			}
		})
	}
}

func (s *oddStore) put(body []byte) {
	d := s.documents["r"]
	s.documents["r"] = memoryDocument{body, d.version + 1}
	if body == nil {
		delete(s.documents, "r")
	}
}

// TestAWriteWithoutAnswerIsCountedOnce: it was applied, and then the store went away before the
// limiter could look.
func TestAWriteWithoutAnswerIsCountedOnce(t *testing.T) {
	b := newBench()
	b.ask()
	calls := 0
	b.store.lose = true
	b.store.fail = func() error {
		if calls++; calls > 1 {
			return errors.New("down")
		}
		return nil
	}
	b.ask()
	b.ask()
	b.store.lose, b.store.fail, b.now = false, nil, b.now.Add(time.Minute)
	b.ask()
	if s := b.store.state(t); s.Next != 4 || len(s.Line) != 0 || len(s.Starts) != 4 {
		t.Errorf("%+v, want four builds", s)
	}
}

// TestASlowStoreIsLeftAlone: calls wait for it no longer than the budget, and for a while there is
// no further request.
func TestASlowStoreIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var loads atomic.Int32
		store := slow{NewMemory(time.Now), &loads}
		l := &Limiter{Store: store, Now: time.Now, Pause: pause}
		begun := time.Now()
		var wg sync.WaitGroup
		for range 32 {
			wg.Go(func() { l.Ask(context.Background(), "r", 0) })
		}
		wg.Wait()
		if took := time.Since(begun); took > budget || loads.Load() != 1 {
			t.Errorf("%d loads in %s", loads.Load(), took)
		}
	})
}

type slow struct {
	*Memory
	loads *atomic.Int32
}

func (s slow) Load(ctx context.Context, _ string) ([]byte, string, time.Time, error) {
	s.loads.Add(1)
	return nil, "", time.Time{}, pause(ctx, time.Hour)
}

func TestManyInstances(t *testing.T) {
	store := NewMemory(time.Now)
	var wg sync.WaitGroup
	var mu sync.Mutex
	went, numbers := 0, map[int]bool{}
	for range 8 {
		l := &Limiter{Store: store, Now: time.Now, Pause: pause}
		for range 16 {
			wg.Go(func() {
				turn := l.Ask(context.Background(), "r", 0)
				mu.Lock()
				defer mu.Unlock()
				numbers[turn.Number] = true
				if turn.Wait == 0 {
					went++
				}
			})
		}
	}
	wg.Wait()
	if len(numbers) != 128 || went != unknown.Capacity {
		t.Errorf("%d numbers, %d went", len(numbers), went)
	}
}

func TestMemoryStaysSmall(t *testing.T) {
	b := newBench()
	for n := range 10 * keptDocuments {
		b.Ask(context.Background(), string(rune('a'+n%26))+time.Duration(n).String(), 0)
	}
	if n := len(b.documents); n > keptDocuments {
		t.Errorf("%d documents are kept in memory", n)
	}
}
