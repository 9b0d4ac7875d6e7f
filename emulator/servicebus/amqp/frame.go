package amqp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Frame types.
const (
	FrameAMQP = 0
	FrameSASL = 1
)

const headerSize = 8

// MinMaxFrameSize is the least max-frame-size a peer may ask for.
const MinMaxFrameSize = 512

// ErrFrame is the error of a frame that breaks the rules; the connection cannot go on after it.
var ErrFrame = errors.New("amqp: malformed frame")

// Frame is one unit of the wire. An empty frame, which only says that the peer
// is alive, has a nil Body.
type Frame struct {
	Type    byte
	Channel uint16
	Body    Performative
	Payload []byte // what follows a transfer
}

// ReadFrame reads one frame of at most limit bytes. The frame's byte strings
// share one buffer that belongs to the frame alone.
func ReadFrame(r io.Reader, limit uint32) (Frame, error) {
	var head [headerSize]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return Frame{}, err
	}
	size := binary.BigEndian.Uint32(head[:])
	if size < headerSize || size > limit {
		return Frame{}, fmt.Errorf("%w: size %d, want %d to %d", ErrFrame, size, headerSize, limit)
	}
	rest := make([]byte, size-headerSize)
	if _, err := io.ReadFull(r, rest); err != nil {
		return Frame{}, err
	}
	return parseFrame(head, rest)
}

func parseFrame(head [headerSize]byte, rest []byte) (Frame, error) {
	f := Frame{Type: head[5], Channel: binary.BigEndian.Uint16(head[6:])}
	skip := 4*int(head[4]) - headerSize // doff counts words from the frame's start
	if skip < 0 || skip > len(rest) {
		return Frame{}, fmt.Errorf("%w: doff %d in %d bytes", ErrFrame, head[4], len(rest)+headerSize)
	}
	if f.Type != FrameAMQP && f.Type != FrameSASL {
		return Frame{}, fmt.Errorf("%w: type %d", ErrFrame, f.Type)
	}
	rest = rest[skip:]
	if len(rest) == 0 {
		return f, nil
	}
	v, payload, err := Decode(rest)
	if err != nil {
		return Frame{}, fmt.Errorf("%w: %w", ErrFrame, err)
	}
	if f.Body, err = performative(v); err != nil {
		return Frame{}, fmt.Errorf("%w: %w", ErrFrame, err)
	}
	f.Payload = payload
	return f, nil
}

// AppendFrame encodes a frame after dst; a nil body makes an empty frame.
func AppendFrame(dst []byte, f Frame) []byte {
	start := len(dst)
	dst = append(dst, 0, 0, 0, 0, headerSize/4, f.Type)
	dst = binary.BigEndian.AppendUint16(dst, f.Channel)
	if f.Body != nil {
		dst = Append(dst, composite(f.Body))
	}
	dst = append(dst, f.Payload...)
	binary.BigEndian.PutUint32(dst[start:], uint32(len(dst)-start))
	return dst
}
