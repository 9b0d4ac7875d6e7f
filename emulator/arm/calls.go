package arm

import (
	"slices"
	"time"
)

// keptCalls is how many calls a server remembers.
const keptCalls = 100_000

// Call is one request that a server has answered, or cut.
type Call struct {
	Action string    // the RBAC action the caller needs, such as Microsoft.Compute/images/write; empty for a path that names nothing
	Method string    // the HTTP method
	Path   string    // as asked, without the query: operation URLs carry secrets there
	Status int       // the status of the answer, even if the connection was cut
	Time   time.Time // by the server's clock, when the request arrived
	Client string    // the caller's User-Agent
}

// Calls are the requests answered so far, oldest first, the latest hundred thousand of them.
func (s *Server) Calls() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

func (s *Server) record(c Call, at time.Time, status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.Time, c.Status = at, status
	if len(s.calls) >= keptCalls {
		s.calls = slices.Delete(s.calls, 0, keptCalls/10)
	}
	s.calls = append(s.calls, c)
}
