package pace

import (
	"math"
	"time"
)

// How the course is known: from one's own headers, and from what others knew.

const (
	young  = time.Minute      // for which a course may still turn out to have begun further back
	tries  = 50               // of one's own that tell whether the course runs with the tickets
	astray = 4.0              // tickets that it may be off
	heed   = 0.01             // of how much the latest of them counts
	beyond = 30 * time.Second // for which the course is kept longer than the window
)

// advance is what a header of one's own says of the course: so many creations were counted in the window before it.
func (r *region) advance(ticket int64, at, now time.Time, known bool) {
	s, ok := r.longest()
	if !ok || !s.At.Equal(at) {
		return
	}
	k, c := float64(ticket), r.course
	if !known || !c.known() {
		first := k
		if old := r.oldest(now); old > 0 {
			first = min(k, float64(old))
		}
		r.begin(at, first-1, s.used())
		if known {
			r.course = r.course.turned()
		}
		return
	}
	stood, all := c.told(s), c.tickets(float64(s.Most))
	last := c.last().Ticket
	switch {
	case stood < last-all/2: // a window in fixed steps has begun anew
		fresh := begun(at, max(k, last+1), c.tickets(s.used()), c.Stride)
		fresh.Since, fresh.Turn = c.Since, c.turned().Turn
		r.course = fresh
		return
	case k > r.reach(at)+all, k > r.reach(at)+c.tickets(astray) && r.showed(0.3) && r.quiet(r.left(at), at): // the line began anew further on
		c, stood = c.shift(k-stood).turned(), k
	}
	when := max(at.UnixMilli(), c.last().At)
	r.course = c.with(s.Window+beyond, Point{when, round(max(stood, c.last().Ticket))})
	r.check(k-stood, all)
}

// told is where a header says that the course stood: so many further than a window before.
func (c Course) told(s Sight) float64 { return c.at(s.At.Add(-s.Window)) + c.tickets(s.used()) }

// begin starts the course at the ticket, after which so many builds have started.
func (r *region) begin(at time.Time, ticket, builds float64) {
	turn, stride := r.course.Turn, r.stride.mean()
	r.course = begun(at, ticket+stride*builds, stride*builds, stride)
	r.course.Turn = turn
	r.off, r.tries = 0, 0
}

// check corrects the course when one's own builds are off it on the mean: tickets went by that needed no creation, or
// somebody else creates images.
func (r *region) check(off, most float64) {
	if mean := r.stride.mean(); r.stride.count >= 16 && math.Abs(math.Log(mean/r.course.tickets(1))) > 0.5 {
		r.course.Stride = round(mean)
		r.course = r.course.turned()
		r.off, r.tries = 0, 0
	}
	r.off += heed * (max(-most, min(most, off)) - r.off)
	if r.tries++; r.tries >= tries && math.Abs(r.off) > r.course.tickets(astray) {
		r.course = r.course.shift(r.off).turned()
		r.off, r.tries = 0, 0
	}
}

// longest is the sight of the limit with the longest window.
func (r *region) longest() (Sight, bool) {
	var l Sight
	for _, s := range r.sights {
		if s.Window > l.Window {
			l = s
		}
	}
	return l, l.Window > 0
}

// follow takes over what another instance knows of the course.
func (r *region) follow(o Course, now time.Time) {
	c, w := r.course, r.window()
	switch old := max(young, w); {
	case !o.known() || w == 0 || o.Since.After(now.Add(skew)) || o.last().At > now.Add(skew).UnixMilli() || !r.agrees(o, now):
	case !c.known() || o.Turn > c.Turn:
		r.course, r.off, r.tries = o, 0, 0
	case o.Turn < c.Turn:
	case o.Since.Sub(c.Since).Abs() < young && o.Stride != c.Stride:
		if o.Stride < c.Stride {
			r.course = o
		}
	case o.Since.Sub(c.Since).Abs() < young || now.Sub(c.Since) > old && now.Sub(o.Since) > old:
		r.course = c.with(w+beyond, o.Points...)
		r.course.Since = earliest(c.Since, o.Since)
	case o.Since.Before(c.Since):
		r.course = o
	}
	r.rejuvenate(now)
}

// catchUp adds what another's header says where that other has begun later and knows less of the past.
func (r *region) catchUp() {
	s, ok := r.longest()
	if c := r.course; ok && c.known() && s.At.UnixMilli() > c.last().At {
		stood := max(c.last().Ticket, c.told(s))
		r.course = c.with(s.Window+beyond, Point{s.At.UnixMilli(), round(stood)})
	}
}

// rejuvenate moves a course that has just begun back to the oldest build that is known to wait.
func (r *region) rejuvenate(now time.Time) {
	c := r.course
	if old := r.oldest(now); old > 0 && c.known() && now.Sub(c.Since) <= young && float64(old)-1 < c.Points[0].Ticket {
		r.course = c.shift(float64(old) - 1 - c.Points[0].Ticket)
	}
}

// agrees says whether a course passes where a build of one's own was lately: no message talks an instance out of what it
// has seen.
func (r *region) agrees(o Course, now time.Time) bool {
	s, ok := r.longest()
	if !ok || r.mine.ticket == 0 || now.Sub(r.mine.seen) > trust {
		return true
	}
	return math.Abs(o.at(r.mine.seen)-float64(r.mine.ticket)) <= o.tickets(float64(s.Most))
}
