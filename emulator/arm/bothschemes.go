package arm

import (
	"net"
	"sync"
	"time"
)

// bothSchemes lets one port answer http and https: the first byte of a connection shows which it
// speaks.
type bothSchemes struct {
	net.Listener
	http, https *spoken
	closing     sync.Once
	closed      chan struct{}
}

// spoken is the listener of those connections that speak one of the two.
type spoken struct {
	*bothSchemes
	conns chan net.Conn
}

// tlsHandshake is the first byte of a TLS record that opens a connection.
const tlsHandshake = 0x16

func newBothSchemes(l net.Listener) *bothSchemes {
	b := &bothSchemes{Listener: l, closed: make(chan struct{})}
	b.http, b.https = &spoken{b, make(chan net.Conn)}, &spoken{b, make(chan net.Conn)}
	go b.accept()
	return b
}

func (b *bothSchemes) accept() {
	for {
		conn, err := b.Accept()
		if err != nil { // closed: a loopback listener fails for no other reason
			_ = b.Close()
			return
		}
		go b.sort(conn)
	}
}

// sort passes a connection on after its first byte.
func (b *bothSchemes) sort(conn net.Conn) {
	c := &opened{Conn: conn}
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	if n, err := conn.Read(c.first[:]); n == 0 || err != nil {
		_ = conn.Close()
		return
	}
	_ = conn.SetReadDeadline(time.Time{})
	to := b.http
	if c.first[0] == tlsHandshake {
		to = b.https
	}
	select {
	case to.conns <- c:
	case <-b.closed:
		_ = conn.Close()
	}
}

// Accept waits for the next connection that speaks the scheme.
func (s *spoken) Accept() (net.Conn, error) {
	select {
	case c := <-s.conns:
		return c, nil
	case <-s.closed:
		return nil, net.ErrClosed
	}
}

// Close ends both listeners.
func (b *bothSchemes) Close() (err error) {
	b.closing.Do(func() {
		close(b.closed)
		err = b.Listener.Close()
	})
	return err
}

// opened is a connection whose first byte has been read already.
type opened struct {
	net.Conn
	first [1]byte
	given bool
}

func (c *opened) Read(p []byte) (int, error) {
	if c.given || len(p) == 0 {
		return c.Conn.Read(p)
	}
	c.given = true
	return copy(p, c.first[:]), nil
}

// NetConn is the connection underneath.
func (c *opened) NetConn() net.Conn { return c.Conn }
