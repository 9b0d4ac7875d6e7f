// Package loopback serves HTTP for the emulators that answer plain requests, on an address of this
// machine.
package loopback

import (
	"cmp"
	"context"
	"io"
	"net"
	"net/http"
	"time"
)

// Server is an HTTP server that runs.
type Server struct {
	listener net.Listener
	server   *http.Server
}

// Listen opens a TCP address, "127.0.0.1:0" if it is empty. The caller closes the server.
func Listen(addr string) (*Server, error) {
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", cmp.Or(addr, "127.0.0.1:0"))
	if err != nil {
		return nil, err
	}
	return &Server{listener, &http.Server{ReadHeaderTimeout: 10 * time.Second}}, nil
}

// Serve begins to answer, once its owner is complete: a request may come at once.
func (s *Server) Serve(h http.Handler) {
	s.server.Handler = h
	go func() { _ = s.server.Serve(s.listener) }()
}

// URL is where it serves, without a path.
func (s *Server) URL() string { return "http://" + s.listener.Addr().String() }

// Close stops it.
func (s *Server) Close() error { return s.server.Close() }

// TB is the part of testing.TB that [Start] needs.
type TB interface {
	Helper()
	Fatalf(format string, args ...any)
	Cleanup(func())
}

// Start runs the server that listen returns for the time of a test.
func Start[S io.Closer](t TB, listen func() (S, error)) S {
	t.Helper()
	s, err := listen()
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}
