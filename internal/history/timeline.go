package history

import (
	"strings"

	"goldmint/internal/event"
)

// Timeline is what the events say about one build id, in the order of their publication.
//
// One id may have several builds: a request that was corrected after its rejection or its failure
// is another build, with its own digest. One build may have several runs: a message that was
// dead-lettered and sent again starts a new one. The timeline shows the newest run; a later run has
// a higher number.
type Timeline struct {
	// Digest, if it is set, is the start of the digest of the only build that counts.
	Digest string

	newest   *run
	rejected *Entry
	queued   *Entry          // the queued event, while it is the only one
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
		if !s.ran[e.Event.Data.Digest] { // otherwise the request was sent again, which does nothing
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
	case number < r.number: // an event of an older run
		return
	}
	switch {
	case !e.Event.Ends():
		if e.Event.Type == event.Started {
			r.started = &e
		}
		if e.Event.Type != event.Asked || r.started == nil { // Azure's answer is newer, whichever came first
			r.latest = &e
		}
	case r.ended == nil: // a run ends once
		r.ended = &e
	}
}

// taken forgets that the build was queued, because there is a newer event.
func (s *Timeline) taken(e *Entry) {
	if s.queued != nil && s.queued.Event.Data.Digest == e.Event.Data.Digest {
		s.queued = nil
	}
}

// reject adds a rejection. It ends a run only before the run has started, because anybody may have
// sent the rejected message.
func (s *Timeline) reject(e *Entry) {
	if r := s.newest; r != nil && r.started == nil && r.ended == nil && r.latest.Event.Data.Digest == e.Event.Data.Digest {
		r.ended = e
		return
	}
	s.rejected = e
}

// Outcome is the event that says how the build ended: the end of its newest run, or the last
// rejection if nothing has run under the id and nothing is queued. Nil means that there is no
// outcome yet. It is right only after all kept events were added, because a corrected request may
// follow a rejection.
func (s *Timeline) Outcome() *Entry {
	switch {
	case s.queued != nil:
		return nil
	case s.newest != nil:
		return s.newest.ended
	}
	return s.rejected
}

// Latest is the latest news: the outcome, otherwise the last event of the newest run, or nil
// without any event.
func (s *Timeline) Latest() *Entry {
	if s.queued != nil {
		return s.queued
	}
	if e := s.Outcome(); e != nil || s.newest == nil {
		return e
	}
	return s.newest.latest
}
