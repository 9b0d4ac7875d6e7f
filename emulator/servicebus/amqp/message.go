package amqp

import (
	"fmt"
	"math"
	"time"
)

// Indexes into [Properties]: part 3, section 3.2.4.
const (
	PropMessageID = iota
	PropUserID
	PropTo
	PropSubject
	PropReplyTo
	PropCorrelationID
	PropContentType
	PropContentEncoding
	PropAbsoluteExpiry
	PropCreationTime
	PropGroupID
	PropGroupSequence
	PropReplyToGroupID
	propertyCount
)

// Properties are the standard properties of a message, by index.
type Properties [propertyCount]any

// Text returns a property as text. Identifiers may also be numbers, UUIDs or bytes: these get a
// text that distinguishes them. ok is false for null.
func (p *Properties) Text(index int) (text string, ok bool) {
	v := p[index]
	if v == nil {
		return "", false
	}
	if s, ok := Text(v); ok {
		return s, true
	}
	if id, ok := v.(UUID); ok {
		return fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:]), true
	}
	return fmt.Sprint(v), true
}

// Header carries what a broker changes on each delivery.
type Header struct {
	Durable       bool
	Priority      *uint8
	TTL           *uint32 // milliseconds
	FirstAcquirer bool
	DeliveryCount uint32
}

// Lifetime is the time to live; ok is false without one.
func (h Header) Lifetime() (d time.Duration, ok bool) {
	if h.TTL == nil {
		return 0, false
	}
	return time.Duration(*h.TTL) * time.Millisecond, true
}

// Milliseconds is d as a header holds it, cut at the 49 days that fit.
func Milliseconds(d time.Duration) uint32 {
	return uint32(min(max(d.Milliseconds(), 0), math.MaxUint32))
}

// Message is a message split into sections: part 3, section 3.2. The body (data, sequence or value
// sections, and the footer) stays as it came.
type Message struct {
	Header      Header
	Delivery    Map // delivery annotations
	Annotations Map
	Properties  Properties
	Application Map
	Body        []byte
}

// ReadMessage decodes a message. Byte strings share b's memory.
func ReadMessage(b []byte) (*Message, error) {
	m := &Message{}
	for len(b) > 0 {
		v, rest, err := Decode(b)
		if err != nil {
			return nil, err
		}
		d, ok := v.(Described)
		if !ok {
			return nil, fmt.Errorf("amqp: %T where a message section must be", v)
		}
		code, _ := descriptorCode(d.Descriptor)
		if code >= descData && code <= descFooter {
			if err := checkBody(b); err != nil {
				return nil, err
			}
			m.Body = b
			return m, nil
		}
		if err := m.section(code, d); err != nil {
			return nil, err
		}
		b = rest
	}
	return m, nil
}

func (m *Message) section(code uint64, d Described) error {
	switch code {
	case descHeader:
		return m.readHeader(d)
	case descProperties:
		return m.readProperties(d)
	case descDelivery, descAnnotations, descApplication:
		pairs, ok := d.Value.(Map)
		if !ok {
			return fmt.Errorf("amqp: section %#x holds %T, want a map", code, d.Value)
		}
		switch code {
		case descDelivery:
			m.Delivery = pairs
		case descAnnotations:
			m.Annotations = pairs
		default:
			m.Application = pairs
		}
		return nil
	}
	return fmt.Errorf("amqp: unknown message section %v", d.Descriptor)
}

func (m *Message) readHeader(d Described) error {
	_, l, err := split(d)
	if err != nil {
		return err
	}
	f, h := fields{l: l}, &m.Header
	field(&f, &h.Durable)
	optional(&f, &h.Priority)
	optional(&f, &h.TTL)
	field(&f, &h.FirstAcquirer)
	field(&f, &h.DeliveryCount)
	return f.err
}

func (m *Message) readProperties(d Described) error {
	_, l, err := split(d)
	if err != nil {
		return err
	}
	if len(l) > propertyCount {
		return fmt.Errorf("amqp: %d properties, want at most %d", len(l), propertyCount)
	}
	copy(m.Properties[:], l)
	return nil
}

// checkBody reads the body's sections once, so that no receiver has to choke on
// what a sender sent.
func checkBody(b []byte) error {
	for len(b) > 0 {
		v, rest, err := Decode(b)
		if err != nil {
			return err
		}
		d, ok := v.(Described)
		code, known := descriptorCode(d.Descriptor)
		if !ok || !known || code < descData || code > descFooter {
			return fmt.Errorf("amqp: %T is no body section", v)
		}
		b = rest
	}
	return nil
}

// Append encodes the message after dst. The header holds the delivery count
// even when it is 0: some clients see undefined otherwise.
func (m *Message) Append(dst []byte) []byte {
	h := m.Header
	dst = Append(dst, Described{uint64(descHeader), List{
		h.Durable, value(h.Priority), value(h.TTL), h.FirstAcquirer, h.DeliveryCount,
	}})
	if len(m.Delivery) > 0 {
		dst = Append(dst, Described{uint64(descDelivery), m.Delivery})
	}
	if len(m.Annotations) > 0 {
		dst = Append(dst, Described{uint64(descAnnotations), m.Annotations})
	}
	if l := trim(m.Properties[:]); len(l) > 0 {
		dst = Append(dst, Described{uint64(descProperties), l})
	}
	if len(m.Application) > 0 {
		dst = Append(dst, Described{uint64(descApplication), m.Application})
	}
	return append(dst, m.Body...)
}

// Value is the body of a message that holds one amqp-value section.
func (m *Message) Value() (any, error) {
	v, _, err := Decode(m.Body)
	if err != nil {
		return nil, err
	}
	if d, ok := v.(Described); ok {
		if code, _ := descriptorCode(d.Descriptor); code == descValue {
			return d.Value, nil
		}
	}
	return nil, fmt.Errorf("amqp: the body is no amqp-value section")
}

// ValueBody encodes v as an amqp-value section.
func ValueBody(v any) []byte { return Append(nil, Described{uint64(descValue), v}) }

// DataSections returns the content of the body's data sections.
func (m *Message) DataSections() ([][]byte, error) {
	var out [][]byte
	for b := m.Body; len(b) > 0; {
		v, rest, err := Decode(b)
		if err != nil {
			return nil, err
		}
		d, ok := v.(Described)
		data, isData := d.Value.([]byte)
		if code, _ := descriptorCode(d.Descriptor); !ok || code != descData || !isData {
			return nil, fmt.Errorf("amqp: a section of the body holds no data")
		}
		out = append(out, data)
		b = rest
	}
	return out, nil
}

// PropertiesSize is the encoded size in bytes of everything before the body.
func (m *Message) PropertiesSize() int {
	bare := *m
	bare.Body = nil
	return len(bare.Append(nil))
}
