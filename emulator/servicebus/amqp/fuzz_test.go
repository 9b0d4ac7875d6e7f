package amqp_test

import (
	"bytes"
	"testing"

	"goldmint/emulator/servicebus/amqp"
)

const frameLimit = 64 << 10

func frame(f amqp.Frame) []byte { return amqp.AppendFrame(nil, f) }

// FuzzReadFrame: a peer's bytes never bring the decoder down, and what it reads is written and read
// the same again.
func FuzzReadFrame(f *testing.F) {
	size, most, id := uint32(frameLimit), uint64(1<<18), uint32(1)
	f.Add(frame(amqp.Frame{}))
	for _, p := range []amqp.Performative{
		&amqp.Open{ContainerID: "c", Hostname: "h", MaxFrameSize: &size}, &amqp.Begin{IncomingWindow: 1, OutgoingWindow: 1},
		&amqp.Attach{Name: "l", MaxMessageSize: &most, Properties: amqp.Map{{Key: amqp.Symbol("k"), Value: "v"}}},
		&amqp.Flow{Handle: &id}, &amqp.Transfer{DeliveryID: &id, DeliveryTag: []byte("tag")},
		&amqp.Disposition{State: amqp.Rejected(&amqp.Error{Condition: "c"})}, &amqp.Detach{Error: &amqp.Error{Condition: "c"}}, &amqp.End{}, &amqp.Close{},
		&amqp.SASLMechanisms{Mechanisms: []amqp.Symbol{"PLAIN"}}, &amqp.SASLInit{Mechanism: "PLAIN", InitialResponse: []byte("x")}, &amqp.SASLOutcome{},
	} {
		f.Add(frame(amqp.Frame{Channel: 1, Body: p, Payload: []byte("\x00Sw\xa0\x01x")}))
	}
	f.Add([]byte{0, 0, 0, 16, 2, 1, 0, 0, 0, 0x53, 0x40, 0xc0, 1, 0, 0, 0})
	f.Fuzz(func(t *testing.T, wire []byte) {
		read, err := amqp.ReadFrame(bytes.NewReader(wire), frameLimit)
		if err != nil || read.Body == nil {
			return
		}
		once := frame(read)
		again, err := amqp.ReadFrame(bytes.NewReader(once), 2*frameLimit)
		if err != nil {
			t.Fatalf("%+v is written as %x, which cannot be read: %v", read, once, err)
		}
		if twice := frame(again); !bytes.Equal(once, twice) {
			t.Errorf("%+v is written as\n%x and then as\n%x", read, once, twice)
		}
	})
}

// FuzzReadMessage: the same for the payload of transfers.
func FuzzReadMessage(f *testing.F) {
	m := amqp.Message{
		Delivery:    amqp.Map{{Key: amqp.Symbol("x-opt-lock-token"), Value: amqp.UUID{1}}},
		Annotations: amqp.Map{{Key: amqp.Symbol("x-opt-scheduled-enqueue-time"), Value: int64(1)}},
		Application: amqp.Map{{Key: "type", Value: "x"}},
		Body:        []byte("\x00Su\xa0\x02{}"),
	}
	m.Properties[amqp.PropMessageID] = "id"
	f.Add(m.Append(nil))
	f.Add([]byte("\x00Sw\xa1\x05hello"))
	f.Add([]byte("\x00Sv\xc0\x03\x01\xa1\x00"))
	f.Fuzz(func(t *testing.T, payload []byte) {
		read, err := amqp.ReadMessage(payload)
		if err != nil {
			return
		}
		_, _ = read.DataSections()
		for i := range read.Properties {
			_, _ = read.Properties.Text(i)
		}
		once := read.Append(nil)
		again, err := amqp.ReadMessage(once)
		if err != nil {
			t.Fatalf("%+v is written as %x, which cannot be read: %v", read, once, err)
		}
		if twice := again.Append(nil); !bytes.Equal(once, twice) {
			t.Errorf("%+v is written as\n%x and then as\n%x", read, once, twice)
		}
	})
}
