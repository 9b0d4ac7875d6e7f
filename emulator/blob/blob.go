// Package blob is Azure Blob Storage on loopback, as far as small documents that are read and
// written back under an ETag need it: containers, and block blobs that are created, read, replaced
// under conditions and deleted. The real azblob client speaks to it.
//
// It can have the faults of the real one: it is slow or unreachable, reads are stale, answers are
// lost.
package blob

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"goldmint/emulator/loopback"
)

// Options configure a server.
type Options struct {
	// Addr is the TCP address to listen on, "127.0.0.1:0" if empty.
	Addr string
	// Account is the storage account, "devstoreaccount1" if empty. It is the first segment of each
	// path, as in Azurite.
	Account string
	// Authorize says whether a bearer token is good. Nil: every token is.
	Authorize func(token string) bool
}

// Faults say how the server misbehaves. The zero value is a server without faults.
type Faults struct {
	Seed        uint64
	Unreachable bool          // every connection is closed without an answer
	Denied      bool          // 403 AuthorizationPermissionMismatch, as before a role assignment has arrived
	Delay       time.Duration // before each answer
	Lost        float64       // chance of a write to be applied though the connection is reset
	Stale       float64       // chance that a read returns the blob as it was before its last write
}

// Server is one storage account. Its methods are safe for concurrent use.
type Server struct {
	options Options
	server  *loopback.Server

	mu         sync.Mutex
	containers map[string]map[string]*stored
	versions   uint64
	faults     Faults
	random     *rand.Rand

	reads, writes int // of blobs
}

// stored is a blob.
type stored struct {
	body     []byte
	etag     string
	modified time.Time
	before   *stored // the last write
}

// Start runs a server for the time of a test.
func Start(t loopback.TB, options Options) *Server {
	t.Helper()
	return loopback.Start(t, func() (*Server, error) { return Listen(options) })
}

// Listen starts a server. The caller closes it.
func Listen(options Options) (*Server, error) {
	options.Account = cmp.Or(options.Account, "devstoreaccount1")
	s := &Server{options: options, containers: map[string]map[string]*stored{}}
	s.SetFaults(Faults{})
	var err error
	if s.server, err = loopback.Listen(options.Addr); err != nil {
		return nil, fmt.Errorf("listen for blob storage: %w", err)
	}
	s.server.Serve(s)
	return s, nil
}

// Endpoint is the URL of the account.
func (s *Server) Endpoint() string {
	return s.server.URL() + "/" + s.options.Account
}

// CreateContainer makes a container and returns its URL. An existing one stays as it is.
func (s *Server) CreateContainer(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.containers[name] == nil {
		s.containers[name] = map[string]*stored{}
	}
	return s.Endpoint() + "/" + name
}

// Blob returns the body of a blob.
func (s *Server) Blob(container, name string) (body []byte, found bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.containers[container][name]
	if b == nil {
		return nil, false
	}
	return b.body, true
}

// Put writes a blob without any condition.
func (s *Server) Put(container, name string, body []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.write(s.containers[container], name, body)
}

// Delete deletes a blob.
func (s *Server) Delete(container, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.containers[container], name)
}

// Requests counts the reads of blobs and the writes so far, refused ones too.
func (s *Server) Requests() (reads, writes int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reads, s.writes
}

// SetFaults sets the faults of the server from now on.
func (s *Server) SetFaults(f Faults) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults, s.random = f, rand.New(rand.NewPCG(f.Seed, 0)) //nolint:gosec // a run has to be repeatable
}

// Close stops the server.
func (s *Server) Close() error { return s.server.Close() }
