package servicebus_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"goldmint/emulator/servicebus"
	"goldmint/emulator/servicebus/amqp"
)

const (
	protocolAMQP = "AMQP\x00\x01\x00\x00"
	protocolSASL = "AMQP\x03\x01\x00\x00"
)

// raw opens a TCP connection, sends bytes, and returns all that comes back until
// the server ends it.
func (b *bench) raw(sent []byte) []byte {
	b.Helper()
	nc, err := net.Dial("tcp", b.bus.Addr())
	b.must(err)
	defer func() { _ = nc.Close() }()
	b.must(nc.SetDeadline(time.Now().Add(2 * time.Minute)))
	_, err = nc.Write(sent)
	b.must(err)
	b.must(nc.(*net.TCPConn).CloseWrite())
	got, _ := io.ReadAll(nc) // a reset ends it as well
	return got
}

func frames(list ...amqp.Frame) []byte {
	out := []byte(protocolAMQP)
	for _, f := range list {
		out = amqp.AppendFrame(out, f)
	}
	return out
}

func body(p amqp.Performative) amqp.Frame { return amqp.Frame{Body: p} }

func TestHostileConnectionsDoNotHurtOthers(t *testing.T) {
	b := start(t, servicebus.Options{})
	opened := frames(body(&amqp.Open{ContainerID: "x"}), body(&amqp.Begin{IncomingWindow: 10}))
	frame := func(size uint32, doff, kind byte, rest string) []byte {
		head := binary.BigEndian.AppendUint32(nil, size)
		return append(append(head, doff, kind, 0, 0), rest...)
	}
	deep := strings.Repeat("\x00", 40000)
	wide := uint32(1<<32 - 1)
	for name, sent := range map[string][]byte{
		"nothing":               {},
		"another protocol":      []byte("GET / HTTP/1.1\r\n\r\n"),
		"TLS":                   []byte("AMQP\x02\x01\x00\x00"),
		"SASL without init":     append([]byte(protocolSASL), frame(8, 2, 1, "")...),
		"a frame below 8 bytes": append([]byte(protocolAMQP), frame(7, 2, 0, "")...),
		"a frame of 4 GB":       append([]byte(protocolAMQP), frame(wide, 2, 0, "")...),
		"doff 0":                append([]byte(protocolAMQP), frame(9, 0, 0, "x")...),
		"doff beyond the frame": append([]byte(protocolAMQP), frame(9, 255, 0, "x")...),
		"an unknown frame type": append([]byte(protocolAMQP), frame(9, 2, 9, "x")...),
		"deep nesting":          append([]byte(protocolAMQP), frame(uint32(8+len(deep)), 2, 0, deep)...),
		"a list of 2^32":        append([]byte(protocolAMQP), frame(17, 2, 0, "\xd0\x00\x00\x00\x04\xff\xff\xff\xff")...),
		"an array of nulls":     append([]byte(protocolAMQP), frame(18, 2, 0, "\xf0\x00\x00\x00\x05\xff\xff\xff\xff\x40")...),
		"no open":               frames(body(&amqp.Begin{})),
		"a frame on no channel": frames(body(&amqp.Open{}), amqp.Frame{Channel: 9, Body: &amqp.Flow{}}),
		"a channel too many":    frames(body(&amqp.Open{}), amqp.Frame{Channel: 60000, Body: &amqp.Begin{}}),
		"begin twice":           frames(body(&amqp.Open{}), body(&amqp.Begin{}), body(&amqp.Begin{})),
		"a handle too many":     amqp.AppendFrame(bytes.Clone(opened), body(&amqp.Attach{Handle: 1 << 31})),
		"a transfer unattached": amqp.AppendFrame(bytes.Clone(opened), body(&amqp.Transfer{Handle: 3})),
		"every delivery":        amqp.AppendFrame(bytes.Clone(opened), body(&amqp.Disposition{Role: amqp.RoleReceiver, Last: &wide, State: amqp.Accepted()})),
		"a state that is none":  amqp.AppendFrame(bytes.Clone(opened), body(&amqp.Disposition{Role: amqp.RoleReceiver, State: "x"})),
		"SASL after open":       amqp.AppendFrame(bytes.Clone(opened), amqp.Frame{Type: amqp.FrameSASL, Body: &amqp.SASLInit{}}),
		"open twice":            amqp.AppendFrame(bytes.Clone(opened), body(&amqp.Open{})),
		"a source that is none": amqp.AppendFrame(bytes.Clone(opened), body(&amqp.Attach{Source: "x"})),
		"a transaction":         amqp.AppendFrame(bytes.Clone(opened), body(&amqp.Attach{Target: amqp.Described{Descriptor: uint64(0x30), Value: amqp.List{}}})),
	} {
		for range 3 {
			b.raw(sent)
		}
		if t.Failed() {
			t.Fatalf("after %s", name)
		}
	}
	b.send("queue", "alive")
	b.receiveOne(b.receiver("queue", nil), "alive")
}

// The peer gets an error that says what it did wrong.
func TestFramingErrorsAreNamed(t *testing.T) {
	b := start(t, servicebus.Options{})
	sent := append(frames(body(&amqp.Open{ContainerID: "x"})), 0, 0, 0, 9, 1, 0, 0, 0, 0x40)
	if got := b.raw(sent); !bytes.Contains(got, []byte("amqp:connection:framing-error")) {
		t.Errorf("answer %q does not name the framing error", got)
	}
	if got := b.raw([]byte("GET / HT")); string(got) != protocolSASL {
		t.Errorf("answer %q to another protocol, want the one spoken here", got)
	}
}

