package history

import (
	"strings"

	"goldmint/internal/event"
)

// Story is what the events say of one build id, told in the order of their publication.
//
// Under one id there may be several builds: a request that was corrected after its rejection or its failure is another
// one, with a digest of its own. The story is that of the newest.
type Story struct {
	// Digest, where it is set, is the start of the digest of the only build that counts.
	Digest string

	builds   map[string]*build // by event key, <id>/<digest12>
	newest   *build
	rejected *Entry
}

// build is the events of one request.
type build struct{ started, ended *Entry }

// Tell adds an event. An event that was told before changes nothing.
func (s *Story) Tell(e Entry) {
	if !strings.HasPrefix(e.Event.Data.Digest, s.Digest) {
		return
	}
	if e.Event.Type == event.Rejected {
		s.rejected = &e
		return
	}
	key, _, _ := strings.Cut(strings.TrimPrefix(e.Event.ID, e.Event.Data.BuildID+"/"), "/")
	b := s.builds[key]
	if b == nil {
		b = &build{}
		if s.builds == nil {
			s.builds = map[string]*build{}
		}
		s.builds[key] = b
		s.newest = b
	}
	if e.Event.Ends() {
		if b.ended == nil { // a build ends once
			b.ended = &e
		}
		return
	}
	b.started = &e
}

// Outcome is the event that answers for the build: its end, or, where nothing was ever started or ended under the id, the
// last rejection. Nil means that the answer is still to come. It holds only once all events that are kept were told: a
// rejection may be followed by a corrected request.
func (s *Story) Outcome() *Entry {
	if s.newest != nil {
		return s.newest.ended
	}
	return s.rejected
}

// Latest is the last that is known: the outcome, else that the build was started; nil where nothing is.
func (s *Story) Latest() *Entry {
	if e := s.Outcome(); e != nil || s.newest == nil {
		return e
	}
	return s.newest.started
}

// Started is the event that the build was started, nil before.
func (s *Story) Started() *Entry {
	if s.newest == nil {
		return nil
	}
	return s.newest.started
}
