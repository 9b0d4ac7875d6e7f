// Package amqp is the wire language of AMQP 1.0: its values, its frames and the
// sections of a message, decoded from and encoded to bytes, and nothing else.
//
// A decoded value is one of: nil, bool, uint8, uint16, uint32, uint64, int8,
// int16, int32, int64, float32, float64, time.Time (milliseconds), []byte,
// string, [Symbol], [Char], [UUID], [Decimal], [List], [Map], [Array] or
// [Described]. Every decoded value encodes again to an equal value.
//
// Source: OASIS AMQP 1.0, parts 1 (types), 2 (transport), 3 (messaging) and 5
// (security).
package amqp

// Symbol is a name from a constrained domain, such as an error condition.
type Symbol string

// Char is one Unicode character.
type Char rune

// UUID is a 16 byte identifier in the byte order of RFC 4122.
type UUID [16]byte

// Decimal is an IEEE 754 decimal number that is passed through undecoded.
type Decimal struct {
	code byte
	bits string
}

// List is an ordered list of values of any type.
type List []any

// Array is an ordered list of values of one type. All elements must encode to
// the type of the first.
type Array []any

// Described is a value with a descriptor that says what it means.
type Described struct {
	Descriptor any
	Value      any
}

// Map is a list of pairs in the order they came in.
type Map []Pair

// Pair is one entry of a [Map].
type Pair struct{ Key, Value any }

// Get returns the value under a key that is a string or a symbol.
func (m Map) Get(key string) (any, bool) {
	for _, p := range m {
		if text, ok := Text(p.Key); ok && text == key {
			return p.Value, true
		}
	}
	return nil, false
}

// With returns a copy of the map in which key holds value. A key that is there
// already keeps its place and its type; a new one is added as given.
func (m Map) With(key, value any) Map {
	name, _ := Text(key)
	out := make(Map, len(m), len(m)+1)
	copy(out, m)
	for i, p := range out {
		if text, ok := Text(p.Key); ok && text == name {
			out[i].Value = value
			return out
		}
	}
	return append(out, Pair{key, value})
}

// Text returns the text of a string or a symbol.
func Text(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case Symbol:
		return string(v), true
	}
	return "", false
}

// Int returns the value of any integer type that fits an int64.
func Int(v any) (int64, bool) {
	switch v := v.(type) {
	case uint8:
		return int64(v), true
	case uint16:
		return int64(v), true
	case uint32:
		return int64(v), true
	case uint64:
		return int64(v), v <= 1<<63-1
	case int8:
		return int64(v), true
	case int16:
		return int64(v), true
	case int32:
		return int64(v), true
	case int64:
		return v, true
	}
	return 0, false
}

// Plain strips the descriptors from a value.
func Plain(v any) any {
	for {
		d, ok := v.(Described)
		if !ok {
			return v
		}
		v = d.Value
	}
}
