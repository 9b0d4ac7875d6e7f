package servicebus

import (
	"math/rand/v2"
	"sync"
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
	mu  sync.Mutex
	rng *rand.Rand
}

func newFaults(f Faults) *faults {
	return &faults{Faults: f, rng: rand.New(rand.NewPCG(f.Seed, f.Seed))} //nolint:gosec // to be repeated, not secret
}

// strike draws whether a fault of that chance happens now.
func (f *faults) strike(chance float64) bool {
	if chance <= 0 {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.rng.Float64() < chance
}
