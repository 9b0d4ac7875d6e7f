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

// between is how many of the sequence numbers after the one and up to the other were heard to be used.
func (s *share) between(from, to int64) int {
	used := 0
	for _, e := range s.ring[:min(s.count, len(s.ring))] {
		if from < e.number && e.number <= to {
			used += e.used
		}
	}
	return used
}

// stride is how far the tickets of one region's requests lie apart: so many sequence numbers are heard to be used for each.
type stride struct {
	newest int64 // ticket
	gaps   [64]int
	count  int
}

// passes notes a request that comes by for the first time.
func (s *stride) passes(ticket int64, heard *share) {
	if ticket <= s.newest {
		return
	}
	if s.newest > 0 {
		s.gaps[s.count%len(s.gaps)] = max(1, heard.between(s.newest, ticket))
		s.count++
	}
	s.newest = ticket
}

// mean is the stride lately, 1 or more.
func (s *stride) mean() float64 {
	n, sum := min(s.count, len(s.gaps)), 0
	for _, g := range s.gaps[:n] {
		sum += g
	}
	return float64(max(1, sum)) / float64(max(1, n))
}
