// Package identity is the managed-identity endpoint of an App Service or Functions app, on
// loopback: the real azidentity.ManagedIdentityCredential gets its tokens here.
//
// The process that asks needs two environment variables, IDENTITY_ENDPOINT
// ([Server.Endpoint]) and IDENTITY_HEADER ([Server.Secret]). The tokens are
// signed with a key that only the server has; a service on loopback accepts
// them by [Server.Valid].
//
// azidentity caches tokens in one cache per process, whatever the endpoint: a
// test that asks two servers for the same resource and identity gets the first
// server's token from both.
package identity

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"time"

	"goldmint/emulator/loopback"
)

// Options configure a server: its address, identities and tokens.
type Options struct {
	// Addr is the TCP address to listen on, "127.0.0.1:0" if empty.
	Addr string
	// ClientIDs are the user-assigned identities that the app has. Empty: any.
	ClientIDs []string
	// Lifetime is how long a token is valid; zero is 24 hours, as in Azure.
	Lifetime time.Duration
}

// Server is one managed-identity endpoint. Its methods are safe for concurrent
// use.
type Server struct {
	options Options
	server  *loopback.Server
	secret  string
	key     []byte
	now     func() time.Time
}

// Start runs a server for the time of a test.
func Start(t loopback.TB, options Options) *Server {
	t.Helper()
	return loopback.Start(t, func() (*Server, error) { return Listen(options) })
}

// Listen starts a server. The caller closes it.
func Listen(options Options) (*Server, error) {
	if options.Lifetime == 0 {
		options.Lifetime = 24 * time.Hour
	}
	s := &Server{options: options, secret: rand.Text(), key: []byte(rand.Text()), now: time.Now}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /msi/token", s.serveToken)
	mux.HandleFunc("GET /msi/token/{$}", s.serveToken) // as az writes it
	mux.HandleFunc("GET "+imdsPath, s.serveToken)
	var err error
	if s.server, err = loopback.Listen(options.Addr); err != nil {
		return nil, fmt.Errorf("listen for managed identity: %w", err)
	}
	s.server.Serve(mux)
	return s, nil
}

// Endpoint is the value of IDENTITY_ENDPOINT.
func (s *Server) Endpoint() string { return s.server.URL() + "/msi/token" }

// Secret is the value of IDENTITY_HEADER.
func (s *Server) Secret() string { return s.secret }

// Close stops the server. Its tokens stay valid until they expire.
func (s *Server) Close() error { return s.server.Close() }
