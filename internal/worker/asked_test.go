package worker

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"goldmint/internal/build"
	"goldmint/internal/event"
)

// slowTopic takes its time over the news that ARM is asked; 0 does not answer at all.
type slowTopic struct {
	*recorder
	takes time.Duration
}

func (s slowTopic) Publish(ctx context.Context, e event.Event) error {
	if e.Type != event.Asked {
		return s.recorder.Publish(ctx, e)
	}
	answered := make(<-chan time.Time)
	if s.takes > 0 {
		answered = time.After(s.takes)
	}
	select {
	case <-answered:
		return s.recorder.Publish(ctx, e)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// thinkingARM takes its time over a PUT, and notes when it got it.
type thinkingARM struct {
	emptyARM
	takes time.Duration
	put   time.Time
}

func (a *thinkingARM) Create(ctx context.Context, b build.Build) (build.Accepted, error) {
	a.put = time.Now()
	<-time.After(a.takes)
	return a.emptyARM.Create(ctx, b)
}

// TestAskedCostsNoTime: the PUT is sent at once for every state of the topic, the event is
// published before ARM answers, and a topic that does not answer delays the build only briefly.
func TestAskedCostsNoTime(t *testing.T) {
	for name, c := range map[string]struct {
		topic, arm, want time.Duration
		news             int // with that the request was taken
	}{
		"a quick topic":                     {50 * time.Millisecond, 7 * time.Second, 7 * time.Second, 2},
		"ARM answers first":                 {time.Second, 500 * time.Millisecond, time.Second, 2},
		"a topic that does not answer":      {0, 500 * time.Millisecond, newsTime, 1},
		"and ARM takes longer than it gets": {0, 7 * time.Second, 7 * time.Second, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, arm, begun := newBench(Rules{}), &thinkingARM{takes: c.arm}, time.Now()
				b.ARM, b.Bus = arm, slowTopic{b.bus, c.topic}
				b.handle(t, received(ask("b", "img")))
				if !arm.put.Equal(begun) || time.Since(begun) != c.want {
					t.Errorf("the PUT went out after %s, all took %s, want at once and %s", arm.put.Sub(begun), time.Since(begun), c.want)
				}
				if len(b.bus.news) != c.news || len(b.bus.events) != 1 || b.bus.events[0].Type != event.Started || len(b.bus.queued) != 1 {
					t.Errorf("news %v, events %v, %d continuations", b.bus.news, b.bus.events, len(b.bus.queued))
				}
			})
		})
	}
}

// TestAskedOnceItsTurnHasCome: a build that has to wait says nothing of the kind, and every PUT of
// a run until ARM takes one on says it under one id.
func TestAskedOnceItsTurnHasCome(t *testing.T) {
	b, arm, spent := limited(3)
	waiting, at := b.fill(t)
	asked := func() (ids []string) {
		for _, e := range b.bus.news {
			if e.Type == event.Asked && e.Data.BuildID == waiting.Request.ID {
				ids = append(ids, e.ID)
			}
		}
		return ids
	}
	if ids := asked(); len(ids) != 0 {
		t.Fatalf("a build that waits until %s published %v", at, ids)
	}
	want := event.ID(waiting.Key(), event.Asked, waiting.Run)
	for _, left := range []int{0, 40} { // refused, then taken on
		*spent += time.Hour
		arm.left = left
		m := delivered(b.bus.queued[len(b.bus.queued)-1], numbered(100))
		m.EnqueuedAt = b.Now()
		b.handle(t, m)
	}
	if ids := asked(); len(ids) != 2 || ids[0] != want || ids[1] != want {
		t.Errorf("published %v, want %s for each PUT", ids, want)
	}
}
