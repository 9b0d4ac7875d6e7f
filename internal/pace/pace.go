// Package pace spreads image creations over what ARM allows, before ARM has to refuse.
//
// There is no shared store. An instance knows what the headers of its own PUTs say, and what other instances wrote into
// the continuations that it receives. From that alone all of them together keep to one law: creations start at the rate
//
//	(remaining − reserve) / settle
//
// of which each instance takes its share. The law needs neither the size of a bucket nor its refill: what remains settles
// where the rate is the refill, and it empties a window smoothly. How many instances there are is read off the sequence
// numbers of the messages that reach this one: it is the part of the queue that passes by here.
package pace

import (
	"hash/fnv"
	"math"
	"sync"
	"time"
)

// The law's constants. They are no settings: the simulation holds them for limits from 20 + 5 to 100 + 50.
const (
	settle   = 45 * time.Second // in which the rate would use up what remains
	reserve  = 2                // creations left to others
	stale    = 3 * settle       // after which what was seen says nothing any more
	refill   = 20 * time.Second // beyond a Retry-After: it tells of one creation only
	floor    = 0.12              // part of a window that is left as a rule, however old the sight
	short    = 5 * time.Minute  // a window that gives back soon
	recent   = 30 * time.Second // over which an instance's share of the rate adds up
	probes   = 6.0              // creations at a time, over all instances, while nothing is known
	probeFor = 8 * time.Second  // a PUT takes ARM 5 to 6 s: as long as its header is awaited
	grace    = 200 * time.Millisecond
	soonest  = 6 * time.Second // a waiting build comes back
	latest   = 4 * time.Minute
	regions  = 1000 // remembered at most
)

// Note is what a continuation carries: who sent it, whose turn the build is, and what its sender knew.
type Note struct {
	Ticket int64     `json:"ticket,omitempty"` // sequence number of the request's message: the order of arrival
	Waits  int       `json:"waits,omitempty"`  // how often the build was told to come back
	Front  int64     `json:"front,omitempty"`  // the oldest ticket that its sender knew to wait
	Seen   time.Time `json:"seen,omitzero"`    // when that was
	Sights []Sight   `json:"sights,omitempty"`
	Until  time.Time `json:"until,omitzero"` // nothing before, says a Retry-After
}

