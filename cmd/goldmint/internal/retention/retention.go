// Package retention decides which image versions and images go and which stay, and says why. It has
// no effects.
package retention

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Rule says what may go. The zero Keep is not a rule: callers demand at least 1.
type Rule struct {
	Keep      int           // so many of the newest stay, in each region
	OlderThan time.Duration // younger ones stay: a build may still look at its image
	Expired   bool          // only those past their end of life go
	Prefix    string        // of images: what follows it is the number; unused for versions
	Now       time.Time
	Users     map[string][]string // by lower-case id: who uses it
}

// Item is a version of a gallery image, or a managed image.
type Item struct {
	ID, Name  string
	Number    Number // nil where the name is not a number
	State     string // as Azure returns it: Succeeded, Creating, Deleting, …
	Tags      map[string]string
	Created   time.Time // the version's published date, or when the image was requested; zero where unknown
	EndOfLife time.Time
	Blocked   bool // may not be deleted before its end of life
	Regions   []Region
}

// Region is where a version has replicas.
type Region struct {
	Name     string
	Excluded bool // from latest, by the region's own flag
	Hidden   bool // from latest, by that flag or the version's
}

// The tags that count.
const (
	TagBuildID     = "goldmint-build-id"     // what Goldmint made has it
	TagRequestedAt = "goldmint-requested-at" // RFC 3339
	TagKeep        = "goldmint-keep"         // whatever its value: never delete this
)

// Reason says why an item goes or stays, for programs.
type Reason string

// The reasons. Only Old lets an item go.
const (
	Old        Reason = "Old"
	Foreign    Reason = "Foreign"
	UnderWay   Reason = "UnderWay"
	NoNumber   Reason = "NoNumber"
	KeepTag    Reason = "KeepTag"
	Latest     Reason = "Latest"
	Newest     Reason = "Newest"
	Young      Reason = "Young"
	NotExpired Reason = "NotExpired"
	Blocked    Reason = "Blocked"
	InUse      Reason = "InUse"
)

// Decision is whether an item goes or stays.
type Decision struct {
	Item   Item
	Delete bool
	Reason Reason
	Detail string // for a person
}

// Decide decides for all items of one definition, or of one prefix, at once. The decisions are
// newest first.
func Decide(items []Item, rule Rule) []Decision {
	items = slices.Clone(items)
	slices.SortStableFunc(items, func(a, b Item) int { return cmp.Or(b.Number.Compare(a.Number), cmp.Compare(a.Name, b.Name)) })
	latest := latestByRegion(items)
	newest := newestOf(items, rule.Keep)
	all := make([]Decision, len(items))
	for i, item := range items {
		reason, detail := rule.judge(item, latest[i], newest[i])
		all[i] = Decision{Item: item, Delete: reason == Old, Reason: reason, Detail: detail}
	}
	return all
}

// judge returns the first reason to stay: those that no flag overrides come first.
func (r Rule) judge(i Item, latest []string, newest bool) (Reason, string) {
	switch {
	case i.Number == nil && r.Prefix != "":
		return NoNumber, fmt.Sprintf("what follows %q is not a number or date", r.Prefix)
	case i.Number == nil:
		return NoNumber, "its name is not a version"
	case !ours(i):
		return Foreign, "Goldmint did not make it: no tag " + TagBuildID
	case !strings.EqualFold(i.State, "Succeeded"):
		return UnderWay, "its state is " + cmp.Or(i.State, "unknown")
	case i.tagged(TagKeep):
		return KeepTag, "it has the tag " + TagKeep
	case len(latest) > 0:
		return Latest, "it is the latest in " + strings.Join(latest, ", ")
	case newest && r.Keep == 1:
		return Newest, "it is the newest"
	case newest:
		return Newest, fmt.Sprintf("it is among the newest %d", r.Keep)
	}
	return r.judgeOld(i)
}

func (r Rule) judgeOld(i Item) (Reason, string) {
	users := r.Users[strings.ToLower(i.ID)]
	switch {
	case r.OlderThan > 0 && (i.Created.IsZero() || r.Now.Sub(i.Created) < r.OlderThan):
		return Young, "it is not older than " + span(r.OlderThan)
	case r.Expired && (i.EndOfLife.IsZero() || i.EndOfLife.After(r.Now)):
		return NotExpired, "its end of life has not come"
	case i.Blocked && i.EndOfLife.After(r.Now):
		return Blocked, "it may not be deleted before " + i.EndOfLife.UTC().Format(time.RFC3339)
	case len(users) > 0:
		return InUse, "it is in use by " + list(users)
	}
	if r.Keep == 1 {
		return Old, "a newer one stays"
	}
	return Old, fmt.Sprintf("%d newer ones stay", r.Keep)
}

// Again decides once more about an item that is to go, as it is just before that: the first reason
// to leave it, or "".
func Again(listed, now Item) string {
	switch {
	case !strings.EqualFold(listed.State, now.State):
		return "its state has become " + cmp.Or(now.State, "unknown")
	case !sameTags(listed.Tags, now.Tags):
		return "its tags have changed since the list"
	case !listed.Created.Equal(now.Created):
		return "it was made anew since the list"
	case !listed.EndOfLife.Equal(now.EndOfLife) || listed.Blocked != now.Blocked:
		return "its end of life has changed since the list"
	case !sameRegions(listed.Regions, now.Regions):
		return "its regions have changed since the list"
	}
	return ""
}

// sameRegions compares regions whatever their order.
func sameRegions(a, b []Region) bool {
	inOrder := func(regions []Region) []Region {
		regions = slices.Clone(regions)
		slices.SortFunc(regions, func(a, b Region) int { return cmp.Compare(a.Short(), b.Short()) })
		return regions
	}
	return slices.EqualFunc(inOrder(a), inOrder(b), func(a, b Region) bool {
		return a.Short() == b.Short() && a.Excluded == b.Excluded && a.Hidden == b.Hidden
	})
}

func sameTags(a, b map[string]string) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		if w, ok := b[k]; !ok || v != w {
			return false
		}
	}
	return true
}

// tagged finds a tag by its name, whose case Azure does not distinguish.
func (i Item) tagged(name string) bool {
	for tag := range i.Tags {
		if strings.EqualFold(tag, name) {
			return true
		}
	}
	return false
}

func ours(i Item) bool { return i.Tags[TagBuildID] != "" }

func list(users []string) string {
	const shown = 2
	if more := len(users) - shown; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(users[:shown], ", "), more)
	}
	return strings.Join(users, ", ")
}

// span is a duration with days, as people write ages.
func span(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d >= day && d%day == 0:
		return fmt.Sprintf("%dd", d/day)
	case d%time.Hour == 0:
		return fmt.Sprintf("%dh", d/time.Hour)
	}
	return d.String()
}
