package broker

import (
	"slices"
	"sort"
)

// store holds a queue's messages in the order of their sequence numbers.
// Removed ones leave a gap that is closed when half of it is gaps.
type store struct {
	entries []*entry
	gaps    int
}

func (s *store) add(e *entry) {
	e.gone = false
	if n := len(s.entries); n == 0 || s.entries[n-1].SequenceNumber < e.SequenceNumber {
		s.entries = append(s.entries, e)
		return
	}
	s.entries = slices.Insert(s.entries, s.from(e.SequenceNumber), e)
}

// remove leaves a gap without the message, so that nothing of it is held.
func (s *store) remove(e *entry) {
	e.gone = true
	for i := s.from(e.SequenceNumber); s.entries[i].SequenceNumber == e.SequenceNumber; i++ {
		if s.entries[i] == e {
			gap := &entry{gone: true}
			gap.SequenceNumber = e.SequenceNumber
			s.entries[i] = gap
			break
		}
	}
	s.gaps++
	if s.gaps < 64 || s.gaps < len(s.entries)/2 {
		return
	}
	left := make([]*entry, 0, len(s.entries)-s.gaps)
	for _, e := range s.entries {
		if !e.gone {
			left = append(left, e)
		}
	}
	s.entries, s.gaps = left, 0
}

// from is the place of the first entry with that sequence number or a higher.
func (s *store) from(sequence int64) int {
	return sort.Search(len(s.entries), func(i int) bool { return s.entries[i].SequenceNumber >= sequence })
}

func (s *store) find(sequence int64) *entry {
	for _, e := range s.entries[s.from(sequence):] {
		if e.SequenceNumber != sequence {
			break
		}
		if !e.gone {
			return e
		}
	}
	return nil
}

// each visits the messages from that sequence number on until visit says no.
func (s *store) each(sequence int64, visit func(*entry) bool) {
	for _, e := range s.entries[s.from(sequence):] {
		if !e.gone && !visit(e) {
			return
		}
	}
}
