package ratelimit

import (
	"strconv"
	"strings"
	"time"
)

// Limit is one of Resource Manager's, as the headers of creations report it. All limits of a region
// apply at once.
type Limit struct {
	Name      string        `json:"name"`
	Window    time.Duration `json:"window,omitempty"` // 0: a bucket that fills up again
	Remaining int           `json:"remaining"`
	At        time.Time     `json:"at,omitzero"`        // when the creation was sent whose answer said so
	Capacity  int           `json:"capacity,omitempty"` // of a window: the most creations that it is known to hold
	Others    int           `json:"others,omitempty"`   // of a window: what others use of it
	Tokens    float64       `json:"tokens,omitempty"`   // of a bucket: creations that may start, by TokensAt
	TokensAt  time.Time     `json:"tokensAt,omitzero"`
}

const (
	margin = 2 * time.Second  // by which a window slides later than reckoned
	drain  = 30 * time.Second // in which the rate would use up what remains of a bucket
)

// unknown stands in for the limits before an answer has named any: a few creations find out.
var unknown = Limit{Window: inFlight, Capacity: 6}

// see takes in what a header says.
func (l *Limit) see(remaining int, sent time.Time, s *State) {
	if l.Window > 0 {
		l.Capacity = max(l.Capacity, remaining+1)
		// It may have grown while much of it is used. Of the creations only half a window's count,
		// for one in fixed steps may have begun anew, and some may never have been made.
		if grown := remaining + s.count(sent.Add(-l.Window/2), sent.Add(-inFlight)); grown > l.Capacity*17/16 {
			l.Capacity = grown
		}
	}
	if !sent.After(l.At) {
		return
	}
	l.Remaining, l.At = remaining, sent
	if l.Window > 0 {
		// What others use follows from what is used, but for the creations of the last seconds:
		// they may or may not have been counted in the header.
		used := l.Capacity - remaining
		least := used - s.count(sent.Add(-l.Window-inFlight), sent.Add(time.Second))
		most := used - 1 - s.count(sent.Add(-l.Window+inFlight), sent.Add(-inFlight))
		l.Others = max(0, min(max(l.Others, least), most))
	}
}

// own is how many creations a window holds beside those of others, who may be about to make one
// more.
func (l *Limit) own() int {
	if l.Others > 0 {
		return l.Capacity - l.Others - 1
	}
	return l.Capacity
}

// rate is how many creations of a bucket may start in a second. What remains settles where that is
// the refill.
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
// line the faster of two rates counts, for what remains goes up and down: better to ask too early
// than to sleep too long.
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
// name. Left out are those that count for each resource by itself.
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

// Bounds on what is believed of headers and documents.
const (
	mostLimits    = 8
	mostRemaining = 1_000_000
	longestName   = 128
	longestWindow = 24 * time.Hour
)

func (l *Limit) valid() bool {
	return l.Name != "" && len(l.Name) <= longestName && l.Remaining >= 0 && l.Remaining < mostRemaining
}

// windowOf reads the 3Min of CreateImages3Min, 0 where the name has none.
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
