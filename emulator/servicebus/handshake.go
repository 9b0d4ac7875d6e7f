package servicebus

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"

	"goldmint/emulator/servicebus/amqp"
)

// Protocol headers: AMQP 1.0 bare, and with SASL before it.
const (
	protocolAMQP = "AMQP\x00\x01\x00\x00"
	protocolSASL = "AMQP\x03\x01\x00\x00"
)

// handshake leads from the first byte to the answered open.
func (c *conn) handshake(r io.Reader) error {
	header, err := c.readProtocol(r)
	if err != nil {
		return err
	}
	if header == protocolSASL {
		if err := c.sasl(r); err != nil {
			return err
		}
		if header, err = c.readProtocol(r); err != nil {
			return err
		}
	}
	if header != protocolAMQP {
		c.raw(protocolSASL) // says what is spoken here: part 2, section 2.2
		return fmt.Errorf("protocol header %q is not spoken here; connect without TLS", header)
	}
	c.raw(protocolAMQP)
	return c.open(r)
}

func (c *conn) readProtocol(r io.Reader) (string, error) {
	if err := c.nc.SetReadDeadline(time.Now().Add(handshakeTimeout)); err != nil {
		return "", err
	}
	var header [8]byte
	_, err := io.ReadFull(r, header[:])
	return string(header[:]), err
}

// raw queues bytes that are no frame.
func (c *conn) raw(s string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.out = append(c.out, s...)
	poke(c.flush)
}

func (c *conn) sasl(r io.Reader) error {
	c.raw(protocolSASL)
	c.putSASL(&amqp.SASLMechanisms{Mechanisms: []amqp.Symbol{"MSSBCBS", "PLAIN", "ANONYMOUS", "EXTERNAL"}})
	f, err := c.readFrame(r, handshakeTimeout)
	if err != nil {
		return err
	}
	init, ok := f.Body.(*amqp.SASLInit)
	if !ok {
		return fmt.Errorf("%w: %T where a sasl-init must be", amqp.ErrFrame, f.Body)
	}
	switch init.Mechanism {
	case "MSSBCBS", "ANONYMOUS", "EXTERNAL": // the claims follow on $cbs
	case "PLAIN":
		if !c.plain(init.InitialResponse) {
			c.putSASL(&amqp.SASLOutcome{Code: amqp.SASLAuth})
			return errors.New("sasl plain: wrong key name or key")
		}
	default:
		c.putSASL(&amqp.SASLOutcome{Code: amqp.SASLAuth})
		return fmt.Errorf("sasl mechanism %q was not offered", init.Mechanism)
	}
	c.putSASL(&amqp.SASLOutcome{Code: amqp.SASLOK})
	return nil
}

// plain checks "authorization NUL key name NUL key", which claims all that the
// key's rule allows.
func (c *conn) plain(response []byte) bool {
	parts := bytes.Split(response, []byte{0})
	if len(parts) != 3 {
		return false
	}
	rule, ok := c.srv.rule(string(parts[1]))
	if !ok || !equal(rule.key, string(parts[2])) {
		return false
	}
	for entity, rights := range rule.rights {
		c.claims.add(entity, rights)
	}
	return true
}

func (c *conn) putSASL(p amqp.Performative) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.put(amqp.Frame{Type: amqp.FrameSASL, Body: p})
}

func (c *conn) open(r io.Reader) error {
	f, err := c.readFrame(r, handshakeTimeout)
	if err != nil {
		return err
	}
	peer, ok := f.Body.(*amqp.Open)
	if !ok {
		return fmt.Errorf("%w: %T where an open must be", amqp.ErrFrame, f.Body)
	}
	c.mu.Lock()
	c.peerFrame = maxFrameSize
	if peer.MaxFrameSize != nil {
		c.peerFrame = int(min(max(*peer.MaxFrameSize, amqp.MinMaxFrameSize), maxFrameSize))
	}
	if peer.IdleTimeout != nil {
		c.peerIdle = time.Duration(*peer.IdleTimeout) * time.Millisecond
	}
	c.mu.Unlock()
	size, channels, idle := uint32(maxFrameSize), uint16(channelMax), uint32(idleTimeout.Milliseconds()/2)
	c.send(0, &amqp.Open{ContainerID: containerID, Hostname: peer.Hostname, MaxFrameSize: &size, ChannelMax: &channels, IdleTimeout: &idle})
	return nil
}
