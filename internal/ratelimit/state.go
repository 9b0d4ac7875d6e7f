// Package ratelimit says when the next creation may start in a region, so that Resource Manager
// need not refuse it.
//
// All instances of the handler share one small document for each kind of creation, subscription and
// region, read and written back under an ETag. State is that document and holds the rules; Limiter
// shares it through a Store. The document is a cache: when it is lost or cannot be reached,
// creations continue with what an instance knows, and Retry-After corrects it.
package ratelimit

import (
	"math/rand/v2"
	"slices"
	"time"
)

// State is what the instances know of a region: its limits, the creations that started lately, and
// the line of builds that wait. Turns are not reserved: a build that wakes up asks whether it may
// start now.
type State struct {
	Limits    []Limit   `json:"limits,omitempty"`
	Unlimited bool      `json:"unlimited,omitempty"` // the answers name no limit
	Starts    []int64   `json:"starts,omitempty"`    // of the last creations, in Unix milliseconds, unique, oldest first
	NotBefore time.Time `json:"notBefore,omitzero"`  // the end of a Retry-After
	Next      int       `json:"next,omitempty"`      // the last number that a build got
	Line      []int     `json:"line,omitempty"`      // the numbers of the builds that wait, in order
	Writes    []uint32  `json:"writes,omitempty"`    // ids of the last writes: an instance looks here for a write without an answer
}

const (
	longestWait = 21 * time.Minute // of a build before it asks again
	inFlight    = 8 * time.Second  // a creation that started longer ago has its answer
	stalled     = 32 * time.Second // a turn that is free for so long is unused: no build wakes up so late
	kept        = 60               // starts that are always remembered; the pace is measured from them
	mostKept    = 2000
	mostWaiting = 100_000
)

// Turn is the answer to a build that asks whether it may create its image.
type Turn struct {
	Number int           // of the build, for its next Ask
	Before int           // builds that go first
	Wait   time.Duration // until it asks again; 0: it may start now
	Start  time.Time     // of a build that may start: identifies the start, see Answer and Return
}

// Ask says whether a build may start now. number is that of its last Turn, 0 for a build that is
// new.
func (s *State) Ask(number int, now time.Time) Turn {
	if s.Unlimited && !now.Before(s.NotBefore) {
		s.Leave(number)
		return Turn{Number: number}
	}
	number, before := s.enter(number)
	wait := s.wait(before, now)
	if wait > 0 && s.unused(now) > stalled {
		// The builds before it have not used the free turns, so an eighth of them count as gone.
		// One that does come later is still first in line.
		wait = 0
		s.Line = slices.Delete(s.Line, 0, before/8)
	}
	if wait > 0 {
		wait = min(wait, longestWait)
		return Turn{Number: number, Before: before, Wait: wait + spread(number, wait, now)}
	}
	s.Leave(number)
	return Turn{Number: number, Start: s.start(now)}
}

// unused is how long a creation has been possible without a build that asked for it.
func (s *State) unused(now time.Time) time.Duration {
	free, idle := -max(s.wait(0, now), -longestWindow), longestWindow
	if n := len(s.Starts); n > 0 {
		idle = now.Sub(time.UnixMilli(s.Starts[n-1]))
	}
	switch {
	case free >= longestWindow: // no limit has been reached
		return idle
	case free > inFlight: // a full bucket does not show since when it is full
		return max(free, idle)
	}
	return free
}

// enter puts a build into the line, if it is not there, and says how many are before it. A build
// that did not use its turn comes back with its number, and so does every build after the document
// was lost. The number decides its place.
func (s *State) enter(number int) (same, before int) {
	if number <= 0 || number > s.Next+mostWaiting {
		number = s.Next + 1
	}
	s.Next = max(s.Next, number)
	before, found := slices.BinarySearch(s.Line, number)
	if !found && len(s.Line) < mostWaiting {
		s.Line = slices.Insert(s.Line, before, number)
	}
	return number, before
}

// spread keeps builds that wait equally long from asking at the same moment. It is computed from
// the number and the time, so that State is reproducible.
func spread(number int, wait time.Duration, now time.Time) time.Duration {
	most := min(max(wait/16, 100*time.Millisecond), 30*time.Second)
	r := rand.New(rand.NewPCG(uint64(number), uint64(now.UnixNano()))) //nolint:gosec // no secret
	return time.Duration(r.Int64N(int64(most)))
}

func (s *State) start(now time.Time) time.Time {
	for i := range s.Limits {
		s.Limits[i].take(now)
	}
	at := now.UnixMilli()
	for slices.Contains(s.Starts, at) {
		at++
	}
	s.insert(at)
	return time.UnixMilli(at)
}