// Sight is an allowance as one PUT's header showed it.
type Sight struct {
	Allowance
	At    time.Time `json:"at"`
	Since time.Time `json:"since"` // when the allowance was last seen to begin: what it counts is not older
	Most  int       `json:"most"`  // that was ever seen to remain: the limit is not smaller
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

// region is what is known of one subscription's limits in one region.
type region struct {
	sights   map[string]Sight
	until    time.Time
	line     line      // who waits in front
	credit   float64   // creations this instance may start
	credited time.Time // zero: not informed
	probing  time.Time // until when a header is awaited
	hold     time.Time // until when a first creation waits for company
	round    int
	used     time.Time
}

// Heard notes that a message of the queue reached this instance. Each message that was scheduled has used up two sequence
// numbers.
func (p *Pacer) Heard(sequenceNumber int64, scheduled bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.share.heard(sequenceNumber, scheduled)
}

// Admit says whether the build with the given note may create its image in the region now. key names the build.
func (p *Pacer) Admit(where, key string, n Note, now time.Time) Verdict {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.region(where, now)
	r.merge(n, now)
	r.line.waits(place{n.Ticket, now}, now)
	if now.Before(r.until) {
		return Verdict{At: r.until.Add(scatter(key, n.Waits, settle))}
	}
	rate, share, known := r.rate(now)
	if !known {
		return p.probe(r, key, n, now)
	}
	instances := p.share.instances()
	ahead := float64(n.Ticket - r.line.front(now).ticket) // builds before this one
	turn := max(10, instances, 60*rate)
	if (ahead <= turn || r.plenty()) && r.draw(key, n, rate, share, instances, now) {
		return Verdict{Go: true}
	}
	return Verdict{At: now.Add(r.wait(key, n, ahead-turn, rate, now))}
}

// draw gives this instance's share of the rate since it was last asked, as a chance. What was not asked for in a while is
// not saved up: all instances would spend it at once. Alone, the instance knows what remains, and half of that can go.
func (r *region) draw(key string, n Note, rate, share, instances float64, now time.Time) bool {
	if r.credited.IsZero() {
		r.credit = math.Floor(share / 2 / instances)
		r.credited = now.Add(-recent)
	}
	since := min(now.Sub(r.credited), recent).Seconds()
	r.credited = now
	if instances < 1.5 {
		r.credit = min(r.credit+rate*since, max(1, share/2))
		if r.credit >= 1 {
			r.credit--
			return true
		}
		return false
	}
	if r.credit >= 1 {
		r.credit--
		return true
	}
	return fraction(key+"draw"+where(n.Waits)) < rate/instances*since
}

// probe is what to do while nothing is known: few creations at a time, over all instances, until a header tells.
func (p *Pacer) probe(r *region, key string, n Note, now time.Time) Verdict {
	r.credited = time.Time{}
	later := Verdict{At: now.Add(probeFor + scatter(key, n.Waits, probeFor))}
	if len(r.sights) > 0 { // the limit is known to be near
		later.At = now.Add(r.wait(key, n, float64(n.Ticket-r.line.front(now).ticket), 0, now))
	}
	if now.Before(r.probing) {
		return later
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
	r.probing = now.Add(probeFor)
	chance := probes / p.share.instances()
	if len(r.sights) > 0 {
		chance /= probes
	}
	if fraction(p.instance+where(r.round)) >= chance {
		return later
	}
	return Verdict{Go: true}
}

// Answered notes what the answer to a PUT says: what remains, and after a refusal how long to wait.
func (p *Pacer) Answered(region string, n Note, allowances []Allowance, retryAfter time.Duration, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.region(region, now)
	for _, a := range allowances {
		s := Sight{Allowance: a, At: now, Since: now}
		if before, ok := r.sights[a.Name]; ok && a.Remaining*10 < before.Most*9 {
			s.Since = before.Since
		}
		r.see(s)
	}
	if retryAfter > 0 {
		r.until = later(r.until, now.Add(retryAfter+refill))
	}
	if len(allowances) > 0 || retryAfter > 0 {
		r.probing = time.Time{}
	}
}

// Note is what a build takes along: what is known now.
func (p *Pacer) Note(region string, n Note, now time.Time) Note {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.region(region, now)
	n.Sights, n.Until = nil, time.Time{}
	front := r.line.front(now)
	n.Front, n.Seen = front.ticket, front.seen
	for _, s := range r.sights {
		n.Sights = append(n.Sights, s)
	}
	if r.until.After(now) {
		n.Until = r.until
	}
	return n
}

// region finds what is known of a region. The longest unused gives way when there are too many.
func (p *Pacer) region(name string, now time.Time) *region {
	r := p.regions[name]
	if r == nil {
		if len(p.regions) >= regions {
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

// merge takes over what a continuation's sender knew better. Times ahead of this clock are not believed.
func (r *region) merge(n Note, now time.Time) {
	ahead := now.Add(time.Minute)
	for _, s := range n.Sights {
		if s.At.Before(ahead) && s.At.After(r.sights[s.Name].At) {
			r.see(s)
		}
	}
	r.line.waits(place{n.Front, n.Seen}, now)
	if n.Until.After(r.until) && n.Until.Before(now.Add(time.Hour)) {
		r.until = n.Until
	}
}

func (r *region) see(s Sight) {
	s.Most = max(s.Most, r.sights[s.Name].Most, s.Remaining)
	r.sights[s.Name] = s
}

// rate is the law: creations a second over all instances, and how many remain above the reserve. It is unknown when
// nothing was seen lately.
func (r *region) rate(now time.Time) (rate, share float64, known bool) {
	rate, share = math.Inf(1), math.Inf(1)
	known = len(r.sights) > 0
	for _, s := range r.sights {
		left, fresh := r.left(s, now)
		switch {
		case left > reserve:
		case now.Before(s.back()):
			return 0, 0, true
		default:
			fresh = false
		}
		known = known && fresh
		share = min(share, left-reserve)
		rate = min(rate, (left-reserve)/s.settle().Seconds()+s.returning(left))
	}
	return rate, share, known
}

// left is what is probably left of an allowance by now, and whether the sight still says anything. What a bucket holds
// settles; a window is used by the others too, and gives nothing back for long.
func (r *region) left(s Sight, now time.Time) (left float64, fresh bool) {
	age := now.Sub(s.At)
	left = float64(s.Remaining)
	switch {
	case s.Remaining <= reserve:
	case s.Window > short:
		left -= r.fastest() * age.Seconds()
	case s.Window > 0:
		usual := float64(s.Most) * floor
		left = usual + (left-usual)*math.Exp(-age.Seconds()/settle.Seconds())
	}
	return left, age <= stale
}

// slow is the rate of the shortest limit when it is used evenly. A bucket fills up in minutes.
func (r *region) slow() float64 {
	rate := 0.1
	for _, s := range r.sights {
		over := s.Window
		if over == 0 {
			over = 4 * time.Minute
		}
		rate = max(rate, float64(s.Most)/over.Seconds())
	}
	return rate
}

// settle is shorter for a long window: only its end has to be met smoothly.
func (s Sight) settle() time.Duration {
	if s.Window > short {
		return settle / 2
	}
	return settle
}

// fastest is the rate that the short window allows in the long run: a long one is used up no faster.
func (r *region) fastest() float64 {
	rate := 0.0
	for _, s := range r.sights {
		if s.Window > 0 && s.Window <= short {
			rate = max(rate, float64(s.Most)/s.Window.Seconds())
		}
	}
	return rate
}

// returning is at what rate a window gives back what was used a window ago, when it is used evenly; less as it runs low.
func (s Sight) returning(left float64) float64 {
	if s.Window == 0 {
		return 0 // a bucket's refill is not known, and need not be
	}
	return float64(s.Most) / s.Window.Seconds() * min(1, 2*left/float64(s.Most))
}

// back is when an allowance that was used up may have some again.
func (s Sight) back() time.Time {
	if s.Window > 0 {
		return later(s.Since.Add(s.Window), s.At.Add(s.Window/20))
	}
	return s.At.Add(2 * settle)
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

// wait is how long a build waits for its turn behind those ahead of it, at the rate.
func (r *region) wait(key string, n Note, ahead, rate float64, now time.Time) time.Duration {
	begin := time.Duration(0)
	for _, s := range r.sights {
		if s.Remaining <= reserve {
			begin = max(begin, s.back().Sub(now))
		}
	}
	if rate == 0 || math.IsInf(rate, 0) {
		rate = r.slow()
	}
	wait := time.Duration(min(max(ahead/rate, soonest.Seconds()), latest.Seconds()) * float64(time.Second))
	return begin + wait/2 + scatter(key, n.Waits, wait/4)
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// scatter is a part of d that depends on the build and on how often it has waited.
func scatter(key string, waits int, d time.Duration) time.Duration {
	return time.Duration(fraction(key+where(waits)) * float64(d))
}

func where(n int) string { return string(rune('a'+n%26)) + string(rune('a'+n/26%26)) }

// fraction is a number in [0, 1) that depends on s alone.
func fraction(s string) float64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(s))
	x := h.Sum64()
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	return float64(x>>11) / (1 << 53)
}
