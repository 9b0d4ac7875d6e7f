package pace

import "time"

// line is who waits in front: the lowest ticket that was told to wait lately.
type line struct {
	this, before place // of this period and of the one before
	since        time.Time
}

// place is a ticket and when its build was last known to wait.
type place struct {
	ticket int64 // 0 for none
	seen   time.Time
}

// waits notes that a build was told to wait: here and now, or a little ago somewhere else.
func (l *line) waits(p place, period time.Duration, now time.Time) {
	l.roll(period, now)
	age := now.Sub(p.seen)
	if p.ticket <= 0 || age > period || age < -skew {
		return
	}
	if l.this.ticket == 0 || p.ticket <= l.this.ticket {
		l.this = p
	}
}

// front is the lowest ticket that is known to wait.
func (l *line) front(period time.Duration, now time.Time) place {
	l.roll(period, now)
	if l.before.ticket == 0 || l.this.ticket != 0 && l.this.ticket < l.before.ticket {
		return l.this
	}
	return l.before
}

func (l *line) roll(period time.Duration, now time.Time) {
	age := now.Sub(l.since)
	if age < period {
		return
	}
	l.before = l.this
	if age >= 2*period {
		l.before = place{}
	}
	l.this, l.since = place{}, now
}
