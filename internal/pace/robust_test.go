package pace

import (
	"fmt"
	"math"
	"testing"
	"time"
)

func both(left3, left30 int) []Allowance {
	return []Allowance{{"CreateImages3Min", 3 * time.Minute, left3}, {"CreateImages30Min", 30 * time.Minute, left30}}
}

// TestOwnNotesAreLetIn: whatever was believed, what an instance writes is not refused by the next one.
func TestOwnNotesAreLetIn(t *testing.T) {
	sight := func(name string, left, most int) Sight {
		return Sight{Allowance{name, window(name), left}, epoch, most}
	}
	for name, lie := range map[string]Note{
		"corrected too often": {
			Sights: []Sight{sight("CreateImages30Min", 199, 200), sight("CreateImages3Min", 39, 40)},
			Course: Course{Since: epoch.Add(-time.Hour), Turn: maxTurn, Points: []Point{{epoch.UnixMilli() - 1000, 5}, {epoch.UnixMilli(), 10}}},
		},
		"at the end of all tickets": {
			Sights: []Sight{sight("CreateImages30Min", 0, maxMost)},
			Course: Course{Since: epoch.Add(-time.Hour), Points: []Point{{epoch.UnixMilli() - 1000, 1 << 53}}},
		},
	} {
		if err := lie.Check(); err != nil {
			t.Fatalf("%s: would be refused: %v", name, err)
		}
		p, now := New("one"), epoch.Add(10*time.Second)
		p.Learn("region", lie, now)
		if err := p.Note("region", Note{}, now).Check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		p.Answered("region", 900, both(38, 198), 0, now, now)
		if err := p.Note("region", Note{}, now).Check(); err != nil {
			t.Errorf("%s, after a header of one's own: %v", name, err)
		}
	}
	p := New("one")
	p.Answered("region", 3, Parse(fmt.Sprintf("Microsoft.Compute/CreateImagesSubscriptionMaximum;%d", maxMost)), 0, epoch, epoch)
	if err := p.Note("region", Note{}, epoch).Check(); err != nil {
		t.Errorf("after an enormous header: %v", err)
	}
}

// TestNoLimitStaysNone: where Azure tells of no limit, a claimed one is forgotten.
func TestNoLimitStaysNone(t *testing.T) {
	p, now := New("one"), epoch
	lie := lies(epoch)["a limit that is no limit"]
	p.Learn("region", lie, epoch)
	for i := range 3 {
		now = epoch.Add(time.Duration(i+1) * trust)
		p.Answered("region", int64(i+1), nil, 0, now, now)
		p.Learn("region", lie, now)
	}
	for i := range 100 {
		if v := p.Admit("region", fmt.Sprint(i), Note{Ticket: int64(1000 + i)}, now); !v.Go {
			t.Fatalf("build %d waits: %+v", i, v)
		}
	}
}

// TestBothForms: a bucket beside windows does not stop them for longer than it says something.
func TestBothForms(t *testing.T) {
	p, now, n := New("one"), epoch, Note{Ticket: 4}
	p.Answered("region", 3, append(both(30, 150), Allowance{"CreateImagesSubscriptionMaximum", 0, 0}), 0, epoch, epoch)
	for wakes := range 40 {
		v := p.Admit("region", "b", n, now)
		if v.Go {
			if now.Sub(epoch) > 3*time.Minute {
				t.Errorf("the first goes after %s and %d wakes", now.Sub(epoch), wakes)
			}
			return
		}
		now, n.Waits = now.Add(v.Hold), n.Waits+1
		if v.Hold == 0 {
			now = v.At
		}
	}
	t.Errorf("nobody goes until %s", now.Sub(epoch))
}

// TestCreditOfANewInstance: what an instance was given while it thought that it is alone is gone once it hears of others.
func TestCreditOfANewInstance(t *testing.T) {
	p := New("new")
	seen := func(left int, at time.Time) Note {
		return Note{Sights: []Sight{{Allowance{"CreateImagesSubscriptionMaximum", 0, left}, at, 60}}}
	}
	p.Heard(1000, true)
	p.Learn("region", seen(59, epoch), epoch)
	p.Admit("region", "first", Note{Ticket: 100}, epoch)
	for i := range 64 {
		p.Heard(1000+int64(i)*80, true)
	}
	now := epoch.Add(20 * time.Second)
	p.Learn("region", seen(0, now), now)
	for i := range 100 {
		if p.Admit("region", fmt.Sprint(i), Note{Ticket: int64(100 + i%10)}, now).Go {
			t.Fatalf("build %d goes although nothing remains", i)
		}
	}
}

// TestTimeGoesBack: a clock that is set back costs nothing.
func TestTimeGoesBack(t *testing.T) {
	p, now := New("one"), epoch
	p.Answered("region", 1, []Allowance{{"CreateImagesSubscriptionMaximum", 0, 59}}, 0, now, now)
	for i := range 50 {
		now = now.Add(2 * time.Second)
		at := now
		if i%7 == 0 {
			at = now.Add(-5 * time.Minute)
		}
		p.Admit("region", fmt.Sprint(i), Note{Ticket: int64(i + 2)}, at)
		p.Answered("region", 1, []Allowance{{"CreateImagesSubscriptionMaximum", 0, 30}}, 0, now, now)
		if credit := p.regions["region"].credit; credit < 0 || math.IsNaN(credit) {
			t.Fatalf("the credit is %v", credit)
		}
	}
}