// A peer with an idle timeout gets empty frames in time.
func TestIdleConnectionIsKeptAlive(t *testing.T) {
	b := start(t, servicebus.Options{})
	nc, err := net.Dial("tcp", b.bus.Addr())
	b.must(err)
	defer func() { _ = nc.Close() }()
	b.must(nc.SetDeadline(time.Now().Add(2 * time.Minute)))
	idle := uint32(20)
	_, err = nc.Write(frames(body(&amqp.Open{ContainerID: "x", IdleTimeout: &idle})))
	b.must(err)
	var header [len(protocolAMQP)]byte
	_, err = io.ReadFull(nc, header[:])
	b.must(err)
	for i := range 4 {
		f, err := amqp.ReadFrame(nc, 1<<16)
		b.must(err)
		if _, open := f.Body.(*amqp.Open); i == 0 && !open || i > 0 && f.Body != nil {
			t.Errorf("frame %d is %T, want an open and then empty ones", i, f.Body)
		}
	}
}

// FuzzConnection feeds a whole conversation's bytes to one server.
func FuzzConnection(f *testing.F) {
	opened := frames(body(&amqp.Open{ContainerID: "x"}), body(&amqp.Begin{IncomingWindow: 10}))
	f.Add(opened)
	f.Add(amqp.AppendFrame(bytes.Clone(opened), body(&amqp.Attach{Name: "l", Target: amqp.Described{Descriptor: uint64(0x29), Value: amqp.List{"$cbs"}}})))
	f.Add([]byte(protocolSASL))
	f.Add(conversation())
	lines := make(chan string, 1)
	bus, err := servicebus.Listen(servicebus.Options{Config: config(), SharedAccessKey: "key", Log: func(line string) {
		if strings.Contains(line, "panic") {
			select {
			case lines <- line:
			default:
			}
		}
	}})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = bus.Close() })
	f.Fuzz(func(t *testing.T, sent []byte) {
		b := &bench{T: t, bus: bus}
		b.raw(sent)
		select {
		case line := <-lines:
			t.Error(line)
		default:
		}
	})
}

// conversation is a client that signs in, sends a message to a queue, receives, and asks its
// management node.
func conversation() []byte {
	terminus := func(address string) any { return amqp.Described{Descriptor: uint64(0x29), Value: amqp.List{address}} }
	source := func(address string) any { return amqp.Described{Descriptor: uint64(0x28), Value: amqp.List{address}} }
	message := amqp.Message{
		Delivery: amqp.Map{{Key: amqp.Symbol("x-opt-own"), Value: "d"}}, Application: amqp.Map{{Key: "operation", Value: "com.microsoft:peek-message"}},
		Body: amqp.ValueBody(amqp.Map{{Key: "from-sequence-number", Value: int64(0)}, {Key: "message-count", Value: int32(1)}}),
	}
	message.Properties[amqp.PropReplyTo] = "answers"
	payload := message.Append(nil)
	id, credit, handle := uint32(0), uint32(5), uint32(1)
	out := append([]byte(protocolSASL), amqp.AppendFrame(nil, amqp.Frame{
		Type: amqp.FrameSASL, Body: &amqp.SASLInit{Mechanism: "PLAIN", InitialResponse: []byte("\x00RootManageSharedAccessKey\x00key")},
	})...)
	out = append(out, frames(
		body(&amqp.Open{ContainerID: "x"}), body(&amqp.Begin{IncomingWindow: 10}),
		body(&amqp.Attach{Name: "s", Handle: 0, Role: amqp.RoleSender, Target: terminus("queue")}),
		amqp.Frame{Body: &amqp.Transfer{Handle: 0, DeliveryID: &id, DeliveryTag: []byte("t")}, Payload: payload},
		body(&amqp.Attach{Name: "r", Handle: 1, Role: amqp.RoleReceiver, Source: source("queue")}),
		body(&amqp.Flow{Handle: &handle, LinkCredit: &credit, IncomingWindow: 10}),
		body(&amqp.Attach{Name: "a", Handle: 2, Role: amqp.RoleReceiver, Source: source("queue/$management"), Target: terminus("answers")}),
		body(&amqp.Attach{Name: "m", Handle: 3, Role: amqp.RoleSender, Target: terminus("queue/$management")}),
		amqp.Frame{Body: &amqp.Transfer{Handle: 3, DeliveryID: &handle, DeliveryTag: []byte("u")}, Payload: payload},
		body(&amqp.Disposition{Role: amqp.RoleReceiver, First: 0, Settled: true, State: amqp.Accepted()}),
	)...)
	return out
}

// TestAConversation: the seed of the fuzzer does what it says. The message and the request are
// accepted.
func TestAConversation(t *testing.T) {
	b := start(t, servicebus.Options{SharedAccessKey: "key"})
	accepted := amqp.Append(nil, amqp.Accepted())
	if got := b.raw(conversation()); bytes.Count(got, accepted) != 2 {
		t.Errorf("%d transfers were accepted, want 2: %q", bytes.Count(got, accepted), got)
	}
}
