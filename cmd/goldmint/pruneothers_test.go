package main

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"goldmint/cmd/goldmint/internal/retention"
	"goldmint/emulator/arm"
)

// TestPruneLeavesWhatChangedMeanwhile: each is read again just before it is deleted.
func TestPruneLeavesWhatChangedMeanwhile(t *testing.T) {
	for name, tt := range map[string]struct {
		method string // before which it changes
		change func(g *gallery)
		want   string
	}{
		"tags":         {http.MethodGet, func(g *gallery) { g.put("1.0.0", tagged(retention.TagKeep, "")) }, "left     1.0.0  its tags have changed since the list"},
		"state":        {http.MethodGet, func(g *gallery) { g.put("1.0.0", inState("Updating")) }, "left     1.0.0  its state has become Updating"},
		"another":      {http.MethodGet, func(g *gallery) { g.put("1.0.0") }, "left     1.0.0  it was made anew since the list"},
		"gone":         {http.MethodGet, func(g *gallery) { g.remove("1.0.0") }, "deleted  1.0.0  by someone else"},
		"going":        {http.MethodDelete, func(g *gallery) { g.remove("1.0.0") }, "deleted  1.0.0\n"},
		"locked":       {http.MethodDelete, func(g *gallery) { g.Lock(firstVersion, arm.CanNotDelete) }, "left     1.0.0  it is locked"},
		"locked above": {http.MethodDelete, func(g *gallery) { g.Lock(definition, arm.ReadOnly) }, "left     1.0.0  it is locked"},
		"blocked": {http.MethodDelete, func(g *gallery) {
			g.put("1.0.0", func(v *arm.Version) { v.BlockDeletion, v.EndOfLife = true, g.Now().Add(day) })
		}, "left     1.0.0  it may not be deleted before its end of life"},
	} {
		t.Run(name, func(t *testing.T) {
			g := filled(t, quickly)
			var once sync.Once
			g.before = func(method, name string) http.Handler {
				if method == tt.method && name == "1.0.0" {
					once.Do(func() { tt.change(g) })
				}
				return nil
			}
			out, errOut, status := g.pruned(t.Context(), "--keep", "2", "--yes")
			if status != exitOK || !strings.Contains(out, tt.want) {
				t.Errorf("status %d %s, %q is not said:\n%s", status, errOut, tt.want, out)
			}
			if stays := strings.HasPrefix(tt.want, "left"); stays != strings.Contains(g.left(), "1.0.0 ") {
				t.Errorf("left: %s", g.left())
			}
		})
	}
}

// TestPruneTwiceAtOnce: two prunes delete nothing that one would not, and neither fails.
func TestPruneTwiceAtOnce(t *testing.T) {
	g := filled(t, quickly)
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			if out, errOut, status := g.pruned(t.Context(), "--keep", "2", "--yes"); status != exitOK {
				t.Errorf("status %d %s\n%s", status, errOut, out)
			}
		})
	}
	both.Wait()
	if got := g.left(); got != theKept {
		t.Errorf("left: %s", got)
	}
}

// TestPruneWhileBuildsEnd: what was under way when it listed stays, and so does what came later.
func TestPruneWhileBuildsEnd(t *testing.T) {
	g := filled(t, quickly)
	g.put("1.0.5", inState("Creating")) // a slow build with an old number
	var once sync.Once
	g.before = func(method, _ string) http.Handler {
		if method != "LIST" {
			once.Do(func() {
				g.put("1.0.5")
				g.put("1.0.6")
				g.put("1.0.12")
			})
		}
		return nil
	}
	out, errOut, status := g.pruned(t.Context(), "--keep", "1", "--older-than", "0s", "--yes")
	if status != exitOK || !strings.Contains(out, "keep    1.0.5   0s   its state is Creating\n") {
		t.Errorf("status %d %s\n%s", status, errOut, out)
	}
	for _, name := range []string{"1.0.5", "1.0.6", "1.0.12"} {
		if _, ok := g.Version(galleryPath + "/" + name); !ok {
			t.Errorf("%s is gone:\n%s", name, out)
		}
	}
}

// TestPruneGoesByAzuresClock: this machine's is a month ahead, so that all looks old.
func TestPruneGoesByAzuresClock(t *testing.T) {
	signIn(t)
	g := newGallery(t, quickly)
	g.FastForward(-30 * day)
	for _, name := range []string{"1.0.0", "1.0.1", "1.0.2"} {
		g.put(name)
	}
	g.FastForward(190 * time.Second)
	out, errOut, status := g.pruned(t.Context(), "--keep", "1", "--yes")
	if status != exitOK || !strings.Contains(out, "keep  1.0.0  3m  it is not older than 25h\n") || !strings.HasSuffix(out, "0 go, 3 stay\n") {
		t.Errorf("status %d %s\n%s", status, errOut, out)
	}
}

// TestPruneWaitsForTheLimit that other callers have used up, and says so.
func TestPruneWaitsForTheLimit(t *testing.T) {
	g := filled(t, quickly)
	var once sync.Once
	g.before = func(method, _ string) (answer http.Handler) {
		if method == http.MethodDelete {
			once.Do(func() {
				answer = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("Retry-After", "1")
					w.WriteHeader(http.StatusTooManyRequests)
					_, _ = io.WriteString(w, `{"code":"OperationNotAllowed","message":"too many requests"}`)
				})
			})
		}
		return answer
	}
	out, errOut, status := g.pruned(t.Context(), "--keep", "2", "--yes")
	if status != exitOK || errOut != "Azure limits deletions: the next in 1s\n" || !strings.HasSuffix(out, "2 deleted, 0 left after all, 0 not deleted, 6 stay\n") {
		t.Errorf("status %d %s\n%s", status, errOut, out)
	}
}

// TestPruneRecycles: a gallery's soft delete stays in force.
func TestPruneRecycles(t *testing.T) {
	g := filled(t, arm.Options{Speed: 1000}) // seven days are ten minutes
	g.send(t, http.MethodPut, computePath+"galleries/corp", object{"location": "westeurope", "properties": object{"softDeletePolicy": object{"isSoftDeleteEnabled": true}}})
	out, errOut, status := g.pruned(t.Context(), "--keep", "2", "--yes")
	if status != exitOK || !strings.Contains(out, "2 deleted") || errOut != "Azure is deleting 2, which takes it a minute or two; Ctrl-C stops the wait\n" {
		t.Errorf("status %d %s\n%s", status, errOut, out)
	}
	bin := g.send(t, http.MethodGet, computePath+"galleries/corp/softDeletedArtifactTypes/Images/artifacts/web/versions", nil)
	if !strings.Contains(bin, `"name":"1.0.0"`) || !strings.Contains(bin, `"name":"1.0.2"`) {
		t.Errorf("the recycle bin: %s", bin)
	}
}
