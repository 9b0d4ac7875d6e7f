package pace

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"
)

// lies are notes that claim that nothing remains, or that others go first: what a sender can do to make builds wait.
func lies(now time.Time) map[string]Note {
	empty := func(name string) Sight {
		return Sight{Allowance: Allowance{Name: name, Window: window(name)}, At: now, Most: 200}
	}
	full := func(name string) Sight {
		return Sight{Allowance: Allowance{name, window(name), 200}, At: now, Most: 200}
	}
	return map[string]Note{
		"far behind": {
			Sights: []Sight{full("CreateImages30Min"), full("CreateImages3Min")},
			Course: Course{Since: now.Add(-time.Hour), Turn: maxTurn, Points: []Point{{now.UnixMilli() - 1000, -5000}, {now.UnixMilli(), -5000}}},
		},
		"begun in the future": {
			Sights: []Sight{full("CreateImages30Min"), full("CreateImages3Min")},
			Course: Course{Since: now.Add(1000 * time.Hour), Turn: 5, Points: []Point{{now.UnixMilli() - 1000, 0}, {now.UnixMilli(), 0}}},
		},
		"nothing remains":          {Sights: []Sight{empty("CreateImages30Min"), empty("CreateImages3Min")}},
		"in a week's window":       {Sights: []Sight{empty("CreateImages1440Min")}},
		"an empty bucket":          {Sights: []Sight{empty("CreateImagesSubscriptionMaximum")}},
		"a limit that is no limit": {Sights: []Sight{empty("CreateImagesNonsense")}},
		"Retry-After":              {Until: now.Add(24 * time.Hour)},
		"the front is taken":       {Front: 1, Seen: now},
	}
}

// TestALieDoesNotLast holds for how long one message of a hostile sender can make another's build wait, although every
// message that is handled carries on what it said.
func TestALieDoesNotLast(t *testing.T) {
	for name, lie := range lies(epoch) {
		for _, instances := range []int{1, 4} {
			t.Run(fmt.Sprintf("%s, %d instances", name, instances), func(t *testing.T) {
				if err := lie.Check(); err != nil {
					t.Fatalf("would be refused: %v", err)
				}
				for _, limit := range []model{&bucket{capacity: 60, refill: 20, level: 60}, &windows{per3: 40, per30: 200}} {
					o := newOurs(instances)
					for i := range o.pacers {
						o.pacers[i].Learn("region", lie, epoch)
					}
					r := (&world{limit: limit, policy: o}).play(20, instances, 1)
					t.Logf("%s: the last after %s", limit, r.last)
					if r.started != 20 || r.last > believed+longest {
						t.Errorf("%s: %d of 20 builds started, the last after %s", limit, r.started, r.last)
					}
				}
			})
		}
	}
}

// TestOwnHeaderEndsALie holds that an instance believes its own eyes: limits that a header does not tell of are forgotten.
func TestOwnHeaderEndsALie(t *testing.T) {
	p := New("one")
	p.Learn("region", lies(epoch)["a limit that is no limit"], epoch)
	now := epoch.Add(trust + time.Minute)
	p.Answered("region", 1, []Allowance{{Name: "CreateImagesSubscriptionMaximum", Remaining: 59}}, 0, now, now)
	if n := p.Note("region", Note{}, now); len(n.Sights) != 1 || n.Sights[0].Remaining != 59 {
		t.Errorf("still known: %+v", n.Sights)
	}
	if v := p.Admit("region", "b", Note{Ticket: 5}, now); !v.Go {
		t.Errorf("not admitted: %+v", v)
	}
}

func TestCheck(t *testing.T) {
	sight := func(change func(*Sight)) Note {
		s := Sight{Allowance: Allowance{"CreateImages3Min", 3 * time.Minute, 30}, At: epoch, Most: 40}
		change(&s)
		return Note{Ticket: 1, Sights: []Sight{s}}
	}
	course := func(points ...Point) Note {
		return Note{Ticket: 1, Course: Course{Since: epoch, Points: points}}
	}
	for name, n := range map[string]Note{"sight": sight(func(*Sight) {}), "course": course(Point{1, -3}, Point{1, 4}, Point{2, 4.5})} {
		if err := n.Check(); err != nil {
			t.Fatalf("an honest %s is refused: %v", name, err)
		}
	}
	for name, n := range map[string]Note{
		"ticket":      {Ticket: -1},
		"front":       {Front: -1},
		"waits":       {Waits: maxWaits + 1},
		"many sights": {Sights: make([]Sight, maxSights+1)},
		"name":        sight(func(s *Sight) { s.Name = "GetImages3Min" }),
		"long name":   sight(func(s *Sight) { s.Name += fmt.Sprintf("%0100d", 0) }),
		"window":      sight(func(s *Sight) { s.Window = 24 * time.Hour }),
		"most":        sight(func(s *Sight) { s.Most = maxMost + 1 }),
		"remaining":   sight(func(s *Sight) { s.Remaining = 41 }),
		"many points": course(make([]Point, maxPoints+1)...),
		"falling":     course(Point{1, 5}, Point{2, 4}),
		"backwards":   course(Point{2, 4}, Point{1, 5}),
		"huge":        course(Point{1, 1e300}),
		"far below":   course(Point{1, -1e6}),
		"corrections": {Course: Course{Turn: maxTurn + 1}},
		"stride":      {Course: Course{Stride: maxMost + 1}},
	} {
		if n.Check() == nil {
			t.Errorf("%s: not refused", name)
		}
	}
}

// FuzzNote holds that no note that is let in makes an instance write one that is not, or a build wait longer than it may.
func FuzzNote(f *testing.F) {
	for _, n := range lies(epoch) {
		text, err := json.Marshal(n)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text, int64(7))
	}
	f.Fuzz(func(t *testing.T, text []byte, ticket int64) {
		var n Note
		if json.Unmarshal(text, &n) != nil || n.Check() != nil || ticket <= 0 {
			t.Skip("no note")
		}
		blind := New("blind")
		blind.Learn("here", n, epoch)
		if err := blind.Note("here", Note{Ticket: 1}, epoch).Check(); err != nil {
			t.Fatalf("the note of an instance that has seen nothing is refused: %v", err)
		}
		p, n2 := New("one"), Note{Ticket: ticket}
		p.Answered("here", 3, []Allowance{{"CreateImages3Min", 3 * time.Minute, 30}, {"CreateImages30Min", 30 * time.Minute, 150}}, 0, epoch, epoch)
		for i := range 3 {
			now := epoch.Add(time.Duration(i) * time.Minute)
			p.Learn("here", n, now)
			v := p.Admit("here", "b", n2, now)
			if wait := v.At.Sub(now); !v.Go && v.Hold == 0 && (wait <= 0 || wait > trust+longest) {
				t.Fatalf("told to wait %s", wait)
			}
			n2 = p.Note("here", n2, now)
			if err := n2.Check(); err != nil {
				t.Fatalf("one's own note is refused: %v", err)
			}
			p.Answered("here", ticket, []Allowance{{"CreateImages3Min", 3 * time.Minute, 29 - i}, {"CreateImages30Min", 30 * time.Minute, 149 - i}}, 0, now, now)
		}
	})
}
