package pace

import (
	"hash/fnv"
	"strconv"
	"time"
)

// scatter is a part of d that depends on the build and on how often it has waited.
func scatter(key string, waits int, d time.Duration) time.Duration {
	return time.Duration(fraction(key+wave(waits)) * float64(d))
}

// wave tells one wait, or one round, from the next.
func wave(n int) string { return "#" + strconv.Itoa(n) }

// fraction is a number in [0, 1) that depends on s alone.
func fraction(s string) float64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(s))
	x := h.Sum64() // whose upper bits hardly differ for like strings: mix
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	return float64(x>>11) / (1 << 53)
}
