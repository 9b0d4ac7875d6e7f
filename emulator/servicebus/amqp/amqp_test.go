package amqp_test

import (
	"math"
	"testing"
	"time"

	goamqp "github.com/Azure/go-amqp"
	"github.com/google/go-cmp/cmp"

	"goldmint/emulator/servicebus/amqp"
)

func TestValuesComeBack(t *testing.T) {
	long := make([]byte, 300)
	for _, v := range []any{
		nil, true, false, uint8(7), uint16(7), uint32(0), uint32(7), uint32(1 << 30), uint64(0), uint64(7), uint64(1 << 60),
		int8(-7), int16(-7), int32(-7), int64(-7), float32(1.5), float64(-1.5), amqp.Char('ü'), time.UnixMilli(-1).UTC(),
		amqp.UUID{1, 2},
		"", "text", string(long), amqp.Symbol("symbol"), amqp.Symbol(long),
		[]byte{},
		long,
		amqp.List{},
		amqp.List{"a", uint32(1), amqp.List{nil}},
		amqp.Map{{Key: "a", Value: int64(1)}, {Key: amqp.Symbol("b"), Value: nil}},
		amqp.Array{int64(1), int64(-1)},
		amqp.Array{"a", "b"},
		amqp.Array{true, false},
		amqp.Array{amqp.UUID{9}},
		amqp.Array{amqp.List{uint32(1)}, amqp.List{}},
		amqp.Described{Descriptor: uint64(0x75), Value: []byte("x")},
		amqp.Array{amqp.Described{Descriptor: amqp.Symbol("d"), Value: int32(1)}, amqp.Described{Descriptor: amqp.Symbol("d"), Value: int32(2)}},
	} {
		encoded := amqp.Append(nil, v)
		got, rest, err := amqp.Decode(append(encoded, 0xff))
		if err != nil || len(rest) != 1 {
			t.Errorf("%#v: %v, %d bytes left", v, err, len(rest))
			continue
		}
		if diff := cmp.Diff(v, got); diff != "" {
			t.Errorf("(-encoded +decoded):\n%s", diff)
		}
	}
}

// The bytes of part 1 of the specification, which no encoder of ours makes.
func TestShortForms(t *testing.T) {
	for encoded, want := range map[string]any{
		"\x54\xff": int32(-1), "\x55\xff": int64(-1), "\x56\x01": true, "\xc0\x01\x00": amqp.List{}, "\xc0\x03\x02\x41\x42": amqp.List{true, false},
		"\xc1\x06\x02\xa1\x01k\x52\x05": amqp.Map{{Key: "k", Value: uint32(5)}}, "\xe0\x04\x02\x51\x01\xff": amqp.Array{int8(1), int8(-1)},
		"\x83\x00\x00\x00\x00\x00\x00\x03\xe8": time.Unix(1, 0).UTC(), "\x72\x7f\x80\x00\x00": float32(math.Inf(1)),
	} {
		got, _, err := amqp.Decode([]byte(encoded))
		if err != nil || !cmp.Equal(got, want) {
			t.Errorf("%x: %#v (%v), want %#v", encoded, got, err, want)
		}
	}
}

func TestMalformedValues(t *testing.T) {
	for _, encoded := range []string{
		"", "\x70", "\xa1\x05abc", "\xb1\xff\xff\xff\xff", "\x3f", "\x44\x00"[1:], "\xd0\x00\x00\x00\x04\x00\x00\x00\x01", "\xc1\x03\x01\x41\x41",
		"\xf0\x00\x00\x00\x05\x7f\xff\xff\xff\x40", "\xe0\x02\x05\x51", "\x47",
	} {
		if v, _, err := amqp.Decode([]byte(encoded)); err == nil {
			t.Errorf("%x was read as %#v", encoded, v)
		}
	}
}

// Another library's message, with every section, comes back from it unchanged.
func TestMessageThroughAnotherLibrary(t *testing.T) {
	text := func(s string) *string { return &s }
	at := time.UnixMilli(1e12).UTC()
	sent := &goamqp.Message{
		Header:      &goamqp.MessageHeader{Durable: true, Priority: 7, TTL: time.Minute, DeliveryCount: 3},
		Annotations: goamqp.Annotations{"x-opt-partition-key": "k", "x-time": at},
		Properties: &goamqp.MessageProperties{
			MessageID: "id", UserID: []byte("u"), To: text("to"), Subject: text("s"), ReplyTo: text("r"), CorrelationID: uint64(9),
			ContentType: text("a/b"), ContentEncoding: text("gzip"), AbsoluteExpiryTime: &at, CreationTime: &at, GroupID: text("g"), ReplyToGroupID: text("rg"),
		},
		ApplicationProperties: map[string]any{"a": int32(1), "b": "two", "c": 3.5},
		Data:                  [][]byte{[]byte("one"), []byte("two")},
		Footer:                goamqp.Annotations{"f": int64(1)},
	}
	encoded, err := sent.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	m, err := amqp.ReadMessage(encoded)
	if err != nil {
		t.Fatal(err)
	}
	var got goamqp.Message
	if err := got.UnmarshalBinary(m.Append(nil)); err != nil {
		t.Fatal(err)
	}
	again, err := got.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	var want goamqp.Message
	if err := want.UnmarshalBinary(encoded); err != nil {
		t.Fatal(err)
	}
	if got.Header.TTL != want.Header.TTL || *got.Properties.GroupID != "g" || !cmp.Equal(got.Data, want.Data) ||
		!cmp.Equal(got.ApplicationProperties, want.ApplicationProperties) || !cmp.Equal(map[any]any(got.Annotations), map[any]any(want.Annotations)) {
		t.Errorf("the message changed:\n%x\n%x", encoded, again)
	}
	if data, err := m.DataSections(); err == nil {
		t.Errorf("data sections %q of a body with a footer, want an error", data)
	}
}

func TestDeliveryCountIsAlwaysThere(t *testing.T) {
	encoded := (&amqp.Message{}).Append(nil)
	v, _, err := amqp.Decode(encoded)
	if err != nil {
		t.Fatal(err)
	}
	if l := v.(amqp.Described).Value.(amqp.List); len(l) != 5 || l[4] != uint32(0) {
		t.Errorf("header %v, want five fields with a delivery count of 0", l)
	}
}

func TestMalformedMessages(t *testing.T) {
	section := func(code uint64, v any) []byte { return amqp.Append(nil, amqp.Described{Descriptor: code, Value: v}) }
	for name, encoded := range map[string][]byte{
		"no section":            {0x40},
		"an unknown section":    section(0x99, amqp.List{}),
		"annotations of text":   section(0x72, "x"),
		"too many properties":   section(0x73, make(amqp.List, 20)),
		"a header of text":      section(0x70, amqp.List{"x"}),
		"a section after body":  append(section(0x75, []byte("x")), section(0x70, amqp.List{})...),
		"a body that ends soon": {0x00, 0x53, 0x75, 0xa0, 0x09},
	} {
		if m, err := amqp.ReadMessage(encoded); err == nil {
			t.Errorf("%s was read as %+v", name, m)
		}
	}
}
