package pace

import (
	"cmp"
	"math"
	"slices"
	"sort"
	"time"
)

// Course is how far a region's builds have come over time, as the ticket of the one that has started its creation last, were
// all of them to start in the order of their tickets. It is what the builds' turns under a sliding window follow from: a
// window later as many more may start as had by then.
type Course struct {
	Since  time.Time `json:"since,omitzero"`   // when it was begun
	Turn   int       `json:"turn,omitempty"`   // how often it was corrected: the greater one is believed
	Stride float64   `json:"stride,omitempty"` // tickets for each of the region's builds: others have some in between
	Points []Point   `json:"points,omitempty"` // rising
}

// Point is where the course stood.
type Point struct {
	At     int64   `json:"at"` // Unix milliseconds
	Ticket float64 `json:"ticket"`
}

const maxPoints = 64 // of a course

// begun is a course that stood so at the time, with so many tickets just before.
func begun(at time.Time, ticket, before, stride float64) Course {
	const just = 10 * time.Second
	return Course{Since: at, Stride: round(stride), Points: []Point{{at.Add(-just).UnixMilli(), round(ticket - before)}, {at.UnixMilli(), round(ticket)}}}
}

// tickets is how many pass by for so many builds.
func (c Course) tickets(builds float64) float64 { return builds * max(1, c.Stride) }

func (c Course) known() bool { return len(c.Points) > 0 }

// last is the latest point.
func (c Course) last() Point { return c.Points[len(c.Points)-1] }

// at is where the course stood. Each point is a creation, so the last step up to it was taken at its time; what is known
// of the steps before is their number.
func (c Course) at(t time.Time) float64 {
	at := t.UnixMilli()
	i := sort.Search(len(c.Points), func(i int) bool { return c.Points[i].At >= at })
	switch {
	case i == len(c.Points):
		return c.last().Ticket
	case i == 0 || c.Points[i].At == at:
		return c.Points[i].Ticket
	}
	p, q := c.Points[i-1], c.Points[i]
	return p.Ticket + max(0, q.Ticket-1-p.Ticket)*float64(at-p.At)/float64(q.At-p.At)
}

// with is the course with more points, of which it keeps those of so long a time. Where two disagree the later is believed,
// and while there are too many the one that says least is left out: it lies nearest to the line between its neighbours.
func (c Course) with(keep time.Duration, more ...Point) Course {
	all := slices.Concat(c.Points, more)
	slices.SortStableFunc(all, func(a, b Point) int { return cmp.Compare(a.At, b.At) })
	from := all[len(all)-1].At - keep.Milliseconds()
	points := make([]Point, 0, len(all))
	for i, p := range all {
		if last := i+1 == len(all); last || all[i+1].At >= from && all[i+1].At > p.At {
			points = append(points, p)
		}
	}
	for i := len(points) - 2; i >= 0; i-- {
		points[i].Ticket = min(points[i].Ticket, points[i+1].Ticket)
	}
	for len(points) > maxPoints {
		least := 1
		for i := 2; i < len(points)-1; i++ {
			if bend(points, i) < bend(points, least) {
				least = i
			}
		}
		points = slices.Delete(points, least, least+1)
	}
	c.Points = points
	return c
}

// bend is by how much the course changes without its point i.
func bend(points []Point, i int) float64 {
	a, b, c := points[i-1], points[i], points[i+1]
	return math.Abs((b.Ticket-a.Ticket)*float64(c.At-a.At) - (c.Ticket-a.Ticket)*float64(b.At-a.At))
}

// shift is the course so many tickets further on.
func (c Course) shift(by float64) Course {
	c.Points = slices.Clone(c.Points)
	for i := range c.Points {
		c.Points[i].Ticket = round(c.Points[i].Ticket + by)
	}
	return c
}

// turned is the course after a correction.
func (c Course) turned() Course {
	c.Turn = min(c.Turn+1, maxTurn)
	return c
}

func round(x float64) float64 { return math.Round(x*10) / 10 } // it travels
