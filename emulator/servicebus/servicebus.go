// Package servicebus is a Service Bus on loopback: it speaks AMQP 1.0 over plain
// TCP as the real service does, so that the real clients work against it.
//
//	bus := servicebus.Start(t, servicebus.Options{Config: config})
//	client, err := azservicebus.NewClientFromConnectionString(bus.ConnectionString(), nil)
//
// A test turns its clock with [Server.FastForward], cuts its connections with
// [Server.DropConnections] and makes it misbehave with [Faults].
//
// Package broker holds what becomes of messages, package amqp the bytes on the
// wire, package filter the subscriptions' rules; this package joins them:
// connections, links, claims and the management requests.
package servicebus

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net"
	"sync"
	"time"

	"goldmint/emulator/servicebus/broker"
)

// Options say what to listen on and what to hold.
type Options struct {
	Addr                string                   // host:port; default 127.0.0.1:0, a free port
	Config              Config                   // the entities
	Faults              Faults                   // none by default
	Log                 func(string)             // one line an event, from many goroutines; may be nil
	SharedAccessKeyName string                   // default RootManageSharedAccessKey
	SharedAccessKey     string                   // default: random
	VerifyToken         func(token string) error // checks JSON Web Tokens; nil refuses them all
}

const defaultKeyName = "RootManageSharedAccessKey"

// TB is what [Start] needs of a testing.TB.
type TB interface {
	Helper()
	Fatalf(format string, args ...any)
	Cleanup(func())
}

// Server is a running Service Bus.
type Server struct {
	opts     Options
	listener net.Listener
	broker   *broker.Broker
	faults   *faults
	clock    *clock
	due      chan struct{} // something is due earlier than planned
	done     chan struct{}
	tasks    sync.WaitGroup

	mu     sync.Mutex
	rules  map[string]rule // by name
	conns  map[*conn]struct{}
	closed bool
}

// Start runs a server for the length of a test.
func Start(t TB, opts Options) *Server {
	t.Helper()
	s, err := Listen(opts)
	if err != nil {
		t.Fatalf("start service bus: %v", err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// Listen starts a server. Errors are a configuration that is not valid, or an
// address that cannot be listened on.
func Listen(opts Options) (*Server, error) {
	if opts.Addr == "" {
		opts.Addr = "127.0.0.1:0"
	}
	if opts.SharedAccessKeyName == "" {
		opts.SharedAccessKeyName = defaultKeyName
	}
	if opts.SharedAccessKey == "" {
		opts.SharedAccessKey = randomKey()
	}
	if opts.Log == nil {
		opts.Log = func(string) {}
	}
	root := rule{key: opts.SharedAccessKey, rights: map[string]Rights{"": RightAll}}
	s := &Server{
		opts: opts, rules: map[string]rule{opts.SharedAccessKeyName: root}, faults: newFaults(opts.Faults), clock: &clock{},
		due: make(chan struct{}, 1), done: make(chan struct{}), conns: map[*conn]struct{}{},
	}
	s.broker = broker.New(s.clock.Now, func() { poke(s.due) })
	if err := opts.Config.build(s.broker); err != nil {
		return nil, fmt.Errorf("service bus configuration: %w", err)
	}
	var err error
	if s.listener, err = net.Listen("tcp", opts.Addr); err != nil { //nolint:noctx // nothing to cancel: it returns at once
		return nil, fmt.Errorf("service bus: %w", err)
	}
	s.tasks.Go(s.accept)
	s.tasks.Go(s.keepTime)
	return s, nil
}

// Addr is the address it listens on, as host:port.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// ConnectionString is what clients connect with that may do everything. See
// [Server.Authorize] for others.
func (s *Server) ConnectionString() string {
	return s.connectionString(s.opts.SharedAccessKeyName, s.opts.SharedAccessKey)
}

func (s *Server) connectionString(name, key string) string {
	return fmt.Sprintf("Endpoint=sb://%s;SharedAccessKeyName=%s;SharedAccessKey=%s;UseDevelopmentEmulator=true",
		s.Addr(), name, key)
}

// Close ends every connection and waits for all work to stop. Messages are gone
// with it.
func (s *Server) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	s.mu.Unlock()
	close(s.done)
	err := s.listener.Close()
	s.DropConnections()
	s.tasks.Wait()
	return err
}

// DropConnections cuts every TCP connection without a word, as a network does.
func (s *Server) DropConnections() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		c.abort()
	}
}

// FastForward turns the clock. When it returns, everything that became due has
// happened: locks are over, scheduled messages on their way to receivers.
func (s *Server) FastForward(d time.Duration) {
	s.clock.turn(d)
	s.broker.Advance()
	poke(s.due)
}

// Now is the server's time.
func (s *Server) Now() time.Time { return s.clock.Now() }

// Counts are the messages of "queue" or "topic/Subscriptions/name" by state;
// locked ones are active. An entity that is not there has none.
func (s *Server) Counts(entity string) (active, scheduled, deadLettered, deferred int) {
	q, err := s.broker.Lookup(entity)
	if err != nil {
		return 0, 0, 0, 0
	}
	c := q.Counts()
	return c.Active, c.Scheduled, c.DeadLettered, c.Deferred
}

func (s *Server) accept() {
	for {
		nc, err := s.listener.Accept()
		if err != nil {
			return
		}
		c := newConn(s, nc)
		s.mu.Lock()
		if s.closed {
			s.mu.Unlock()
			_ = nc.Close()
			return
		}
		s.conns[c] = struct{}{}
		s.mu.Unlock()
		s.tasks.Go(func() {
			c.serve()
			s.mu.Lock()
			delete(s.conns, c)
			s.mu.Unlock()
		})
	}
}

// keepTime lets the broker act when something is due.
func (s *Server) keepTime() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		wait := time.Hour
		if next, ok := s.broker.Advance(); ok {
			wait = max(next.Sub(s.clock.Now()), 0)
		}
		timer.Reset(wait)
		select {
		case <-timer.C:
		case <-s.due:
		case <-s.done:
			return
		}
	}
}

func (s *Server) logf(format string, args ...any) { s.opts.Log(fmt.Sprintf(format, args...)) }

// clock is the time of day plus what tests turned it by.
type clock struct {
	mu     sync.Mutex
	offset time.Duration
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.offset)
}

func (c *clock) turn(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offset += d
}

// poke puts a note into a channel of one that is not read yet.
func poke(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

func randomKey() string {
	var key [32]byte
	_, _ = rand.Read(key[:]) // never fails: crypto/rand
	return base64.StdEncoding.EncodeToString(key[:])
}
