package pace

// share estimates how many instances take messages from the queue: the sequence numbers of the messages that reached
// this one lie as far apart as there are others.
type share struct {
	ring [64]struct {
		number int64
		used   int // sequence numbers the message used up
	}
	count int
}

func (s *share) heard(number int64, scheduled bool) {
	e := &s.ring[s.count%len(s.ring)]
	e.number, e.used = number, 1
	if scheduled {
		e.used = 2
	}
	s.count++
}

// few says that this instance has heard too little to tell.
func (s *share) few() bool { return s.count < 16 }

// instances is the estimate, 1 or more.
func (s *share) instances() float64 {
	n := min(s.count, len(s.ring))
	if n < 2 {
		return 1
	}
	low, high, used := s.ring[0].number, s.ring[0].number, 0
	for _, e := range s.ring[:n] {
		low, high = min(low, e.number), max(high, e.number)
		used += e.used
	}
	return max(1, float64(high-low+1)/float64(used))
}
