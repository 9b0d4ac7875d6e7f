package prune

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"goldmint/cmd/goldmint/internal/catalog"
	"goldmint/cmd/goldmint/internal/retention"
)

// shelf deletes at once and notes when.
type shelf struct {
	items   map[string]retention.Item
	deleted []time.Time
	stuck   string // is never gone
}

func (s *shelf) List(context.Context) ([]catalog.Record, error) {
	var all []catalog.Record
	for _, i := range s.items {
		all = append(all, catalog.Record{Item: i})
	}
	return all, nil
}

func (s *shelf) Read(_ context.Context, name string) (catalog.Record, bool, error) {
	i, ok := s.items[name]
	return catalog.Record{Item: i}, ok, nil
}

func (s *shelf) Delete(_ context.Context, name string) error {
	s.deleted = append(s.deleted, time.Now())
	if name != s.stuck {
		delete(s.items, name)
	}
	return nil
}

func full(n int) (*shelf, []retention.Decision) {
	s := &shelf{items: map[string]retention.Item{}}
	var all []retention.Decision
	for i := range n {
		item := retention.Item{Name: fmt.Sprintf("1.0.%d", i), State: "Succeeded"}
		s.items[item.Name] = item
		all = append(all, retention.Decision{Item: item, Delete: true})
	}
	return s, all
}

// TestPace: no three minutes hold more deletions than Azure allows, and none is slower than it must be.
func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const many, limit = 500, 149
		s, all := full(many)
		p := Pruner{Shelf: s, Limit: limit, Look: time.Second, Wait: time.Minute, Report: func(Outcome) {}}
		begun := time.Now()
		for _, o := range p.Run(t.Context(), all) {
			if o.Result != Deleted {
				t.Fatalf("%+v", o)
			}
		}
		for i := limit; i < many; i++ {
			if d := s.deleted[i].Sub(s.deleted[i-limit]); d < window {
				t.Fatalf("deletion %d comes %s after the one %d before", i, d, limit)
			}
		}
		if took := time.Since(begun); took != window*((many-1)/limit) {
			t.Errorf("took %s", took)
		}
	})
}

// TestWhatDoesNotGoIsSaid: Azure took a deletion on and never ended it.
func TestWhatDoesNotGoIsSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, all := full(3)
		s.stuck = "1.0.1"
		results := map[string]Result{}
		p := Pruner{Shelf: s, Limit: 149, Look: time.Second, Wait: time.Minute, Report: func(o Outcome) { results[o.Name] = o.Result }}
		p.Run(t.Context(), all)
		if results["1.0.1"] != Failed || results["1.0.0"] != Deleted || results["1.0.2"] != Deleted {
			t.Errorf("%v", results)
		}
	})
}
