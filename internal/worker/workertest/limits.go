package workertest

import (
	"fmt"
	"time"
)

// Limits is a model of ARM's rate limits of image creations. A World asks it at each PUT, with the
// scope of the limits: subscription and region.
type Limits interface {
	// Take is one creation at now. remaining is the header x-ms-ratelimit-remaining-resource: after
	// a refusal it names the limit that is used up, and retryAfter is when to ask again.
	Take(scope string, now time.Time) (remaining string, retryAfter time.Duration, ok bool)
}

// Windows are sliding windows of three and thirty minutes: ARM's form until 2025, with 40 and 200.
func Windows(per3Minutes, per30Minutes int) Limits {
	return &windows{short: per3Minutes, long: per30Minutes, taken: map[string][]time.Time{}}
}

type windows struct {
	short, long int
	taken       map[string][]time.Time // by scope, of the last thirty minutes
}

func (l *windows) Take(scope string, now time.Time) (string, time.Duration, bool) {
	taken := l.taken[scope]
	for len(taken) > 0 && !taken[0].After(now.Add(-30*time.Minute)) {
		taken = taken[1:]
	}
	l.taken[scope] = taken
	recent := taken
	for len(recent) > 0 && !recent[0].After(now.Add(-3*time.Minute)) {
		recent = recent[1:]
	}
	switch {
	case len(taken) >= l.long:
		return "Microsoft.Compute/CreateImages30Min;0", wholeSeconds(taken[0].Add(30 * time.Minute).Sub(now)), false
	case len(recent) >= l.short:
		return "Microsoft.Compute/CreateImages3Min;0", wholeSeconds(recent[0].Add(3 * time.Minute).Sub(now)), false
	}
	l.taken[scope] = append(taken, now)
	return fmt.Sprintf("Microsoft.Compute/CreateImages3Min;%d,Microsoft.Compute/CreateImages30Min;%d",
		l.short-len(recent)-1, l.long-len(taken)-1), 0, true
}

// Bucket is a token bucket: ARM's form of 2026, probably with 60 and 20.
func Bucket(capacity, refillPerMinute int) Limits {
	return &bucket{capacity: float64(capacity), refill: float64(refillPerMinute), levels: map[string]level{}}
}

type bucket struct {
	capacity, refill float64
	levels           map[string]level
}

type level struct {
	tokens float64
	at     time.Time
}

func (l *bucket) Take(scope string, now time.Time) (string, time.Duration, bool) {
	held, known := l.levels[scope]
	if !known {
		held = level{l.capacity, now}
	}
	held.tokens = min(l.capacity, held.tokens+l.refill*now.Sub(held.at).Minutes())
	held.at = now
	ok := held.tokens >= 1
	if ok {
		held.tokens--
	}
	l.levels[scope] = held
	if !ok {
		return "Microsoft.Compute/CreateImagesSubscriptionMaximum;0", wholeSeconds(time.Duration((1 - held.tokens) / l.refill * float64(time.Minute))), false
	}
	return fmt.Sprintf("Microsoft.Compute/CreateImagesSubscriptionMaximum;%d", int(held.tokens)), 0, true
}

// wholeSeconds is d as Retry-After has it.
func wholeSeconds(d time.Duration) time.Duration {
	return max(time.Second, (d + time.Second - 1).Truncate(time.Second))
}
