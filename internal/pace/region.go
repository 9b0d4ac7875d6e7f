package pace

import (
	"slices"
	"strings"
	"time"
)

const (
	maxRegions = 1000 // remembered at most
	maxStarts  = 100  // of one's own remembered

	// trust is for how long a limit is believed to be used up because a message says so. A sender who writes messages to
	// that end gains no more than by requests that use the limit up.
	trust = 10 * time.Minute
	skew  = time.Minute // by which another instance's clock may be ahead
)

// region is what is known of one subscription's limits in one region.
type region struct {
	sights   map[string]Sight
	until    time.Time   // a Retry-After's end
	line     line        // who waits in front
	starts   []time.Time // of this instance's own latest creations
	credit   float64     // creations this instance may start
	credited time.Time   // zero: not informed
	probing  time.Time   // until when a header is awaited
	hold     time.Time   // until when a first creation waits for company
	round    int         // of probing
	probes   int         // left of it
	silent   time.Time   // when ARM accepted a PUT and told of no limit
	refused  time.Time   // when it refused one
	used     time.Time
}

// free says that ARM seems to count nothing here: it tells of no limits, and its last answer was no refusal.
func (r *region) free(now time.Time) bool {
	return len(r.sights) == 0 && r.silent.After(r.refused) && now.Sub(r.silent) < stale
}

// merge takes over what a continuation's sender knew better. Times far ahead of this clock are not believed, and what was
// seen a little ahead of it was seen now.
func (r *region) merge(n Note, now time.Time) {
	for _, s := range n.Sights {
		known := r.sights[s.Name]
		if s.At.After(now.Add(skew)) || !s.At.After(known.At) {
			continue
		}
		s.At = earliest(s.At, now)
		r.sights[s.Name] = known.join(s)
	}
	r.tidy()
	r.line.waits(place{n.Front, n.Seen}, now)
	if n.Until.After(r.until) {
		r.until = latest(r.until, earliest(n.Until, now.Add(trust)))
	}
}

// tidy forgets limits that the latest headers do not tell of any more.
func (r *region) tidy() {
	newest := time.Time{}
	for _, s := range r.sights {
		newest = latest(newest, s.At)
	}
	for name, s := range r.sights {
		if s.At.Before(newest.Add(-trust)) {
			delete(r.sights, name)
		}
	}
}

func (r *region) note(n Note, now time.Time) Note {
	n.Sights, n.Until = nil, time.Time{}
	front := r.line.front(now)
	n.Front, n.Seen = front.ticket, front.seen
	for _, s := range r.sights {
		n.Sights = append(n.Sights, s)
	}
	slices.SortFunc(n.Sights, func(a, b Sight) int { return strings.Compare(a.Name, b.Name) })
	if len(n.Sights) > maxSights {
		n.Sights = n.Sights[:maxSights]
	}
	if r.until.After(now) {
		n.Until = r.until
	}
	return n
}

// start remembers a creation of this instance's own, whose header is yet to come.
func (r *region) start(now time.Time) {
	r.starts = append(r.starts, now)
	if len(r.starts) > maxStarts {
		r.starts = slices.Delete(r.starts, 0, len(r.starts)-maxStarts)
	}
}

// spare takes the latest of them back.
func (r *region) spare() {
	if n := len(r.starts); n > 0 {
		r.starts = r.starts[:n-1]
	}
	if r.credited.IsZero() {
		r.probes++
	} else {
		r.credit++
	}
}

// own is how many creations this instance itself has let start between the two times.
func (r *region) own(from, to time.Time) float64 {
	n := 0.0
	for _, t := range slices.Backward(r.starts) {
		if !t.After(from) {
			break
		}
		if !t.After(to) {
			n++
		}
	}
	return n
}

// plenty says that so much remains that the order does not matter: what stands before is not for this region.
func (r *region) plenty() bool {
	for _, s := range r.sights {
		if s.Remaining*10 < s.Most*6 {
			return false
		}
	}
	return true
}

// draw gives this instance's share of the rate since it was last asked: alone it adds up, among others it is a chance.
// What was not asked for in a while is not saved up, all instances would spend it at once.
func (r *region) draw(key string, n Note, o outlook, instances float64, now time.Time) bool {
	if r.credited.IsZero() { // just informed: half of what remains can go
		r.credit = float64(int(max(0, o.left) / 2 / instances))
		r.credited = now.Add(-recent)
	}
	since := min(now.Sub(r.credited), recent).Seconds()
	r.credited = now
	alone := instances < 1.5
	if alone {
		r.credit = min(r.credit+o.rate*since, max(1, o.left/2))
	}
	if r.credit >= 1 {
		r.credit--
		return true
	}
	return !alone && fraction(key+"draw"+wave(n.Waits)) < o.rate/instances*since
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func earliest(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
