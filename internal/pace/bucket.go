package pace

import "time"

// What is built here is for a limit that is a bucket: nobody tells what it holds or how fast it fills up again. All instances
// together start creations at the rate (remaining − reserve) / settle, so that what remains settles where the rate is the
// refill. Each takes its share of the rate: alone it adds up, among others it is a chance.

const (
	settle  = 30 * time.Second // in which the rate would use up what remains
	reserve = 2                // creations left to others
	stale   = 3 * settle       // after which what was seen says nothing any more
	recent  = 30 * time.Second // over which an instance's share of the rate adds up
	longest = 7 * time.Minute  // to sleep, of which a build does no more than three quarters
)

// bucket is the sight of the bucket that has least left.
func (r *region) bucket() Sight {
	var least Sight
	for _, s := range r.sights {
		if least.Name == "" || s.Remaining < least.Remaining {
			least = s
		}
	}
	return least
}

// drawn is whether the build may start by this instance's share of the rate, once those before it have had theirs.
func (p *Pacer) drawn(r *region, key string, n Note, now time.Time) Verdict {
	instances := p.share.instances()
	left := max(0, float64(r.bucket().Remaining-reserve))
	rate := left / settle.Seconds()
	behind := 0.0
	if front := r.front(now); front > 0 {
		behind = float64(n.Ticket - front)
	}
	turn := max(10, instances/2, 60*rate)
	if (behind <= turn || r.plenty()) && r.draw(key, n, rate, left, instances, now) {
		return Verdict{Go: true}
	}
	return Verdict{At: now.Add(pause(key, n, behind-turn, rate))}
}

// pause is how long a build waits that has so many before it: half of what they take, to see by then.
func pause(key string, n Note, before, rate float64) time.Duration {
	wait := longest
	if before < rate*longest.Seconds() {
		wait = max(soonest, time.Duration(before/rate*float64(time.Second)))
	}
	return wait/2 + scatter(key, n.Waits, wait/4)
}

// draw gives this instance's share of the rate since it was last asked. What was not asked for in a while is not saved up:
// all instances would spend it at once.
func (r *region) draw(key string, n Note, rate, left, instances float64, now time.Time) bool {
	if r.credited.IsZero() { // just informed: half of what remains can go
		r.credit = float64(int(left / 2 / instances))
		r.credited = now.Add(-recent)
	}
	since := max(0, min(now.Sub(r.credited), recent)).Seconds()
	r.credited = latest(r.credited, now)
	alone := instances < 1.5
	if alone {
		r.credit = min(r.credit+rate*since, max(1, left/2))
	} else {
		r.credit = min(r.credit, left/2/instances)
	}
	if r.credit >= 1 {
		r.credit--
		return true
	}
	return !alone && fraction(key+"draw"+wave(n.Waits)) < rate/instances*since
}

// plenty says that so much remains that the order does not matter.
func (r *region) plenty() bool {
	s := r.bucket()
	return s.Remaining*10 >= s.Most*6
}
