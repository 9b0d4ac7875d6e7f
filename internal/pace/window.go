package pace

import (
	"math"
	"time"
)

// What is built here is for limits that count in sliding windows: there the past tells what will come back and when. So
// each build has its turn, which all instances reckon alike, and nobody has to try.

const (
	late    = 3 * time.Second  // by which a window is taken to give back later than the course says
	enough  = 0.75             // of a creation left
	calm    = 90 * time.Second // after which whoever had a turn has taken it
	around  = 30 * time.Second // in which news gets around, at the earliest
	dare    = 0.6              // of the builds that are next try whether one was left over, when nobody knows
	horizon = 5 * time.Minute  // after which a build asks again, however far back it stands
)

// window is the longest over which the region's limits count; 0 where there are none but buckets.
func (r *region) window() time.Duration {
	s, _ := r.longest()
	return s.Window
}

// queue is whether the build may start, in the order of tickets.
func (p *Pacer) queue(r *region, key string, n Note, now time.Time) Verdict {
	ticket, left, reach := float64(n.Ticket), r.left(now), r.reach(now)
	if left < enough {
		return Verdict{At: r.turn(key, n, now)}
	}
	if ticket <= reach {
		return Verdict{Go: true}
	}
	if quiet := r.quiet(left, now); quiet && (ticket <= reach+r.course.tickets(r.unused(reach, left)) || ticket <= reach+r.course.tickets(1) && fraction(key+"last"+wave(n.Waits)) < dare) {
		return Verdict{Go: true}
	}
	if front := r.front(now); r.showed(0.3) && (front == 0 || n.Ticket <= front) { // the line begins anew
		if v := p.probe(r, key, n, left, now); v.Go || v.Hold > 0 {
			return v
		}
	}
	return Verdict{At: r.turn(key, n, now)}
}

// quiet says that whoever had a turn has taken it: hardly any has come lately, against what is left.
func (r *region) quiet(left float64, now time.Time) bool {
	return now.Sub(r.course.Since) > calm && r.flat(r.reach(now), now.Add(-calm), left)
}

// flat says that the reach has hardly grown since, against what is left.
func (r *region) flat(reach float64, since time.Time, left float64) bool {
	return reach-r.reach(since) < r.course.tickets(max(1, left/4))
}

// unused is what those who had their turn have left over, as far as a header has shown since.
func (r *region) unused(reach, left float64) float64 {
	if r.flat(reach, r.seen().Add(-around), left) {
		return left
	}
	return 0
}

// reach is the ticket up to which builds may start by then.
func (r *region) reach(t time.Time) float64 { return r.forecast(t, t, nil, time.Second) }

// turn is when the build's turn comes, or when more will be known of that.
func (r *region) turn(key string, n Note, now time.Time) time.Time {
	const step = 2 * time.Second
	longest := min(horizon, max(probeFor, now.Sub(r.course.Since))) // what is new has to get around
	var ahead []float64
	for t := time.Duration(0); t < longest; t += step {
		reach := r.forecast(now.Add(t), now, ahead, step)
		if t >= soonest && reach >= float64(n.Ticket) {
			return now.Add(t)
		}
		ahead = append(ahead, reach)
	}
	return now.Add(longest*3/4 + scatter(key, n.Waits, longest/4))
}

// forecast is the reach at a time to come if all start as soon as they may. ahead is the reach from now up to then, in steps.
func (r *region) forecast(t, now time.Time, ahead []float64, step time.Duration) float64 {
	reach := math.Inf(1)
	for _, s := range r.sights {
		if s.Window == 0 {
			continue
		}
		back := t.Add(-s.Window - late)
		stood := r.course.at(back)
		if i := int(back.Sub(now) / step); back.After(now) && i < len(ahead) {
			stood = max(stood, ahead[i])
		}
		reach = min(reach, stood+r.course.tickets(float64(s.Most)))
	}
	return reach
}

// left is what remains by now, as far as is known here.
func (r *region) left(now time.Time) float64 {
	left := math.Inf(1)
	for _, s := range r.sights {
		l := float64(s.Remaining) - r.own(s.At, now)
		if s.Window == 0 && now.Sub(s.At) > 2*settle {
			continue // it has filled up since, or says nothing any more
		}
		if s.Window > 0 {
			l += (r.course.at(now.Add(-s.Window-late)) - r.course.at(s.At.Add(-s.Window))) / r.course.tickets(1)
		}
		left = min(left, l)
	}
	return left
}

// showed says that at least this part of each limit remained when it was last seen.
func (r *region) showed(part float64) bool {
	for _, s := range r.sights {
		if float64(s.Remaining) < part*float64(s.Most) {
			return false
		}
	}
	return true
}
