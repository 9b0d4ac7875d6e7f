package retention

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var now = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

// history is a random definition: versions of several makers, in several states, with gaps and
// flags of all kinds.
func history(t *rapid.T) []Item {
	numbers := rapid.SliceOfNDistinct(rapid.IntRange(0, 60), 0, 30, rapid.ID[int]).Draw(t, "numbers")
	var items []Item
	for _, n := range numbers {
		name := fmt.Sprintf("%d.%d.%d", n/20, n/5%4, n%5)
		item := Item{
			ID: "/v/" + name, Name: name, Number: Version(name), Tags: map[string]string{},
			State:   rapid.SampledFrom([]string{"Succeeded", "Succeeded", "Succeeded", "Creating", "Updating", "Deleting", "Failed"}).Draw(t, "state"),
			Created: now.Add(-time.Duration(rapid.IntRange(-5, 2000).Draw(t, "age")) * time.Hour),
			Blocked: rapid.Bool().Draw(t, "blocked"),
		}
		if rapid.IntRange(0, 4).Draw(t, "ours") > 0 {
			item.Tags[TagBuildID] = "b"
		}
		if rapid.IntRange(0, 9).Draw(t, "keep") == 0 {
			item.Tags[TagKeep] = ""
		}
		if rapid.Bool().Draw(t, "has end") {
			item.EndOfLife = now.Add(time.Duration(rapid.IntRange(-100, 100).Draw(t, "end")) * time.Hour)
		}
		hidden := rapid.IntRange(0, 2).Draw(t, "hidden") == 0
		for _, name := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"West Europe", "northeurope", "East US"}), 0, 3, rapid.ID[string]).Draw(t, "regions") {
			excluded := rapid.IntRange(0, 2).Draw(t, "excluded") == 0
			item.Regions = append(item.Regions, Region{Name: name, Excluded: excluded, Hidden: hidden || excluded})
		}
		items = append(items, item)
	}
	return items
}

func rules(t *rapid.T, items []Item) Rule {
	r := Rule{Keep: rapid.IntRange(1, 5).Draw(t, "keep"), Expired: rapid.Bool().Draw(t, "expired"), Now: now, Users: map[string][]string{}}
	r.OlderThan = time.Duration(rapid.SampledFrom([]int{0, 1, 24, 500}).Draw(t, "older than")) * time.Hour
	for _, i := range items {
		if rapid.IntRange(0, 9).Draw(t, "used") == 0 {
			r.Users[i.ID] = []string{"vm-1"}
		}
	}
	return r
}

// latest is what a deployment of `latest` gets in a region: the highest of the finished versions
// that show it there. It is written from Azure's sentence, not from the code.
func latest(items []Item, name string, hides func(Region) bool) (best string) {
	var top Number
	for _, i := range items {
		for _, r := range i.Regions {
			if r.Short() == name && !hides(r) && i.State == "Succeeded" && (best == "" || i.Number.Compare(top) > 0) {
				best, top = i.ID, i.Number
			}
		}
	}
	return best
}

// TestWhatStays: over random histories, what is left holds all that has to stay.
func TestWhatStays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		items := history(t)
		rule := rules(t, items)
		decisions := Decide(items, rule)
		if len(decisions) != len(items) {
			t.Fatalf("%d decisions about %d items", len(decisions), len(items))
		}
		var left, finished []Item
		for _, d := range decisions {
			if d.Delete != (d.Reason == Old) || d.Detail == "" {
				t.Fatalf("%+v", d)
			}
			if d.Item.State == "Succeeded" && d.Item.Tags[TagBuildID] != "" {
				finished = append(finished, d.Item)
			}
			if d.Delete {
				mayGo(t, d.Item, rule)
				continue
			}
			left = append(left, d.Item)
		}
		for _, name := range []string{"westeurope", "northeurope", "eastus"} {
			for _, hides := range []func(Region) bool{func(r Region) bool { return r.Hidden }, func(r Region) bool { return r.Excluded }} {
				if before, after := latest(items, name, hides), latest(left, name, hides); before != after {
					t.Fatalf("latest in %s was %s and becomes %q", name, before, after)
				}
				if want, got := visible(finished, name, hides), visible(left, name, hides); got < min(rule.Keep, want) {
					t.Fatalf("%d of %d that latest may resolve to are left in %s", got, want, name)
				}
			}
		}
		newest(t, finished, left, rule.Keep)
	})
}

