package ratelimit

import (
	"strconv"
	"strings"
	"time"
)

// Limit is one of Resource Manager's rate limits, as the headers of creations report it. All limits
// of a region apply at once.
type Limit struct {
	Name      string        `json:"name"`
	Window    time.Duration `json:"window,omitempty"` // 0: a bucket that fills up again
	Remaining int           `json:"remaining"`
	At        time.Time     `json:"at,omitzero"`        // when the creation with this answer was sent
	Capacity  int           `json:"capacity,omitempty"` // of a window: the most creations that it is known to hold
	Others    int           `json:"others,omitempty"`   // of a window: creations of others in it
	Tokens    float64       `json:"tokens,omitempty"`   // of a bucket: creations that may start, by TokensAt
	TokensAt  time.Time     `json:"tokensAt,omitzero"`
}

const (
	margin = 2 * time.Second  // added to the calculated time at which a window slides
	drain  = 30 * time.Second // in this time the rate would use up what remains of a bucket
)

// unknown replaces the limits before an answer has named any. It lets a few creations start, whose
// answers name the limits.
var unknown = Limit{Window: inFlight, Capacity: 6}

// see updates the limit from a header.
func (l *Limit) see(remaining int, sent time.Time, s *State) {
	if l.Window > 0 {
		l.Capacity = max(l.Capacity, remaining+1)
		// Azure may have raised the limit while much of it is used. Only the creations of the last
		// half window count here, because a window with fixed steps may have started again, and
		// some creations may never have arrived.
		if grown := remaining + s.count(sent.Add(-l.Window/2), sent.Add(-inFlight)); grown > l.Capacity*17/16 {
			l.Capacity = grown
		}
	}
	if !sent.After(l.At) {
		return
	}
	l.Remaining, l.At = remaining, sent
	if l.Window > 0 {
		// The use by others is the total use without our own. Creations of the last seconds are
		// uncertain: the header may or may not have counted them.
		used := l.Capacity - remaining
		least := used - s.count(sent.Add(-l.Window-inFlight), sent.Add(time.Second))
		most := used - 1 - s.count(sent.Add(-l.Window+inFlight), sent.Add(-inFlight))
		l.Others = max(0, min(max(l.Others, least), most))
	}
}

// own is how many of our creations fit in a window beside those of others. It leaves room for one
// more of theirs.
func (l *Limit) own() int {
	if l.Others > 0 {
		return l.Capacity - l.Others - 1
	}
	return l.Capacity
}

// rate is how many creations of a bucket may start in a second. What remains settles at the level
// where this rate equals the refill.
func (l *Limit) rate() float64 { return max(0.5, float64(l.Remaining)) / drain.Seconds() }

// burst is how many creations of a bucket may start at once.
func (l *Limit) burst() float64 { return 1 + l.rate()*2*inFlight.Seconds() }

func (l *Limit) tokens(now time.Time) float64 {
	return min(l.burst(), l.Tokens+l.rate()*max(0, now.Sub(l.TokensAt).Seconds()))
}

func (l *Limit) take(now time.Time) {
	if l.Window == 0 {
		l.Tokens, l.TokensAt = l.tokens(now)-1, now
	}
}

// refilled is when a bucket has a token for a creation with so many before it. Further back in the
// line the faster of two rates counts, because what remains goes up and down, and asking too early
// is better than sleeping too long.
func (l *Limit) refilled(before int, pace float64, now time.Time) time.Time {
	rate := l.rate()
	if before > 0 {
		rate = max(rate, pace) * 17 / 16
	}
	seconds := (float64(before+1) - l.tokens(now)) / rate
	return now.Add(time.Duration(min(seconds, 2*longestWait.Seconds()) * float64(time.Second)))
}

// Parse reads the header x-ms-ratelimit-remaining-resource of a creation's answer, in the form of
// 2018 (Microsoft.Compute/CreateImages3Min;39,Microsoft.Compute/CreateImages30Min;199: sliding
// windows) and in that of 2026 (Microsoft.Compute/CreateImagesSubscriptionMaximum;59: a bucket).
// The creation was counted against every limit in its answer, so each of them applies, whatever its
// name. Limits that Azure counts for each resource separately are left out.
func Parse(header string) []Limit {
	var all []Limit
	for entry := range strings.SplitSeq(header, ",") {
		name, left, ok := strings.Cut(strings.TrimSpace(entry), ";")
		_, name, slash := strings.Cut(name, "/")
		remaining, err := strconv.Atoi(left)
		l := Limit{Name: name, Window: windowOf(name), Remaining: remaining}
		if ok && slash && err == nil && l.valid() && !strings.HasSuffix(name, "Resource") {
			all = append(all, l)
		}
	}
	return all[:min(len(all), mostLimits)]
}

// Bounds on the values accepted from headers and documents.
const (
	mostLimits    = 8
	mostRemaining = 1_000_000
	longestName   = 128
	longestWindow = 24 * time.Hour
)

func (l *Limit) valid() bool {
	return l.Name != "" && len(l.Name) <= longestName && l.Remaining >= 0 && l.Remaining < mostRemaining
}

// windowOf reads the 3Min of CreateImages3Min, 0 where the name has no window.
func windowOf(name string) time.Duration {
	for unit, of := range map[string]time.Duration{"Sec": time.Second, "Min": time.Minute, "Hour": time.Hour} {
		rest, found := strings.CutSuffix(name, unit)
		digits := rest[len(strings.TrimRight(rest, "0123456789")):]
		if n, err := strconv.Atoi(digits); found && err == nil && n > 0 && n <= int(longestWindow/of) {
			return time.Duration(n) * of
		}
	}
	return 0
}
