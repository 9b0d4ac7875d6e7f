package pace

import (
	"math"
	"sort"
	"time"
)

// Sight is an allowance as one PUT's header showed it, and for a window what was used in it so far: that comes back in
// the same rhythm a window later.
type Sight struct {
	Allowance
	At   time.Time `json:"at"`   // when the PUT was sent
	Most int       `json:"most"` // that was ever seen to remain: the limit is not smaller
	Past []Use     `json:"past,omitempty"`

	mine bool // seen by this instance itself
}

// Use is a point of a cumulative curve: how many creations had been counted by then.
type Use struct {
	At    int64   `json:"at"` // Unix milliseconds
	Total float64 `json:"total"`
}

const (
	maxPoints = 32               // of a curve
	late      = 12 * time.Second // by which a window is taken to give back later than the curve says
	beyond    = 10 * time.Second // for which the curve is kept longer than the window
)

// next is what is known after a newer header for the same allowance.
func (s Sight) next(a Allowance, at time.Time) Sight {
	n := Sight{Allowance: a, At: at, Most: max(s.Most, a.Remaining)}
	if a.Window == 0 {
		return n
	}
	past, used := s.Past, float64(n.Most-a.Remaining)
	total := used + s.total(at.Add(-a.Window))
	if len(past) > 0 {
		last := past[len(past)-1].Total
		if total < last-max(3, float64(n.Most)/8) {
			past, total = nil, used // more came back than sliding explains: a window in fixed steps has begun anew
		} else {
			total = max(total, last)
		}
	}
	total = math.Round(total*10) / 10 // it travels
	n.Past = extend(past, Use{at.UnixMilli(), total}, a.Window+beyond)
	return n
}

// join is what is known after a newer sight of another instance's. The curve of whoever saw more of the allowance is
// the better one.
func (s Sight) join(newer Sight) Sight {
	if newer.Most >= s.Most || s.Window != newer.Window {
		return newer
	}
	return s.next(newer.Allowance, newer.At)
}

// extend adds a point to a copy of the curve. What is older than the window is dropped, and while there are too many
// points the one that says least: it lies nearest to the line between its neighbours.
func extend(past []Use, u Use, window time.Duration) []Use {
	from := u.At - window.Milliseconds()
	kept := make([]Use, 0, len(past)+1)
	for i, p := range past {
		if i+1 == len(past) || past[i+1].At >= from {
			kept = append(kept, p)
		}
	}
	kept = append(kept, u)
	for len(kept) > maxPoints {
		least := 1
		for i := 2; i < len(kept)-1; i++ {
			if bend(kept, i) < bend(kept, least) {
				least = i
			}
		}
		kept = append(kept[:least], kept[least+1:]...)
	}
	for i, first := 0, kept[0].Total; i < len(kept); i++ {
		kept[i].Total = math.Round((kept[i].Total-first)*10) / 10 // only differences count
	}
	return kept
}

// bend is by how much the curve changes without its point i.
func bend(past []Use, i int) float64 {
	a, b, c := past[i-1], past[i], past[i+1]
	return math.Abs((b.Total-a.Total)*float64(c.At-a.At) - (c.Total-a.Total)*float64(b.At-a.At))
}

// total is the curve at t, straight between its points.
func (s Sight) total(t time.Time) float64 {
	at := t.UnixMilli()
	i := sort.Search(len(s.Past), func(i int) bool { return s.Past[i].At >= at })
	switch {
	case i == 0:
		return 0
	case i == len(s.Past):
		return s.Past[i-1].Total
	}
	p, q := s.Past[i-1], s.Past[i]
	return p.Total + (q.Total-p.Total)*float64(at-p.At)/float64(max(1, q.At-p.At))
}

// returns is how much of a window's allowance comes back between the two times.
func (s Sight) returns(from, to time.Time) float64 {
	if s.Window == 0 {
		return 0
	}
	ago := -s.Window - late
	return s.total(to.Add(ago)) - s.total(from.Add(ago))
}
