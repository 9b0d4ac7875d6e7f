// Package arm is Azure Resource Manager's compute part on loopback: the images, virtual machines,
// disks, snapshots and operations that creating a managed image takes, answering as recorded Azure
// traffic does.
//
// One call starts it, the real SDK clients talk to it over HTTP, and its clock can be turned:
//
//	azure := arm.Start(t, arm.Options{})
//	azure.AddVM("/subscriptions/…/virtualMachines/build-vm", "westeurope")
//	… armcompute with azure.Endpoint() …
//	azure.FastForward(10 * time.Second)
//
// It refuses what Azure refuses: a VM that is not generalized, a blob without hyperVGeneration, the
// forty-first image within three minutes. Where no recording shows what Azure does, the code says
// so at the line that had to decide, and README.md lists it.
//
// A request is handled in one piece under one lock: look at the state, change it, say what to
// answer. What takes time in Azure is an operation, which has its effect when its end has come.
package arm

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Options say how the server behaves. The zero value is a server on a port the system chooses,
// without limits, faults and PUT latency, whose operations take as long as Azure's were recorded
// to.
type Options struct {
	Addr string // host:port to listen on; empty: 127.0.0.1:0
	TLS  bool   // answer https as well as http, with a certificate of a CA made for this server, see CAFile

	ImageDuration  time.Duration // creating an image, from its PUT to its operation's end; zero: as recorded, by its source
	PutLatency     time.Duration // what of it passes before the PUT answers; zero: nothing; RecordedLatency: by its source
	ActionDuration time.Duration // deallocate, powerOff, start and the PUT and DELETE of a VM; zero: one RecordedTick
	Speed          float64       // divides the recorded durations; zero: 1

	Limits Limits // Off(), Windows(40, 200) or Bucket(60, 20)

	// Authorize says whether a bearer token is good; nil takes any that is not empty.
	Authorize func(token string) bool

	// Role is the actions that the caller may perform, where a star stands for anything; nil: all.
	// Others are answered 403.
	Role []string

	// OnAction gets every action on a VM that has ended, in order and one at a time: what Event
	// Grid would report. FastForward, and the answer to generalize, wait until it has been; so it
	// may read from the server, but neither turn its clock nor act on a VM and wait for the answer.
	OnAction func(Action)

	Faults Faults // chances of misbehaviour

	Cloud         Cloud // whose regions there are; zero: the public cloud's
	MaxVersions   int   // gallery image versions in a region, replicas included; zero: Azure's 10,000
	PlainURLs     bool  // operation URLs carry no signature, as before 2024
	AnyBlob       bool  // every blob exists; otherwise those of AddBlob and PutBlob
	RequireGroups bool  // a PUT into a resource group that was never created is refused, as in Azure; else the group springs up

	// Intercept may take a request away from the server: a handler that it returns answers in the
	// server's place.
	Intercept func(*http.Request) http.Handler
}

// Server is one local Azure Resource Manager. Its methods may be called from any goroutine.
type Server struct {
	options Options
	host    string // and its port
	clock   *clock
	routes  map[string]route
	signer  signer
	trust   *authority
	http    *http.Server
	serving sync.WaitGroup
	stop    context.CancelFunc

	reporting sync.Mutex // held while actions are reported; taken before mu

	mu       sync.Mutex // guards all below
	state    state
	limiter  limiter
	injector injector
	calls    []Call
	wake     chan struct{}
}

// TB is what Start needs of a test; *testing.T and *testing.B have it.
type TB interface {
	Helper()
	Fatalf(format string, args ...any)
	Cleanup(func())
}

// Start runs a server until the test ends.
func Start(t TB, o Options) *Server {
	t.Helper()
	s, err := Listen(o)
	if err != nil {
		t.Fatalf("start the local Azure Resource Manager: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Fatalf("close the local Azure Resource Manager: %v", err)
		}
	})
	return s
}

// Listen starts a server that runs until Close. It fails when the address cannot be listened on.
func Listen(o Options) (*Server, error) {
	if o.Addr == "" {
		o.Addr = "127.0.0.1:0"
	}
	secret := make([]byte, 32)
	if _, err := rand.Read(secret); err != nil {
		return nil, fmt.Errorf("make a signing key: %w", err)
	}
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", o.Addr)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", o.Addr, err)
	}
	ctx, stop := context.WithCancel(context.Background())
	s := &Server{
		options:  o,
		host:     listener.Addr().String(),
		clock:    newClock(),
		signer:   newSigner(secret),
		stop:     stop,
		state:    newState(o.Cloud),
		limiter:  limiter{limits: o.Limits, meters: map[string]*meter{}},
		injector: injector{faults: o.Faults, picked: map[string]int{}, hits: map[string]int{}},
		wake:     make(chan struct{}, 1),
	}
	s.routes = routes()
	s.http = &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0), BaseContext: func(net.Listener) context.Context { return ctx }}
	if err := s.serve(listener); err != nil {
		stop()
		return nil, errors.Join(err, listener.Close())
	}
	go s.tick(ctx)
	return s, nil
}

func (s *Server) serve(listener net.Listener) error {
	if !s.options.TLS {
		s.serveOn(listener)
		return nil
	}
	authority, err := newAuthority(listener.Addr())
	if err != nil {
		return err
	}
	s.trust = authority
	both := newBothSchemes(listener)
	s.serveOn(both.http)
	s.serveOn(authority.listen(both.https))
	return nil
}

func (s *Server) serveOn(listener net.Listener) {
	s.serving.Go(func() {
		_ = s.http.Serve(listener) // always http.ErrServerClosed: Close is the only way out
	})
}

// Endpoint is the server's scheme, host and port, without a trailing slash: https with Options.TLS.
func (s *Server) Endpoint() string {
	if s.trust != nil {
		return "https" + strings.TrimPrefix(s.PlainEndpoint(), "http")
	}
	return s.PlainEndpoint()
}

// PlainEndpoint is the endpoint for http, which the server answers with and without Options.TLS.
func (s *Server) PlainEndpoint() string { return "http://" + s.host }

// endpointOf is the endpoint as the caller addressed it: what an answer links to speaks the
// caller's scheme.
func (s *Server) endpointOf(rq *request) string {
	if rq.http.TLS != nil {
		return s.Endpoint()
	}
	return s.PlainEndpoint()
}

// CAFile is a PEM file with the certificate to trust, or empty without Options.TLS. Close removes
// it.
func (s *Server) CAFile() string {
	if s.trust == nil {
		return ""
	}
	return s.trust.file
}

// Client is an HTTP client that trusts the server and does not follow redirects.
func (s *Server) Client() *http.Client {
	c := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	if s.trust != nil {
		c.Transport = s.trust.transport()
	}
	return c
}

// Close stops the server, cuts its connections and waits until it no longer serves.
func (s *Server) Close() error {
	s.stop()
	err := s.http.Close()
	s.serving.Wait()
	if s.trust != nil {
		err = errors.Join(err, s.trust.remove())
	}
	return err
}

// FastForward turns the server's clock on by d: operations whose end has come are over, and
// Options.OnAction has been called for them, when it returns.
func (s *Server) FastForward(d time.Duration) {
	s.clock.advance(d)
	s.settle()
}

// Now is the server's time: the real one, and what FastForward has added. Answers carry it as their
// Date.
func (s *Server) Now() time.Time { return s.clock.now() }
