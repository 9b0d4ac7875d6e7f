package pace

import (
	"slices"
	"strings"
	"time"
)

const (
	maxRegions = 1000 // remembered at most
	maxStarts  = 100  // of one's own remembered

	// trust is for how long a message is believed that tells of a Retry-After, or of a limit that one's own headers do not tell
	// of, and for how long one's own build says where the course has to pass. A sender who writes messages to that end gains
	// no more than by requests that use the limit up.
	trust    = 10 * time.Minute
	believed = 30 * time.Minute // that a window may be, which is Azure's longest
	skew     = time.Minute      // by which another instance's clock may be ahead
)

// region is what is known of one subscription's limits in one region.
type region struct {
	sights []Sight
	mine   place     // the latest build of one's own that ARM told of them, and when it was sent
	stride stride    // of the tickets that come by
	course Course    // of the builds, where a window counts them
	off    float64   // by how much one's own are off it
	tries  int       // of them
	until  time.Time // a Retry-After's end
	line   line      // who waits in front
	starts []time.Time

	credit   float64   // creations that this instance may start, of a bucket
	credited time.Time // zero: not informed

	probing time.Time // until when a header is awaited
	hold    time.Time // until when a first creation waits for company
	held    int64     // the lowest ticket of those that did
	round   int       // of probing
	probes  int       // left of it
	silent  time.Time // when ARM accepted a PUT and told of no limit
	refused time.Time // when it refused one
	used    time.Time
}

// free says that ARM seems to count nothing here: it tells of no limits, and its last answer was no refusal.
func (r *region) free(now time.Time) bool {
	return len(r.sights) == 0 && r.silent.After(r.refused) && now.Sub(r.silent) < stale
}

// known says whether what was seen still says something. A window stays low for as long as it is, of which a message can
// claim no more than Azure's longest.
func (r *region) known(now time.Time) bool {
	age, window := now.Sub(r.seen()), r.window()
	switch {
	case len(r.sights) == 0:
		return false
	case window > 0:
		return r.course.known() && age <= min(window, believed)
	case r.bucket().Remaining <= reserve:
		return age <= 2*settle
	}
	return age <= stale
}

// seen is when the newest header was.
func (r *region) seen() time.Time {
	var at time.Time
	for _, s := range r.sights {
		at = latest(at, s.At)
	}
	return at
}

// front is the oldest ticket that waits: those in front of a bucket come by often, those of a window sleep for longer.
func (r *region) front(now time.Time) int64 { return r.line.front(r.memory(), now).ticket }

func (r *region) memory() time.Duration {
	if r.window() > 0 {
		return horizon
	}
	return recent
}

// merge takes over what a continuation's sender knew better. Times far ahead of this clock are not believed, and what was
// seen a little ahead of it was seen now.
func (r *region) merge(n Note, now time.Time) {
	for _, s := range n.Sights {
		if !s.At.After(now.Add(skew)) && !s.At.Before(latest(r.mine.seen, r.silent).Add(-trust)) {
			s.At = earliest(s.At, now)
			r.sight(s)
		}
	}
	r.follow(n.Course, now)
	r.catchUp()
	r.line.waits(place{n.Front, n.Seen}, r.memory(), now)
	if n.Until.After(r.until) {
		r.until = latest(r.until, earliest(n.Until, now.Add(trust)))
	}
}

// sight takes over what a header showed.
func (r *region) sight(s Sight) {
	i := slices.IndexFunc(r.sights, func(k Sight) bool { return k.Name == s.Name })
	if i < 0 {
		r.sights = append(r.sights, s)
		return
	}
	r.sights[i] = r.sights[i].newer(s)
}

// tidy forgets limits that a header of one's own does not tell of any more.
func (r *region) tidy(at time.Time) {
	r.sights = slices.DeleteFunc(r.sights, func(s Sight) bool { return s.At.Before(at.Add(-trust)) })
}

func (r *region) note(n Note, now time.Time) Note {
	n.Sights, n.Course, n.Until = nil, Course{}, time.Time{}
	front := r.line.front(r.memory(), now)
	n.Front, n.Seen = front.ticket, front.seen
	n.Sights = slices.SortedFunc(slices.Values(r.sights), func(a, b Sight) int { return strings.Compare(a.Name, b.Name) })
	if len(n.Sights) > maxSights {
		n.Sights = n.Sights[:maxSights]
	}
	if r.window() > 0 && r.course.check() == nil {
		n.Course = r.course
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
	r.held = 0
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
