package servicebus

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"goldmint/emulator/servicebus/amqp"
)

// What the server announces to its peers about itself, and how long it waits for them.
const (
	containerID      = "goldmint-servicebus"
	maxFrameSize     = 64 << 10
	channelMax       = 4999
	handleMax        = 255
	idleTimeout      = 4 * time.Minute // the peer must say something that often
	handshakeTimeout = 30 * time.Second
	writeTimeout     = 30 * time.Second
	maxBacklog       = 64 << 20 // bytes that a peer may leave unread
	pumpBacklog      = 1 << 20  // bytes above which no more messages are added
	keptBuffer       = 64 << 10 // bytes that an idle connection keeps for writing
)

// conn is one TCP connection. One goroutine reads and handles frames, one
// writes, and one serves each link that messages go out on. mu guards all that
// they share, down to the links; the broker is never called under it.
type conn struct {
	srv    *Server
	nc     net.Conn
	claims claims
	flush  chan struct{}
	done   chan struct{} // the connection is over
	tasks  sync.WaitGroup

	mu        sync.Mutex
	out       []byte // frames to be written
	closing   bool   // nothing is added to out any more
	channels  map[uint16]*channel
	peerFrame int // the largest frame the peer takes
	peerIdle  time.Duration
	abortOnce sync.Once
}

func newConn(s *Server, nc net.Conn) *conn {
	return &conn{
		srv: s, nc: nc, flush: make(chan struct{}, 1), done: make(chan struct{}),
		channels: map[uint16]*channel{}, peerFrame: amqp.MinMaxFrameSize,
	}
}

// abort cuts the connection.
func (c *conn) abort() {
	c.abortOnce.Do(func() {
		close(c.done)
		_ = c.nc.Close()
	})
}

func (c *conn) serve() {
	written := make(chan struct{})
	c.tasks.Go(func() {
		defer close(written)
		defer c.recovered("write")
		c.write()
	})
	err := c.converse()
	c.dropChannels()
	poke(c.flush)
	<-written // the last words
	c.abort()
	c.tasks.Wait()
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) {
		c.srv.logf("connection %s: %v", c.nc.RemoteAddr(), err)
	}
}

func (c *conn) converse() error {
	defer c.recovered("read")
	r := bufio.NewReaderSize(c.nc, 32<<10)
	if err := c.handshake(r); err != nil {
		return err
	}
	return c.read(r)
}

// recovered keeps a fault in the handling of one connection from taking the
// server down.
func (c *conn) recovered(what string) {
	if p := recover(); p != nil {
		c.srv.logf("connection %s: panic in %s: %v\n%s", c.nc.RemoteAddr(), what, p, debug.Stack())
		c.abort()
	}
}

// read handles frames until the connection is closed.
func (c *conn) read(r io.Reader) error {
	for {
		f, err := c.readFrame(r, idleTimeout)
		if err != nil {
			if errors.Is(err, amqp.ErrFrame) {
				c.closeWith(&amqp.Error{Condition: "amqp:connection:framing-error", Description: err.Error()})
			}
			return err
		}
		if f.Body == nil {
			continue
		}
		if f.Type != amqp.FrameAMQP {
			return fmt.Errorf("%w: a SASL frame after the exchange", amqp.ErrFrame)
		}
		if over, err := c.handle(f); over || err != nil {
			return err
		}
	}
}

func (c *conn) readFrame(r io.Reader, timeout time.Duration) (amqp.Frame, error) {
	if err := c.nc.SetReadDeadline(time.Now().Add(timeout)); err != nil {
		return amqp.Frame{}, err
	}
	return amqp.ReadFrame(r, maxFrameSize)
}

func (c *conn) handle(f amqp.Frame) (over bool, err error) {
	switch p := f.Body.(type) {
	case *amqp.Close:
		c.closeWith(nil)
		return true, nil
	case *amqp.Begin:
		return false, c.begin(f.Channel, p)
	}
	c.mu.Lock()
	ch := c.channels[f.Channel]
	c.mu.Unlock()
	if ch == nil {
		err := fmt.Errorf("%T on channel %d, which has not begun", f.Body, f.Channel)
		c.closeWith(&amqp.Error{Condition: "amqp:not-allowed", Description: err.Error()})
		return true, err
	}
	ch.handle(f)
	return false, nil
}

func (c *conn) begin(id uint16, p *amqp.Begin) error {
	c.mu.Lock()
	_, taken := c.channels[id]
	if !taken && id <= channelMax {
		c.channels[id] = newChannel(c, id, p)
	}
	c.mu.Unlock()
	if taken || id > channelMax {
		err := fmt.Errorf("begin on channel %d, which is taken or above %d", id, channelMax)
		c.closeWith(&amqp.Error{Condition: "amqp:connection:framing-error", Description: err.Error()})
		return err
	}
	most := uint32(handleMax)
	c.send(id, &amqp.Begin{RemoteChannel: &id, NextOutgoingID: 0, IncomingWindow: incomingWindow, OutgoingWindow: incomingWindow, HandleMax: &most})
	return nil
}

// send queues one frame for the writer.
func (c *conn) send(channel uint16, p amqp.Performative) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.put(amqp.Frame{Channel: channel, Body: p})
}

// put is send for callers that hold mu.
func (c *conn) put(f amqp.Frame) {
	if c.closing {
		return
	}
	c.out = amqp.AppendFrame(c.out, f)
	if len(c.out) > maxBacklog {
		c.closing = true
		go c.abort()
	}
	poke(c.flush)
}

// closeWith says goodbye: the last frame of the connection.
func (c *conn) closeWith(e *amqp.Error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.put(amqp.Frame{Body: &amqp.Close{Error: e}})
	c.closing = true
	_ = c.nc.SetReadDeadline(time.Now())
	poke(c.flush)
}

// write runs until there is nothing more to say. It sends what the others queued, and empty frames
// when there is nothing to send and the peer's idle timeout requires a frame.
func (c *conn) write() {
	defer c.abort()
	beat := time.NewTimer(time.Hour)
	defer beat.Stop()
	var buf []byte
	for {
		c.mu.Lock()
		buf, c.out = c.out, buf[:0]
		over, idle := c.closing, c.peerIdle
		c.mu.Unlock()
		if len(buf) > 0 {
			if err := c.nc.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
				return
			}
			if _, err := c.nc.Write(buf); err != nil {
				return
			}
			if cap(buf) > keptBuffer {
				buf = nil
			}
			c.kickAll()
			continue
		}
		if over {
			return
		}
		if idle > 0 {
			beat.Reset(idle / 2)
		}
		select {
		case <-c.flush:
		case <-beat.C:
			c.mu.Lock()
			c.put(amqp.Frame{})
			c.mu.Unlock()
		case <-c.done:
			return
		}
	}
}

// kickAll lets the links look whether they may send again.
func (c *conn) kickAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, ch := range c.channels {
		ch.kick()
	}
}

func (c *conn) dropChannels() {
	c.mu.Lock()
	c.closing = true
	channels := c.channels
	c.channels = map[uint16]*channel{}
	c.mu.Unlock()
	for _, ch := range channels {
		ch.dropLinks()
	}
}

// entityPath is the path of an address: clients also send the whole URI, as in amqps://host/queue.
func entityPath(address string) string {
	if _, rest, ok := strings.Cut(address, "://"); ok {
		_, address, _ = strings.Cut(rest, "/")
	}
	return strings.Trim(address, "/")
}
