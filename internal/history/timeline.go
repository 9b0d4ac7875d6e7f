package history

import (
	"strings"

	"goldmint/internal/event"
)

// Timeline is what the events say of one build id, in the order of their publication.
//
// Under one id there may be several builds: a request that was corrected after its rejection or its
// failure is another one, with a digest of its own. One build may have several runs: a message of
// it that was dead-lettered and sent again begins a new one. The timeline is that of the newest
// run; a later run has a higher number.
type Timeline struct {
	// Digest, where it is set, is the start of the digest of the only build that counts.
	Digest string

	newest   *run
	rejected *Entry
	queued   *Entry          // a request that was taken and of which nothing more is known
	ran      map[string]bool // by digest
}

// run is the events of one run.
type run struct {
	number                 int64
	started, ended, latest *Entry
}

// Add adds an event. An event that was added before changes nothing.
func (s *Timeline) Add(e Entry) {
	if !strings.HasPrefix(e.Event.Data.Digest, s.Digest) {
		return
	}
	switch e.Event.Type {
	case event.Queued:
		if !s.ran[e.Event.Data.Digest] { // else it was sent again, and that does nothing
			s.queued = &e
		}
		return
	case event.Rejected:
		s.taken(&e)
		s.reject(&e)
		return
	}
	s.taken(&e)
	if s.ran == nil {
		s.ran = map[string]bool{}
	}
	s.ran[e.Event.Data.Digest] = true
	r := s.newest
	switch number := e.Event.Data.Run; {
	case r == nil || number > r.number:
		r = &run{number: number}
		s.newest = r
	case number < r.number: // of an older run
		return
	}
	switch {
	case !e.Event.Ends():
		if e.Event.Type == event.Started {
			r.started = &e
		}
		r.latest = &e
	case r.ended == nil: // a run ends once
		r.ended = &e
	}
}

// taken forgets that the build was queued, now that more is known of it.
func (s *Timeline) taken(e *Entry) {
	if s.queued != nil && s.queued.Event.Data.Digest == e.Event.Data.Digest {
		s.queued = nil
	}
}

// reject adds a rejection. It ends a run only while that has not been started: anybody may have
// sent the message that was rejected.
func (s *Timeline) reject(e *Entry) {
	if r := s.newest; r != nil && r.started == nil && r.ended == nil && r.latest.Event.Data.Digest == e.Event.Data.Digest {
		r.ended = e
		return
	}
	s.rejected = e
}

// Outcome is the event that answers for the build: the end of its newest run, or, where nothing has
// run under the id and nothing is queued, the last rejection. Nil means that the answer is still to
// come. It holds only once all events that are kept were added: a rejection may be followed by a
// corrected request.
func (s *Timeline) Outcome() *Entry {
	switch {
	case s.queued != nil:
		return nil
	case s.newest != nil:
		return s.newest.ended
	}
	return s.rejected
}

// Latest is the last that is known: the outcome, else how far the newest run is; nil where nothing
// is.
func (s *Timeline) Latest() *Entry {
	if s.queued != nil {
		return s.queued
	}
	if e := s.Outcome(); e != nil || s.newest == nil {
		return e
	}
	return s.newest.latest
}
