package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"goldmint/internal/message"
)

// TestStalledBodyGivesItsSlotBack: a body that does not come to its end takes the invocation's
// time, not the slot for ever.
func TestStalledBodyGivesItsSlotBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		listener := &pipes{dialed: make(chan net.Conn), closed: make(chan struct{})}
		server := &http.Server{Handler: newServer(both(func(context.Context, message.Received) error { return nil }), time.Minute, 1, zap.NewNop())}
		go func() { _ = server.Serve(listener) }()
		defer func() { _ = server.Close() }()
		for _, c := range []struct{ sent, status string }{{"{", "500"}, {invocation, "200"}} {
			conn := listener.dial()
			defer func() { _ = conn.Close() }()
			if _, err := fmt.Fprintf(conn, "POST /build-image HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(invocation), c.sent); err != nil {
				t.Fatal(err)
			}
			if line, err := bufio.NewReader(conn).ReadString('\n'); err != nil || !strings.Contains(line, c.status) {
				t.Errorf("%d of %d bytes were answered %q, %v", len(c.sent), len(invocation), line, err)
			}
		}
	})
}

// pipes is a listener on connections in memory, whose deadlines go by the test's clock.
type pipes struct {
	dialed chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (p *pipes) dial() net.Conn {
	client, server := net.Pipe()
	p.dialed <- server
	return client
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.dialed:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "pipe"} }
