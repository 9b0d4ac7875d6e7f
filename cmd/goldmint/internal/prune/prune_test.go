package prune

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"

	"goldmint/cmd/goldmint/internal/catalog"
	"goldmint/cmd/goldmint/internal/retention"
)

// shelf deletes at once and notes when.
type shelf struct {
	items   map[string]retention.Item
	deleted []time.Time
	refuse  func() error              // a deletion
	onRead  func()                    // before each read
	becomes map[string]retention.Item // what is listed after the deletion of these, in place of nothing
	broken  int                       // so many lists fail
	lists   int
}

func (s *shelf) List(ctx context.Context) ([]catalog.Record, error) {
	s.lists++
	if s.broken--; s.broken >= 0 {
		return nil, errors.New("a list fails")
	}
	var all []catalog.Record
	for _, i := range s.items {
		all = append(all, catalog.Record{Item: i})
	}
	return all, ctx.Err()
}

func (s *shelf) Read(_ context.Context, name string) (catalog.Record, bool, error) {
	if s.onRead != nil {
		s.onRead()
	}
	i, ok := s.items[name]
	return catalog.Record{Item: i}, ok, nil
}

func (s *shelf) Delete(_ context.Context, name string) error {
	if s.refuse != nil {
		if err := s.refuse(); err != nil {
			return err
		}
	}
	s.deleted = append(s.deleted, time.Now())
	delete(s.items, name)
	if i, ok := s.becomes[name]; ok {
		s.items[name] = i
	}
	return nil
}

func full(n int) (*shelf, []retention.Decision) {
	s := &shelf{items: map[string]retention.Item{}, becomes: map[string]retention.Item{}}
	var all []retention.Decision
	for i := range n {
		item := retention.Item{Name: fmt.Sprintf("1.0.%d", i), State: "Succeeded"}
		s.items[item.Name] = item
		all = append(all, retention.Decision{Item: item, Delete: true})
	}
	return s, all
}

// run prunes and returns the results by name, and how often it paused for Azure's limits.
func run(ctx context.Context, s *shelf, all []retention.Decision, wait time.Duration) (results map[string]string, pauses []time.Duration) {
	results = map[string]string{}
	p := Pruner{
		Shelf: s, Limits: VersionLimits, Look: 15 * time.Second, Wait: wait,
		Report: func(o Outcome) { results[o.Name] = strings.TrimSpace(string(o.Result) + " " + o.Detail) },
		Pause:  func(d time.Duration) { pauses = append(pauses, d) },
		Await:  func(n int) { results["awaited"] = fmt.Sprint(n) },
	}
	p.Run(ctx, all)
	return results, pauses
}

// TestPace: no three minutes and no half hour hold more deletions than Azure allows, and none is
// slower than it must be.
func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const many = 2100
		s, all := full(many)
		begun := time.Now()
		results, pauses := run(t.Context(), s, all, time.Minute)
		delete(results, "awaited")
		for name, got := range results {
			if got != "deleted" {
				t.Fatalf("%s: %s", name, got)
			}
		}
		for _, l := range VersionLimits {
			for i := l.Deletions; i < many; i++ {
				if d := s.deleted[i].Sub(s.deleted[i-l.Deletions]); d < l.Window {
					t.Fatalf("deletion %d comes %s after the one %d before", i, d, l.Deletions)
				}
			}
		}
		// 999 in half an hour, and the last 102 in the third.
		if took := time.Since(begun); took != time.Hour || len(pauses) == 0 {
			t.Errorf("took %s with %d pauses", took, len(pauses))
		}
	})
}

// TestAzureSaysWhen: another caller has used the allowance up.
func TestAzureSaysWhen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, all := full(2)
		refused := 0
		s.refuse = func() error {
			if refused++; refused > 2 {
				return nil
			}
			return &azcore.ResponseError{StatusCode: http.StatusTooManyRequests, RawResponse: &http.Response{Header: http.Header{"Retry-After": {"170"}}}}
		}
		begun := time.Now()
		results, pauses := run(t.Context(), s, all, time.Minute)
		if results["1.0.0"] != "deleted" || results["1.0.1"] != "deleted" || time.Since(begun) != 340*time.Second || len(pauses) != 2 {
			t.Errorf("%v after %s, pauses %v", results, time.Since(begun), pauses)
		}
	})
}

// TestInterruptedPause: Ctrl-C ends a pause at once.
func TestInterruptedPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, all := full(200)
		ctx, stop := context.WithCancel(t.Context())
		time.AfterFunc(time.Minute, stop)
		begun := time.Now()
		results, _ := run(ctx, s, all, time.Minute)
		count := map[string]int{}
		for _, r := range results {
			count[r]++
		}
		if count["not tried interrupted"] != 51 || len(s.deleted) != 149 || time.Since(begun) != time.Minute {
			t.Errorf("%v after %s", count, time.Since(begun))
		}
	})
}

// TestEnds: what Azure makes of deletions that it has taken on.
func TestEnds(t *testing.T) {
	deleting := retention.Item{Name: "1.0.1", State: "Deleting"}
	for _, tt := range []struct {
		name    string
		wait    time.Duration
		becomes *retention.Item
		broken  int
		want    string
	}{
		{"gone", time.Minute, nil, 0, "deleted"},
		{"gone after lists that failed", time.Minute, nil, 3, "deleted"},
		{"never gone", time.Minute, &deleting, 0, "failed it is still there after 1m0s"},
		{"not known", time.Minute, nil, 99, "failed Azure has taken its deletion on; whether it ended is not known: a list fails"},
		{"failed", time.Minute, &retention.Item{Name: "1.0.1", State: "Failed"}, 0, "failed Azure did not delete it: its state is Failed"},
		{"not waited for", 0, &deleting, 0, "deleting Azure has taken its deletion on"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, all := full(3)
				s.broken = tt.broken
				if tt.becomes != nil {
					s.becomes["1.0.1"] = *tt.becomes
				}
				if results, _ := run(t.Context(), s, all, tt.wait); results["1.0.1"] != tt.want {
					t.Errorf("%q", results)
				}
				if tt.wait == 0 && s.lists > 0 {
					t.Error("it lists although nobody waits")
				}
			})
		})
	}
}

// TestAzureGivesUp: a version that was being deleted is whole again.
func TestAzureGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, all := full(1)
		s.becomes["1.0.0"] = retention.Item{Name: "1.0.0", State: "Deleting"}
		begun := time.Now()
		s.onRead = func() {
			if time.Since(begun) < 100*time.Second || s.items["1.0.0"].State == "Succeeded" {
				return
			}
			if s.lists > 0 {
				t.Errorf("%d lists while one read would do", s.lists)
			}
			s.items["1.0.0"] = retention.Item{Name: "1.0.0", State: "Succeeded"}
		}
		results, _ := run(t.Context(), s, all, time.Hour)
		if results["awaited"] != "1" || results["1.0.0"] != "failed Azure did not delete it: its state is Succeeded" || time.Since(begun) > 2*time.Minute {
			t.Errorf("%q after %s", results, time.Since(begun))
		}
	})
}
