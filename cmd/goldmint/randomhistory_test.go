package main

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"goldmint/cmd/goldmint/internal/retention"
	"goldmint/emulator/arm"
)

// past is a version of a random history, as it is when prune lists.
type past struct {
	number  int
	name    string
	ours    bool
	kept    bool // by its tag
	state   string
	hours   int // its age
	regions []arm.VersionRegion
	hidden  bool
	at      time.Time // when it was published, by Azure's clock
}

// numbered spreads numbers over all three parts, so that 1.9.9 comes before 1.10.0.
func numbered(number int) string {
	return fmt.Sprintf("%d.%d.%d", number/40, number/4%10+5, number%4+8)
}

func drawHistory(t *rapid.T) []past {
	var all []past
	for _, n := range rapid.SliceOfNDistinct(rapid.IntRange(0, 120), 14, 28, rapid.ID[int]).Draw(t, "numbers") {
		m := past{
			number: n, name: numbered(n), ours: !oneIn(t, 6, "another's"), kept: oneIn(t, 12, "kept"),
			state:  rapid.SampledFrom([]string{"Succeeded", "Succeeded", "Succeeded", "Succeeded", "Succeeded", "Succeeded", "Creating", "Updating", "Failed"}).Draw(t, "state"),
			hours:  rapid.SampledFrom([]int{0, 20, 24, 26, 50, 70, 200, 300, 400}).Draw(t, "hours"),
			hidden: oneIn(t, 5, "hidden"),
		}
		for _, name := range someRegions[1:] {
			if oneIn(t, 4, name) {
				m.regions = append(m.regions, arm.VersionRegion{Name: name, ExcludeFromLatest: oneIn(t, 4, "excluded")})
			}
		}
		m.regions = append(m.regions, arm.VersionRegion{Name: someRegions[0], ExcludeFromLatest: oneIn(t, 5, "excluded at home")})
		all = append(all, m)
	}
	return all
}

// oneIn is true once in so many times.
func oneIn(t *rapid.T, many int, what string) bool {
	return rapid.IntRange(0, many-1).Draw(t, what) == many-1
}

var someRegions = []string{"westeurope", "northeurope", "eastus"}

func (m past) add(g *gallery) {
	g.AddVersion(galleryPath+"/"+m.name, "westeurope", func(v *arm.Version) {
		v.State, v.ExcludeFromLatest, v.Regions, v.Published, v.Tags = m.state, m.hidden, m.regions, m.at, map[string]string{}
		if m.ours {
			v.Tags[retention.TagBuildID] = "b"
		}
		if m.kept {
			v.Tags["Goldmint-Keep"] = "" // Azure does not distinguish the case
		}
	})
}

// world is what others do between the calls of a prune.
type world struct {
	*gallery
	history map[string]past
	actions []int
	added   int
	asked   map[string]bool // to be deleted
	must    map[string]bool // stay, since they were made or tagged meanwhile
	rival   func()
}

// act lets others do one thing just before a call.
func (w *world) act(method, name string) http.Handler {
	if method == http.MethodDelete {
		w.asked[name] = true
	}
	if method == "LIST" || len(w.actions) == 0 {
		return nil
	}
	action := w.actions[0]
	w.actions = w.actions[1:]
	names := slices.Sorted(maps.Keys(w.history))
	other := w.history[names[action/5%len(names)]]
	switch kind := action % 5; {
	case kind == 0: // a build begins, of a number above all or below all
		w.added++
		m := past{name: fmt.Sprintf("%d.0.%d", action%2*9, w.added), ours: true, state: "Creating", regions: []arm.VersionRegion{{Name: "westeurope"}}}
		m.add(w.gallery)
		w.must[m.name] = true
	case kind == 1 && other.state == "Creating" && w.rival == nil: // a build ends; a prune that lists later may take its version
		other.state = "Succeeded"
		other.add(w.gallery)
		w.must[other.name] = true
	case kind == 2 && !w.asked[other.name] && other.state == "Succeeded": // somebody wants it to stay
		other.kept = true
		other.add(w.gallery)
		w.must[other.name] = true
	case kind == 3 && w.rival != nil: // a second prune runs to its end
		w.rival()
	}
	return nil
}

// TestPruneOverRandomHistories, with builds that begin and end, tags that are set and a second
// prune between its calls: what is left holds what `latest` stands for in each region, the newest
// N, all that others made, all that was under way and all that came meanwhile.
func TestPruneOverRandomHistories(t *testing.T) {
	signIn(t)
	rapid.Check(t, func(t *rapid.T) {
		g, err := listenGallery(quickly)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = g.Close() }()
		history := drawHistory(t)
		w := &world{gallery: g, history: map[string]past{}, asked: map[string]bool{}, must: map[string]bool{}}
		w.actions = rapid.SliceOfN(rapid.IntRange(0, 999), 0, 12).Draw(t, "actions")
		for _, m := range history {
			m.at = g.Now().Add(-time.Duration(m.hours)*time.Hour - time.Minute)
			m.add(g)
			w.history[m.name] = m
		}
		latest := map[string]string{}
		for _, region := range someRegions {
			latest[region] = g.Latest(definition, region)
		}
		keep, hours := rapid.SampledFrom([]int{1, 1, 2, 4}).Draw(t, "keep"), rapid.SampledFrom([]int{0, 0, 0, 25}).Draw(t, "older than")
		args := []string{"--keep", fmt.Sprint(keep), "--older-than", fmt.Sprintf("%dh", hours), "--yes", "--wait", "0s"}
		if rapid.Bool().Draw(t, "with a rival") {
			w.rival = func() {
				w.rival, g.before = func() {}, nil
				_, _, _ = g.pruned(context.Background(), args...)
				g.before = w.act
			}
		}
		g.before = w.act
		out, errOut, status := g.pruned(context.Background(), args...)
		if status != exitOK {
			t.Fatalf("status %d %s\n%s", status, errOut, out)
		}
		w.check(t, history, keep, hours, latest, out)
	})
}

// check holds what is left.
func (w *world) check(t *rapid.T, history []past, keep, hours int, latest map[string]string, out string) {
	stays := func(name, why string) {
		body, ok := w.Version(galleryPath + "/" + name)
		if !ok || bytes.Contains(body, []byte(`"Deleting"`)) {
			t.Fatalf("%s goes although it %s:\n%s", name, why, out)
		}
	}
	for _, m := range history {
		switch {
		case !m.ours:
			stays(m.name, "is another's")
		case m.state != "Succeeded":
			stays(m.name, "was "+m.state)
		case m.kept:
			stays(m.name, "is tagged")
		case m.hours < hours:
			stays(m.name, "is young")
		}
	}
	for name := range w.must {
		stays(name, "was made, finished or tagged meanwhile")
	}
	slices.SortFunc(history, func(a, b past) int { return b.number - a.number })
	finished := slices.DeleteFunc(slices.Clone(history), func(m past) bool { return !m.ours || m.state != "Succeeded" })
	for _, m := range finished[:min(keep, len(finished))] {
		stays(m.name, "is among the newest")
	}
	for region, name := range latest {
		if name != "" {
			stays(name, "was the latest in "+region)
		}
	}
}
