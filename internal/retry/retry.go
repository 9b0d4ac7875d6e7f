// Package retry is when to try again: how long to back off, how to spread the retries of what
// failed together, and how long to wait for a refusal that may pass.
package retry

import (
	"hash/fnv"
	"time"
)

// Backoff doubles from First with each failure in a row, up to Max.
type Backoff struct{ First, Max time.Duration }

// Delay is how long to wait after so many failures in a row, never less than the answer asked for.
// spread, in [0, 1), adds up to a quarter.
func (b Backoff) Delay(failures int, asked time.Duration, spread float64) time.Duration {
	d := b.First
	for range min(failures-1, 16) {
		d = min(2*d, b.Max)
	}
	d = max(d, asked)
	return d + time.Duration(float64(d)*0.25*spread)
}

// Spread is a number in [0, 1) that differs between keys and between attempts, so that builds which
// failed in one outage do not come back together. It is the same each time it is computed, because
// decisions have to be reproducible.
func Spread(key string, try int) float64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(key))
	_, _ = h.Write([]byte{byte(try), byte(try >> 8)})
	return float64(h.Sum64()>>11) / (1 << 53)
}

// Grace are the waits for a failure that may pass by itself, before it counts as final.
type Grace []time.Duration

// Wait is the next wait after so many waits, and whether there is one.
func (g Grace) Wait(spent int) (time.Duration, bool) {
	if spent >= len(g) {
		return 0, false
	}
	return g[spent], true
}

// Left is the sum of the waits that are left after so many.
func (g Grace) Left(spent int) time.Duration {
	var sum time.Duration
	for _, wait := range g[min(spent, len(g)):] {
		sum += wait
	}
	return sum
}
