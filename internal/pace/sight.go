package pace

import "time"

// Sight is an allowance as the header of one PUT showed it.
type Sight struct {
	Allowance
	At   time.Time `json:"at"`   // when the PUT was sent
	Most int       `json:"most"` // that was ever seen to be there: the limit is not smaller
}

// newer is the later of two sights of one allowance, and the greater limit of both.
func (s Sight) newer(o Sight) Sight {
	most := max(s.Most, o.Most)
	if o.At.After(s.At) {
		s = o
	}
	s.Most = most
	return s
}

// used is how much of the allowance was used when it was seen.
func (s Sight) used() float64 { return float64(s.Most - s.Remaining) }
