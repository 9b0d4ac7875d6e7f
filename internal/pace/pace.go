// Package pace spreads image creations over what ARM allows, before ARM has to refuse.
//
// There is no shared store. An instance knows what the headers of its own PUTs say, and what other instances wrote into
// the continuations that it receives. From that alone all of them together keep to one law: creations start at the rate
//
//	(remaining − reserve) / settle  +  what comes back of a window
//
// of which each instance takes its share. The law needs neither the size of a bucket nor its refill: what remains settles
// where the rate is the refill. Of a sliding window it is known when it gives back what was used, a window later, and a
// short list of points of that curve travels along. How many instances there are is read off the sequence numbers of the
// messages that reach this one: it is the part of the queue that passes by here.
package pace

import (
	"sync"
	"time"
)

// Note is what a continuation carries: whose turn the build is, and what its sender knew. Anybody who may send to the
// queue can write one, so nothing in it is believed for long: see Check and trust.
type Note struct {
	Ticket int64     `json:"ticket,omitempty"` // sequence number of the request's message: the order of arrival
	Waits  int       `json:"waits,omitempty"`  // how often the build was told to come back
	Front  int64     `json:"front,omitempty"`  // the oldest ticket that its sender knew to wait
	Seen   time.Time `json:"seen,omitzero"`    // when that was
	Sights []Sight   `json:"sights,omitempty"`
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
	r.line.waits(place{n.Ticket, now}, now)
	if now.Before(r.until) {
		return Verdict{At: r.until.Add(scatter(key, n.Waits, r.spreads()))}
	}
	v := p.decide(r, key, n, now)
	if v.Go {
		r.start(now)
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
	if r.free(now) {
		return Verdict{Go: true}
	}
	instances := p.share.instances()
	o := r.outlook(1-1/instances, now)
	behind := float64(n.Ticket - r.line.front(now).ticket) // the oldest build
	if !o.known {
		return p.probe(r, key, n, behind, o, now)
	}
	turn := max(10, instances/2, 60*o.rate)
	if (behind <= turn || r.plenty()) && r.draw(key, n, o, instances, now) {
		return Verdict{Go: true}
	}
	return Verdict{At: now.Add(o.wait(key, n, behind-turn, now))}
}

// probe is what to do while nothing is known: few creations at a time, over all instances, until a header tells.
func (p *Pacer) probe(r *region, key string, n Note, behind float64, o outlook, now time.Time) Verdict {
	r.credited = time.Time{}
	later := Verdict{At: now.Add(probeFor*2/3 + scatter(key, n.Waits, probeFor/2))}
	share, lasts := probes/p.share.instances(), probeFor
	if len(r.sights) > 0 { // the limit may be near: one is enough to see
		later.At = now.Add(o.wait(key, n, behind, now))
		share, lasts = 1/p.share.instances(), 2*probeFor
	}
	if now.Before(r.probing) {
		if r.probes == 0 {
			return later
		}
		r.probes--
		return Verdict{Go: true}
	}
	if r.round == 0 && p.share.few() { // company may be arriving this moment
		if r.hold.IsZero() {
			r.hold = now.Add(grace)
		}
		if now.Before(r.hold) {
			return Verdict{Hold: r.hold.Sub(now)}
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

// Answered notes what ARM's answer to a PUT says: what remains, and after a refusal how long to wait. sent is when the PUT
// was sent. An answer that says neither tells that ARM counts nothing.
func (p *Pacer) Answered(where string, allowances []Allowance, retryAfter time.Duration, sent, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.region(where, now)
	for _, a := range allowances {
		if before := r.sights[a.Name]; sent.After(before.At) {
			s := before.next(a, sent)
			s.mine = true
			r.sights[a.Name] = s
		}
	}
	r.tidy()
	switch {
	case retryAfter > 0:
		if len(r.sights) > 0 {
			retryAfter += refill
		}
		r.until, r.refused = latest(r.until, now.Add(retryAfter)), now
	case len(allowances) == 0:
		r.silent = now
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
		r = &region{sights: map[string]Sight{}}
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
