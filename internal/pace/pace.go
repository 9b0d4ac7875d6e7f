// Package pace spreads image creations over what ARM allows, before ARM has to refuse.
//
// There is no shared store. An instance knows what the headers of its own PUTs say, and what other instances wrote into
// the continuations that it receives. From that alone all of them keep to one order.
//
// A limit that counts in sliding windows gives back what was used a window later. A short list of points tells how far the
// builds had come at which time (Course), in the order in which their requests arrived: so each can reckon when its turn
// is, wherever it wakes up, and sleeps until then.
//
// Of a bucket neither the size nor the refill is told. There all instances start creations at the rate
//
//	(remaining − reserve) / settle
//
// of which each takes its share: what remains settles where the rate is the refill. How many instances there are is read off
// the sequence numbers of the messages that reach this one: it is the part of the queue that passes by here.
package pace

import (
	"sync"
	"time"
)

const (
	soonest = 4 * time.Second  // a waiting build comes back
	refill  = 20 * time.Second // beyond a Retry-After: it tells of one creation only
)

// Note is what a continuation carries: whose turn the build is, and what its sender knew. Anybody who may send to the
// queue can write one, so nothing in it is believed for long: see Check and trust.
type Note struct {
	Ticket int64     `json:"ticket,omitempty"` // sequence number of the request's message: the order of arrival
	Waits  int       `json:"waits,omitempty"`  // how often the build was told to come back
	Front  int64     `json:"front,omitempty"`  // the oldest ticket that its sender knew to wait
	Seen   time.Time `json:"seen,omitzero"`    // when that was
	Sights []Sight   `json:"sights,omitempty"`
	Course Course    `json:"course,omitzero"`
	Until  time.Time `json:"until,omitzero"` // nothing before, says a Retry-After
}

// Verdict says whether a build may create its image now.
type Verdict struct {
	Go   bool
	Hold time.Duration // ask again after this short time: company may be arriving
	At   time.Time     // else: come back then
}

// Pacer is one instance's knowledge. It is safe for concurrent use.
type Pacer struct {
	instance string

	mu      sync.Mutex
	share   share
	regions map[string]*region
}

// New makes the pacer of the instance with the given name, which no other instance has.
func New(instance string) *Pacer {
	return &Pacer{instance: instance, regions: map[string]*region{}}
}

// Heard notes that a message of the queue reached this instance. Each message that was scheduled has used up two sequence
// numbers.
func (p *Pacer) Heard(sequenceNumber int64, scheduled bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.share.heard(sequenceNumber, scheduled)
}

// Learn takes over what a note tells of a region's limits. where names the subscription and the region.
func (p *Pacer) Learn(where string, n Note, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.region(where, now).merge(n, now)
}

// Admit says whether the build with the given note may create its image now. key names the build.
func (p *Pacer) Admit(where, key string, n Note, now time.Time) Verdict {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.region(where, now)
	r.merge(n, now)
	if n.Waits == 0 {
		r.stride.passes(n.Ticket, &p.share)
	}
	v := p.decide(r, key, n, now)
	if v.Go {
		r.start(now)
	}
	if bucket := len(r.sights) > 0 && r.window() == 0; bucket || !v.Go && v.Hold == 0 {
		r.line.waits(place{n.Ticket, now}, r.memory(), now)
		r.rejuvenate(now)
	}
	return v
}

// spreads is over how long the builds that waited for a Retry-After come back: what frees up then is one creation where
// ARM counts them, and unknown where it does not tell of a limit.
func (r *region) spreads() time.Duration {
	if len(r.sights) == 0 {
		return probeFor
	}
	return settle
}

// Spare gives an admission back: the build found out that it need not create anything.
func (p *Pacer) Spare(where string, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.region(where, now).spare()
}

func (p *Pacer) decide(r *region, key string, n Note, now time.Time) Verdict {
	switch {
	case now.Before(r.until):
		return Verdict{At: r.until.Add(scatter(key, n.Waits, r.spreads()))}
	case r.free(now):
		return Verdict{Go: true}
	case !r.known(now):
		r.credited = time.Time{}
		return p.probe(r, key, n, r.blind(), now)
	case r.window() > 0:
		return p.queue(r, key, n, now)
	}
	return p.drawn(r, key, n, now)
}

// Answered notes what ARM's answer to a PUT says: what remains, and after a refusal how long to wait. ticket is the build's
// and sent when the PUT was sent. An answer that says neither tells that ARM counts nothing.
func (p *Pacer) Answered(where string, ticket int64, allowances []Allowance, retryAfter time.Duration, sent, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.region(where, now)
	known := r.known(now)
	for _, a := range allowances {
		r.sight(Sight{Allowance: a, At: sent, Most: a.Remaining + 1})
	}
	if len(allowances) > 0 && retryAfter == 0 {
		r.tidy(sent)
		r.advance(ticket, sent, now, known)
		r.mine = place{ticket, sent}
	}
	switch {
	case retryAfter > 0:
		if len(r.sights) > 0 {
			retryAfter += refill
		}
		r.until, r.refused = latest(r.until, now.Add(retryAfter)), now
	case len(allowances) == 0:
		r.silent = now
		r.tidy(sent)
	}
	r.probing = time.Time{}
}

// Note is what a build takes along: what is known now.
func (p *Pacer) Note(where string, n Note, now time.Time) Note {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.region(where, now).note(n, now)
}

// region finds what is known of a region. The longest unused gives way when there are too many.
func (p *Pacer) region(name string, now time.Time) *region {
	r := p.regions[name]
	if r == nil {
		if len(p.regions) >= maxRegions {
			p.forget()
		}
		r = &region{}
		p.regions[name] = r
	}
	r.used = now
	return r
}

func (p *Pacer) forget() {
	oldest := ""
	for name, r := range p.regions {
		if oldest == "" || r.used.Before(p.regions[oldest].used) {
			oldest = name
		}
	}
	delete(p.regions, oldest)
}
