// Package ratelimit says when the next creation may start in a region, so that Resource Manager
// need not refuse it.
//
// All instances of the handler share one small document for each kind of creation, subscription and
// region, read and written back under an ETag. State is that document and holds the rules; Limiter
// shares it through a Store. The document is a cache: when it is lost or cannot be reached,
// creations go on by what an instance knows, and Retry-After corrects it.
package ratelimit

import (
	"math/rand/v2"
	"slices"
	"time"
)

// State is what the instances know of a region: its limits, the creations that started lately, and
// the line of builds that wait. Nothing is reserved ahead: a build that wakes up asks whether it
// may start now.
type State struct {
	Limits    []Limit   `json:"limits,omitempty"`
	Unlimited bool      `json:"unlimited,omitempty"` // the answers name no limit
	Starts    []int64   `json:"starts,omitempty"`    // of the last creations, in Unix milliseconds, each unlike any other, oldest first
	NotBefore time.Time `json:"notBefore,omitzero"`  // the end of a Retry-After
	Next      int       `json:"next,omitempty"`      // the last number that was given to a build
	Line      []int     `json:"line,omitempty"`      // the numbers of the builds that wait, in order
	Writes    []uint32  `json:"writes,omitempty"`    // the last ones: an instance whose write was not answered looks for it here
}

const (
	longestWait = 21 * time.Minute // then a build asks again
	inFlight    = 8 * time.Second  // a creation that started longer ago has its answer
	stalled     = 32 * time.Second // what is free that long has nobody who comes for it: no build oversleeps as much
	kept        = 60               // starts that are remembered at least, and of which the pace is taken
	mostKept    = 2000
	mostWaiting = 100_000
)

// Turn is the answer to a build that asks whether it may create its image.
type Turn struct {
	Number int           // of the build, to ask again with
	Before int           // builds that are let go first
	Wait   time.Duration // before it asks again; 0: it may start now
	Start  time.Time     // of a build that may start: names the start, see Answer and Return
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
		// Those before it have not come for what is free: an eighth of them are taken for gone.
		// Whoever is not stands in front.
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

// unused is for how long a creation has been free that nobody came for.
func (s *State) unused(now time.Time) time.Duration {
	free, idle := -max(s.wait(0, now), -longestWindow), longestWindow
	if n := len(s.Starts); n > 0 {
		idle = now.Sub(time.UnixMilli(s.Starts[n-1]))
	}
	switch {
	case free >= longestWindow: // no limit has been reached
		return idle
	case free > inFlight: // a bucket that is full does not say since when
		return max(free, idle)
	}
	return free
}

// enter puts a build into the line, if it is not there, and says how many are before it. One that
// had its turn and did not use it comes back under its number, and so does each build when the
// document was lost: it stands where its number does.
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

// spread keeps builds that wait equally long from asking at the same moment. It is drawn from what
// the build knows, so that State is reproducible.
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

// wait is how long until a creation may start that has so many before it. Less than 0: it might
// have started earlier.
func (s *State) wait(before int, now time.Time) time.Duration {
	at := s.slide(before, s.NotBefore, now)
	for _, l := range s.Limits {
		if l.Window == 0 {
			at = later(at, l.refilled(before, s.pace(now), now))
		}
	}
	return at.Sub(now)
}

// pace is how many creations a second there were lately, 0 where they are too few to say.
func (s *State) pace(now time.Time) float64 {
	n := min(len(s.Starts), kept)
	if n < kept/4 {
		return 0
	}
	return float64(n) / max(1, now.Sub(time.UnixMilli(s.Starts[len(s.Starts)-n])).Seconds())
}

// slide is when the windows have let go of enough creations, if each of those before starts as
// early as it may.
func (s *State) slide(before int, at, now time.Time) time.Time {
	limits := s.Limits
	if len(limits) == 0 { // all that wait come back when the first answers are there
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

// Answer learns from the answer to a creation.
func (s *State) Answer(a Answer, now time.Time) {
	if a.Refused {
		s.NotBefore = later(s.NotBefore, now.Add(a.RetryAfter))
		s.Return(a.Start)
	} else if s.remove(a.Start) { // a creation is counted when it arrives, not when it was let go
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

// Return takes a turn back that was not used: the creation was refused, the image is there, or the
// build ended before it.
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

// Leave takes a build out of the line: it has its turn, or ends while it waits.
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

// trim forgets the starts that no window reaches.
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
