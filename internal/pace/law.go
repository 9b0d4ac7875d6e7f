package pace

import (
	"math"
	"time"
)

// The law's constants. They are no settings: the simulation holds them for limits from 20 + 5 to 100 + 50.
const (
	settle   = 30 * time.Second // in which the rate would use up what remains
	quick    = 12 * time.Second // the same where nobody else uses a window: nothing is left to guess
	reserve  = 2                // creations left to others, where there are any
	feed     = 0.8              // of what comes back of a window is given out at once
	enough   = 0.75             // of a creation left: the last ones of a window are given out one by one
	soon     = 10 * time.Second // in which what comes back of a window is counted
	news     = time.Minute      // in which it is heard that others have started
	stale    = 3 * settle       // after which what was seen says nothing any more
	refill   = 20 * time.Second // beyond a Retry-After: it tells of one creation only
	recent   = 30 * time.Second // over which an instance's share of the rate adds up
	probes   = 6.0              // creations at a time, over all instances, while nothing is known
	probeFor = 8 * time.Second  // a PUT takes ARM 5 to 6 s: as long as its header is awaited
	grace    = 200 * time.Millisecond
	soonest  = 4 * time.Second // a waiting build comes back
	longest  = 7 * time.Minute
)

// outlook is what to expect of a region's limits from now on.
type outlook struct {
	rate   float64 // creations a second, over all instances
	left   float64 // that remain above the reserve
	known  bool
	levels []level
	others float64 // part of the creations that start elsewhere
}

// level is what is probably left of an allowance at some time.
type level struct {
	Sight
	left float64
}

// outlook is unknown when nothing was seen lately. But what was used keeps a window low however long ago it was seen.
func (r *region) outlook(others float64, now time.Time) outlook {
	o := outlook{left: math.Inf(1), levels: r.levels(others, now), others: others}
	fresh, low := len(o.levels) > 0, false
	for _, l := range o.levels {
		o.left = min(o.left, l.left-reserve)
		age, valid := now.Sub(l.At), stale
		if l.Window == 0 && l.Remaining <= reserve {
			valid = 2 * settle
		}
		fresh = fresh && age <= valid
		low = low || l.left*10 < float64(l.Most)*3 && l.holds(age)
	}
	o.rate, o.known = law(o.levels, others, now), fresh || low
	return o
}

// holds says whether a window that was seen to be low is so after all that time: own eyes are believed for longer.
func (s Sight) holds(age time.Duration) bool {
	return age <= s.Window && (s.mine || age <= trust)
}

// levels is what is probably left by now: what was seen, and what came back since, less what this instance has started,
// less what the others started lately. What they started earlier would have been heard of.
func (r *region) levels(others float64, now time.Time) []level {
	all := make([]level, 0, len(r.sights))
	recently := now.Add(-news)
	for _, s := range r.sights {
		l := level{s, float64(s.Remaining)}
		if s.Window > 0 && s.At.Before(recently) {
			l.pass(s.At, recently.Sub(s.At), r.own(s.At, recently))
		}
		all = append(all, l)
	}
	const step = 5 * time.Second
	for t := recently; t.Before(now); t = t.Add(step) {
		part := min(step, now.Sub(t))
		used := r.own(t, t.Add(part))
		if rate := law(all, others, t); !math.IsInf(rate, 0) {
			used += others * rate * part.Seconds()
		}
		advance(all, t, part, used)
	}
	return all
}

// advance moves the levels of windows on by a step in which so many were used. A bucket's refill is not known: its level
// is taken to stay, as it does once it has settled.
func advance(all []level, t time.Time, step time.Duration, used float64) {
	for i := range all {
		if all[i].Window > 0 && !t.Before(all[i].At) {
			all[i].pass(t, step, used)
		}
	}
}

func (l *level) pass(t time.Time, step time.Duration, used float64) {
	l.left = max(0, min(float64(l.Most), l.left-used+l.returns(t, t.Add(step))))
}

// law is the rate at which creations start, over all instances: the least of what the limits give.
func law(all []level, others float64, now time.Time) float64 {
	rate := math.Inf(1)
	for _, l := range all {
		switch {
		case l.Window == 0:
			rate = min(rate, max(0, (l.left-reserve)/settle.Seconds()))
		case !now.Before(l.At):
			rate = min(rate, l.rate(others, now))
		}
	}
	return rate
}

// rate is what a window gives. The less others use it, the less has to be left for what they might have started.
func (l level) rate(others float64, now time.Time) float64 {
	over := (quick + time.Duration(others*float64(settle-quick))).Seconds()
	back := l.returns(now, now.Add(soon)) / soon.Seconds()
	rate := max(0, (l.left-reserve*max(0.25, others))/over+feed*back)
	if l.left >= enough {
		rate = max(rate, 1/over)
	}
	return rate
}

// wait is how long a build waits that has so many before it.
func (o outlook) wait(key string, n Note, before float64, now time.Time) time.Duration {
	wait := max(o.forecast(before, now), soonest)
	return wait/2 + scatter(key, n.Waits, wait/4)
}

// forecast is when the law will have given so many creations.
func (o outlook) forecast(want float64, now time.Time) time.Duration {
	const step = 10 * time.Second
	all := append([]level(nil), o.levels...)
	for t := time.Duration(0); t < longest; t += step {
		used := law(all, o.others, now.Add(t)) * step.Seconds()
		if want -= used; want < 0 {
			return t
		}
		advance(all, now.Add(t), step, used)
	}
	return longest
}