// mayGo holds an item that goes against every reason to stay.
func mayGo(t *rapid.T, i Item, rule Rule) {
	_, keep := i.Tags[TagKeep]
	for why, stay := range map[string]bool{
		"foreign": i.Tags[TagBuildID] == "", "under way": i.State != "Succeeded", "tagged": keep,
		"young":   rule.OlderThan > 0 && now.Sub(i.Created) < rule.OlderThan,
		"alive":   rule.Expired && (i.EndOfLife.IsZero() || now.Before(i.EndOfLife)),
		"blocked": i.Blocked && now.Before(i.EndOfLife),
		"used":    len(rule.Users[i.ID]) > 0,
	} {
		if stay {
			t.Fatalf("%s goes although it is %s", i.Name, why)
		}
	}
}

func visible(items []Item, name string, hides func(Region) bool) (n int) {
	for _, i := range items {
		if i.State == "Succeeded" && i.Tags[TagBuildID] != "" && slices.ContainsFunc(i.Regions, func(r Region) bool { return r.Short() == name && !hides(r) }) {
			n++
		}
	}
	return n
}

// newest: the Keep with the highest numbers are left.
func newest(t *rapid.T, finished, left []Item, keep int) {
	slices.SortFunc(finished, func(a, b Item) int { return b.Number.Compare(a.Number) })
	for _, want := range finished[:min(keep, len(finished))] {
		if !slices.ContainsFunc(left, func(i Item) bool { return i.ID == want.ID }) {
			t.Fatalf("%s is among the newest %d and goes", want.Name, keep)
		}
	}
}

// TestDecidingAgainTakesNothing: what a prune leaves, another with the same rule leaves too.
func TestDecidingAgainTakesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		items := history(t)
		rule := rules(t, items)
		var left []Item
		for _, d := range Decide(items, rule) {
			if !d.Delete {
				left = append(left, d.Item)
			}
		}
		for _, d := range Decide(left, rule) {
			if d.Delete {
				t.Fatalf("%s goes only the second time", d.Item.Name)
			}
		}
	})
}

// version is one of ours in West Europe.
func version(name string, change ...func(*Item)) Item {
	i := Item{
		ID: "/v/" + name, Name: name, Number: Version(name), State: "Succeeded", Tags: map[string]string{TagBuildID: "b"},
		Created: now.Add(-48 * time.Hour), Regions: []Region{{Name: "West Europe"}},
	}
	for _, c := range change {
		c(&i)
	}
	return i
}

func untagged(i *Item)           { i.Tags = nil }
func state(s string) func(*Item) { return func(i *Item) { i.State = s } }
func hidden(i *Item)             { i.Regions = []Region{{Name: "West Europe", Excluded: true, Hidden: true}} }