// wait is how long until a creation with so many others before it may start. It is negative if the
// creation could have started earlier.
func (s *State) wait(before int, now time.Time) time.Duration {
	at := s.slide(before, s.NotBefore, now)
	for _, l := range s.Limits {
		if l.Window == 0 {
			at = later(at, l.refilled(before, s.pace(now), now))
		}
	}
	return at.Sub(now)
}

// pace is the recent number of creations per second, or 0 after too few of them.
func (s *State) pace(now time.Time) float64 {
	n := min(len(s.Starts), kept)
	if n < kept/4 {
		return 0
	}
	return float64(n) / max(1, now.Sub(time.UnixMilli(s.Starts[len(s.Starts)-n])).Seconds())
}

// slide is when enough creations have left the windows, if each build before starts as early as
// possible.
func (s *State) slide(before int, at, now time.Time) time.Time {
	limits := s.Limits
	if len(limits) == 0 { // all waiting builds come back after the first answers
		limits, before = []Limit{unknown}, min(before, unknown.Capacity-1)
	}
	starts := slices.Clone(s.Starts)
	for n := 0; ; n++ {
		for i := range limits {
			l := &limits[i]
			c := max(1, l.own())
			if l.Window > 0 && len(starts) >= c {
				at = later(at, time.UnixMilli(starts[len(starts)-c]).Add(l.Window+margin))
			}
		}
		if n >= before || n >= mostKept || at.Sub(now) > longestWait {
			return at
		}
		starts = append(starts, later(at, now).UnixMilli())
	}
}

// count is how many creations started after from and not after to.
func (s *State) count(from, to time.Time) int {
	after := func(t time.Time) int {
		i, _ := slices.BinarySearch(s.Starts, t.UnixMilli()+1)
		return i
	}
	return max(0, after(to)-after(from))
}

// Answer is what the answer to a creation says.
type Answer struct {
	Start      time.Time // the turn's
	Sent       time.Time // when the creation was sent
	Limits     []Limit   // Name, Window and Remaining, see Parse
	Refused    bool      // 429: it was not counted
	RetryAfter time.Duration
}

// Answer updates the state from the answer to a creation.
func (s *State) Answer(a Answer, now time.Time) {
	if a.Refused {
		s.NotBefore = later(s.NotBefore, now.Add(a.RetryAfter))
		s.Return(a.Start)
	} else if s.remove(a.Start) { // Azure counts a creation when it arrives, not when it was allowed
		at := a.Sent.UnixMilli()
		for slices.Contains(s.Starts, at) {
			at++
		}
		s.insert(at)
	}
	for _, seen := range a.Limits {
		s.limit(seen, a.Sent).see(seen.Remaining, a.Sent, s)
	}
	s.Unlimited = len(s.Limits) == 0 && !a.Refused
	s.trim()
}

// limit is the state's limit of that name.
func (s *State) limit(seen Limit, at time.Time) *Limit {
	i := slices.IndexFunc(s.Limits, func(l Limit) bool { return l.Name == seen.Name })
	if i < 0 {
		i = len(s.Limits)
		l := Limit{Name: seen.Name, Window: seen.Window, Remaining: seen.Remaining}
		if l.Window == 0 {
			l.Tokens, l.TokensAt = min(l.burst(), float64(l.Remaining)), at
		}
		s.Limits = append(s.Limits, l)
	}
	return &s.Limits[i]
}

// Return takes back a turn that was not used: the creation was refused, the image exists, or the
// build ended first.
func (s *State) Return(start time.Time) {
	if !s.remove(start) {
		return
	}
	for i := range s.Limits {
		if l := &s.Limits[i]; l.Window == 0 {
			l.Tokens++
		}
	}
}

// Leave removes a build from the line: it got its turn, or ended while it waited.
func (s *State) Leave(number int) {
	if i, found := slices.BinarySearch(s.Line, number); found {
		s.Line = slices.Delete(s.Line, i, i+1)
	}
}

func (s *State) remove(start time.Time) bool {
	i, found := slices.BinarySearch(s.Starts, start.UnixMilli())
	if found && !start.IsZero() {
		s.Starts = slices.Delete(s.Starts, i, i+1)
		return true
	}
	return false
}

func (s *State) insert(at int64) {
	i, _ := slices.BinarySearch(s.Starts, at)
	s.Starts = slices.Insert(s.Starts, i, at)
	s.trim()
}

// trim removes the starts that are older than every window.
func (s *State) trim() {
	window := time.Duration(0)
	for _, l := range s.Limits {
		window = max(window, l.Window+2*inFlight)
	}
	n := len(s.Starts)
	if n <= kept {
		return
	}
	old, _ := slices.BinarySearch(s.Starts, s.Starts[n-1]-window.Milliseconds())
	s.Starts = s.Starts[max(min(old, n-kept), n-mostKept):]
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
