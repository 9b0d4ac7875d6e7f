package servicebus

import (
	"maps"
	"math/rand/v2"
	"sync"
	"time"

	"goldmint/emulator/servicebus/broker"
)

// Faults make the server misbehave by chance. The chances are 0 to 1; the same
// seed draws the same sequence.
type Faults struct {
	Seed      uint64
	DropEvery float64 // a transfer, in or out: the connection is cut before it or after it
	Duplicate float64 // a completed delivery: its outcome is lost, so that it is delivered again
	Busy      float64 // a message sent: it is refused with com.microsoft:server-busy
}

type faults struct {
	Faults
	mu   sync.Mutex
	rng  *rand.Rand
	hits map[string]int // how often a fault happened, by its name
}

func newFaults(f Faults) *faults {
	return &faults{Faults: f, rng: rand.New(rand.NewPCG(f.Seed, f.Seed)), hits: map[string]int{}} //nolint:gosec // to be repeated, not secret
}

// strike draws whether the named fault, which has that chance, happens now.
func (f *faults) strike(name string, chance float64) bool {
	if chance <= 0 {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	hit := f.rng.Float64() < chance
	if hit {
		f.hits[name]++
	}
	return hit
}

// Injected counts the faults that happened, by name: drop, duplicate, busy.
func (s *Server) Injected() map[string]int {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	return maps.Clone(s.faults.hits)
}

// Refusal is why an entity takes no messages.
type Refusal int

// The refusals.
const (
	NoRight Refusal = iota + 1 // the sender's claims do not cover Send, as before a role assignment has arrived
	Full                       // the entity holds as much as it may
)

// Refuse makes a queue or a topic refuse what is sent to it for a time by the
// server's clock, or until [Server.Resume] where d is 0.
func (s *Server) Refuse(entity string, why Refusal, d time.Duration) error {
	q, err := s.broker.Lookup(entity)
	if err != nil {
		return err
	}
	refusal := unauthorized(RightSend, entity)
	if why == Full {
		refusal = &broker.Error{Condition: "amqp:resource-limit-exceeded", Description: "The maximum entity size has been reached or exceeded for '" + entity + "'."}
	}
	q.Refuse(refusal, d)
	return nil
}

// Resume ends the refusals of a queue or a topic.
func (s *Server) Resume(entity string) error {
	q, err := s.broker.Lookup(entity)
	if err == nil {
		q.Refuse(nil, 0)
	}
	return err
}
