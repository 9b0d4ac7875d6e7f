package pace

import "time"

// How it is found out what ARM allows while nothing is known: by a few creations.

const (
	probes   = 6               // creations at a time, over all instances, while nothing is known
	probeFor = 8 * time.Second // a PUT takes ARM up to 7 s: as long as its header is awaited
	grace    = 200 * time.Millisecond
)

// blind is how many creations are tried at a time while nothing is known: where the limit was near one is enough to see.
func (r *region) blind() float64 {
	if len(r.sights) > 0 {
		return 1
	}
	return probes
}

// probe lets a few creations at a time find out what ARM says, over all instances: while nothing is known, or at most so
// many as may be left. The oldest go.
func (p *Pacer) probe(r *region, key string, n Note, left float64, now time.Time) Verdict {
	later := Verdict{At: now.Add(probeFor*2/3 + scatter(key, n.Waits, probeFor/2))}
	if old := r.oldest(now); old > 0 && n.Ticket >= old+probes && r.ordered() {
		return later
	}
	share, lasts := min(probes, left)/p.share.instances(), probeFor
	if left <= 1 {
		later.At, lasts = now.Add(soonest/2+scatter(key, n.Waits, soonest/4)), 2*probeFor
	}
	if now.Before(r.probing) {
		if r.probes == 0 {
			return later
		}
		r.probes--
		return Verdict{Go: true}
	}
	if r.round == 0 && p.share.few() {
		if hold := r.holds(n.Ticket, now); hold > 0 {
			return Verdict{Hold: hold}
		}
	}
	r.round++
	r.probing = now.Add(lasts)
	r.probes = int(share + fraction(p.instance+wave(r.round)))
	if r.probes == 0 {
		return later
	}
	r.probes--
	return Verdict{Go: true}
}

// ordered says that it matters whose the first creations are: a course may begin with them. It does not where ARM has
// answered and told of no window.
func (r *region) ordered() bool {
	return r.window() > 0 || len(r.sights) == 0 && r.silent.IsZero() && r.refused.IsZero()
}

// holds is for how long a first creation waits for company, which may be arriving this moment.
func (r *region) holds(ticket int64, now time.Time) time.Duration {
	if r.hold.IsZero() {
		r.hold = now.Add(grace)
	}
	if !now.Before(r.hold) {
		return 0
	}
	if r.held == 0 || ticket < r.held {
		r.held = ticket
	}
	return r.hold.Sub(now)
}

// oldest is the lowest ticket that waits, or was held when the first came together.
func (r *region) oldest(now time.Time) int64 {
	front := r.front(now)
	if r.held > 0 && now.Sub(r.hold) < 2*probeFor && (front == 0 || r.held < front) {
		return r.held
	}
	return front
}