// TestAccidents plays what cleaners did to others, and a few that are near.
func TestAccidents(t *testing.T) {
	for _, tt := range []struct {
		name  string
		items []Item
		goes  string
	}{
		{"a cleaner deleted every untagged version", []Item{version("1.0.0", untagged), version("1.0.1", untagged), version("1.0.2"), version("1.0.3")}, "1.0.2"},
		{"a cleaner deleted what a parallel build was making", []Item{version("1.0.0"), version("1.0.1", state("Creating")), version("1.0.2", state("Updating")), version("1.0.3")}, "1.0.0"},
		{"a build that has just ended lost its version to a newer one", []Item{version("1.0.1", func(i *Item) { i.Created = now.Add(-time.Minute) }), version("1.0.3")}, ""},
		{"a clock that is ahead", []Item{version("1.0.1", func(i *Item) { i.Created = now.Add(time.Hour) }), version("1.0.3")}, ""},
		{"failed candidates push out what is deployed", []Item{version("1.0.0"), version("1.0.1", hidden), version("1.0.2", hidden), version("1.0.3", state("Failed"))}, "1.0.1"},
		{"1.9.0 is older than 1.10.0", []Item{version("1.9.0"), version("1.10.0")}, "1.9.0"},
		{"the only one of a region", []Item{version("1.0.0", func(i *Item) { i.Regions = []Region{{Name: "eastus"}} }), version("1.0.1")}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var gone []string
			for _, d := range Decide(tt.items, Rule{Keep: 1, OlderThan: time.Hour, Now: now}) {
				if d.Delete {
					gone = append(gone, d.Item.Name)
				}
			}
			if got := strings.Join(gone, " "); got != tt.goes {
				t.Errorf("%q goes, want %q", got, tt.goes)
			}
		})
	}
}

func TestSuffix(t *testing.T) {
	for name, want := range map[string]bool{
		"web-20261123": true, "web-2026-11-23T10.15.00Z": true, "web-12": true, "web-1.2.3": true,
		"web-api-3": false, "web-": false, "web--": false, "web-12a": false, "api-12": false, "web-99999999999999999999": false,
	} {
		if got := Suffix(name, "web-") != nil; got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
	if Suffix("web-9", "web-").Compare(Suffix("web-12", "web-")) >= 0 {
		t.Error("web-9 is not older than web-12")
	}
}

func TestAgainSeesWhatChanged(t *testing.T) {
	listed := version("1.0.0")
	if why := Again(listed, version("1.0.0")); why != "" {
		t.Error(why)
	}
	two := func(first, second string) func(*Item) {
		return func(i *Item) { i.Regions = []Region{{Name: first}, {Name: second}} }
	}
	if why := Again(version("1.0.0", two("West Europe", "eastus")), version("1.0.0", two("East US", "westeurope"))); why != "" {
		t.Errorf("regions in another order and form: %s", why)
	}
	for want, change := range map[string]func(*Item){
		"state": state("Deleting"), "tags": func(i *Item) { i.Tags[TagKeep] = "" }, "made anew": func(i *Item) { i.Created = now },
		"end of life": func(i *Item) { i.Blocked = true }, "regions": hidden,
	} {
		if why := Again(listed, version("1.0.0", change)); !strings.Contains(why, want) {
			t.Errorf("%s: %q", want, why)
		}
	}
}

// FuzzNumber reads any name as a version and as an image of a prefix: what is read is well ordered,
// and what does not follow the rule is no number.
func FuzzNumber(f *testing.F) {
	for _, name := range []string{"1.0.0", "2026.1127.143000", "1.2147483648.0", "01.0.0", "web-12", "web-2026-11-23T10.15.00Z", "web-api-3", "web-", "", "web-99999999999999999999"} {
		f.Add(name, "1.0.0")
	}
	f.Fuzz(func(t *testing.T, name, other string) {
		a, b := Version(name), Version(other)
		if a != nil && fmt.Sprintf("%d.%d.%d", a[0], a[1], a[2]) != name {
			t.Errorf("%q is %v", name, a)
		}
		if a.Compare(b) != -b.Compare(a) {
			t.Errorf("%q and %q are in no order", name, other)
		}
		rest, ok := strings.CutPrefix(name, "web-")
		if n := Suffix(name, "web-"); n != nil && (!ok || strings.Trim(rest, "0123456789.-TZ") != "" || strings.Trim(rest, ".-TZ") == "") {
			t.Errorf("%q is %v", name, n)
		}
	})
}
