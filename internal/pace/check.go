package pace

import (
	"errors"
	"fmt"
	"strings"
)

const (
	maxSights = 4
	maxName   = 64
	maxMost   = 10_001
	maxWaits  = 100_000
	maxTurn   = 1_000_000
)

// Check says what is wrong with a note that came in a message, or nil. Times ahead of this clock are no error: they are
// not believed.
func (n Note) Check() error {
	switch {
	case n.Ticket < 0 || n.Front < 0:
		return errors.New("a ticket is below zero")
	case n.Waits < 0 || n.Waits > maxWaits:
		return fmt.Errorf("waits is %d, not between 0 and %d", n.Waits, maxWaits)
	case len(n.Sights) > maxSights:
		return fmt.Errorf("sights has %d entries, more than %d", len(n.Sights), maxSights)
	}
	for i, s := range n.Sights {
		if err := s.check(); err != nil {
			return fmt.Errorf("sights[%d]: %w", i, err)
		}
	}
	return n.Course.check()
}

func (s Sight) check() error {
	switch {
	case len(s.Name) > maxName || !strings.HasPrefix(s.Name, creations):
		return errors.New("name is not that of a limit on image creations")
	case s.Window != window(s.Name):
		return errors.New("window is not that of the name")
	case s.Most < 0 || s.Most > maxMost || s.Remaining < 0 || s.Remaining > s.Most:
		return fmt.Errorf("%d of %d remain, which does not fit", s.Remaining, s.Most)
	}
	return nil
}

func (c Course) check() error {
	switch {
	case len(c.Points) > maxPoints:
		return fmt.Errorf("course has %d points, more than %d", len(c.Points), maxPoints)
	case c.Turn < 0 || c.Turn > maxTurn:
		return fmt.Errorf("course was corrected %d times, not between 0 and %d", c.Turn, maxTurn)
	case c.Stride < 0 || c.Stride > maxMost:
		return fmt.Errorf("course has a stride of %g, not between 0 and %d", c.Stride, maxMost)
	}
	before := Point{At: 0, Ticket: -maxMost}
	for _, p := range c.Points {
		if p.At < before.At || !(p.Ticket >= before.Ticket) || p.Ticket > 1<<53 {
			return errors.New("course does not rise")
		}
		before = p
	}
	return nil
}
