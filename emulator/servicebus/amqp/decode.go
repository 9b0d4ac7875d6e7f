package amqp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"
)

// Limits on what a peer may send, far above what any client sends.
const (
	maxDepth      = 32 // values inside values
	maxZeroWidths = 16 // elements of an array that take no bytes
)

var errShort = errors.New("amqp: value ends early")

// Decode reads one value from the front of b and returns what follows it. Byte
// strings in the value share b's memory.
func Decode(b []byte) (v any, rest []byte, err error) {
	d := decoder{b: b}
	v, err = d.value(0)
	return v, d.b, err
}

type decoder struct{ b []byte }

func (d *decoder) take(n uint64) ([]byte, error) {
	if uint64(len(d.b)) < n {
		return nil, errShort
	}
	out := d.b[:n:n]
	d.b = d.b[n:]
	return out, nil
}

func (d *decoder) byte() (byte, error) {
	b, err := d.take(1)
	if err != nil {
		return 0, err
	}
	return b[0], nil
}

func (d *decoder) value(depth int) (any, error) {
	code, err := d.byte()
	if err != nil {
		return nil, err
	}
	if code == codeDescribed {
		return d.described(depth)
	}
	return d.element(code, depth)
}

func (d *decoder) described(depth int) (any, error) {
	if depth >= maxDepth {
		return nil, fmt.Errorf("amqp: values nest deeper than %d", maxDepth)
	}
	descriptor, err := d.value(depth + 1)
	if err != nil {
		return nil, err
	}
	v, err := d.value(depth + 1)
	return Described{descriptor, v}, err
}

// element reads a value whose code is known. The upper four bits of a code say
// how its size is found: part 1, section 1.2.
func (d *decoder) element(code byte, depth int) (any, error) {
	switch code >> 4 {
	case 0x4, 0x5, 0x6, 0x7, 0x8, 0x9:
		b, err := d.take(fixedWidth(code))
		if err != nil {
			return nil, err
		}
		return fixed(code, b)
	}
	size, err := d.size(code)
	if err != nil {
		return nil, err
	}
	b, err := d.take(size)
	if err != nil {
		return nil, err
	}
	switch code {
	case codeBinary8, codeBinary32:
		return b, nil
	case codeString8, codeString32:
		return string(b), nil
	case codeSymbol8, codeSymbol32:
		return Symbol(b), nil
	}
	return compound(code, b, depth)
}

func fixedWidth(code byte) uint64 {
	if code>>4 == 0x4 {
		return 0
	}
	return 1 << (code>>4 - 5)
}

func (d *decoder) size(code byte) (uint64, error) {
	switch code >> 4 {
	case 0xa, 0xc, 0xe:
		n, err := d.byte()
		return uint64(n), err
	case 0xb, 0xd, 0xf:
		n, err := d.take(4)
		if err != nil {
			return 0, err
		}
		return uint64(binary.BigEndian.Uint32(n)), nil
	}
	return 0, fmt.Errorf("amqp: unknown type code %#02x", code)
}

func fixed(code byte, b []byte) (any, error) {
	switch code {
	case codeNull:
		return nil, nil
	case codeTrue:
		return true, nil
	case codeFalse:
		return false, nil
	case codeBool:
		return b[0] != 0, nil
	case codeUint0:
		return uint32(0), nil
	case codeUlong0:
		return uint64(0), nil
	case codeList0:
		return List{}, nil
	case codeUbyte:
		return b[0], nil
	case codeByte:
		return int8(b[0]), nil
	case codeSmallUint:
		return uint32(b[0]), nil
	case codeSmallUlong:
		return uint64(b[0]), nil
	case codeSmallInt:
		return int32(int8(b[0])), nil
	case codeSmallLong:
		return int64(int8(b[0])), nil
	}
	return wide(code, b)
}

func wide(code byte, b []byte) (any, error) {
	switch code {
	case codeUshort:
		return binary.BigEndian.Uint16(b), nil
	case codeShort:
		return int16(binary.BigEndian.Uint16(b)), nil
	case codeUint:
		return binary.BigEndian.Uint32(b), nil
	case codeInt:
		return int32(binary.BigEndian.Uint32(b)), nil
	case codeFloat:
		return math.Float32frombits(binary.BigEndian.Uint32(b)), nil
	case codeChar:
		return Char(binary.BigEndian.Uint32(b)), nil
	case codeUlong:
		return binary.BigEndian.Uint64(b), nil
	case codeLong:
		return int64(binary.BigEndian.Uint64(b)), nil
	case codeDouble:
		return math.Float64frombits(binary.BigEndian.Uint64(b)), nil
	case codeTimestamp:
		return time.UnixMilli(int64(binary.BigEndian.Uint64(b))).UTC(), nil
	case codeUUID:
		return UUID(b), nil
	case codeDecimal32, codeDecimal64, codeDecimal128:
		return Decimal{code, string(b)}, nil
	}
	return nil, fmt.Errorf("amqp: unknown type code %#02x", code)
}

// compound reads the body of a list, a map or an array.
func compound(code byte, b []byte, depth int) (any, error) {
	if depth >= maxDepth {
		return nil, fmt.Errorf("amqp: values nest deeper than %d", maxDepth)
	}
	d := decoder{b: b}
	width := uint64(1)
	if code>>4 == 0xd || code>>4 == 0xf {
		width = 4
	}
	raw, err := d.take(width)
	if err != nil {
		return nil, err
	}
	count := uint64(raw[0])
	if width == 4 {
		count = uint64(binary.BigEndian.Uint32(raw))
	}
	switch code {
	case codeList8, codeList32:
		return d.list(count, depth+1)
	case codeMap8, codeMap32:
		return d.pairs(count, depth+1)
	case codeArray8, codeArray32:
		return d.array(count, depth+1)
	}
	return nil, fmt.Errorf("amqp: unknown type code %#02x", code)
}

func (d *decoder) list(count uint64, depth int) (List, error) {
	if count > uint64(len(d.b)) {
		return nil, errShort
	}
	out := make(List, 0, min(count, 64))
	for range count {
		v, err := d.value(depth)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

func (d *decoder) pairs(count uint64, depth int) (Map, error) {
	if count > uint64(len(d.b)) {
		return nil, errShort
	}
	if count%2 != 0 {
		return nil, errors.New("amqp: a map has a key without a value")
	}
	out := make(Map, 0, min(count/2, 64))
	for range count / 2 {
		key, err := d.value(depth)
		if err != nil {
			return nil, err
		}
		v, err := d.value(depth)
		if err != nil {
			return nil, err
		}
		out = append(out, Pair{key, v})
	}
	return out, nil
}

func (d *decoder) array(count uint64, depth int) (Array, error) {
	code, err := d.byte()
	if err != nil {
		return nil, err
	}
	var descriptors []any
	for code == codeDescribed {
		if len(descriptors) >= maxDepth {
			return nil, fmt.Errorf("amqp: values nest deeper than %d", maxDepth)
		}
		descriptor, err := d.value(depth)
		if err != nil {
			return nil, err
		}
		descriptors = append(descriptors, descriptor)
		if code, err = d.byte(); err != nil {
			return nil, err
		}
	}
	if code>>4 == 0x4 && count > maxZeroWidths || code>>4 != 0x4 && count > uint64(len(d.b)) {
		return nil, errShort
	}
	out := make(Array, 0, min(count, 64))
	for range count {
		v, err := d.element(code, depth)
		if err != nil {
			return nil, err
		}
		for i := len(descriptors) - 1; i >= 0; i-- {
			v = Described{descriptors[i], v}
		}
		out = append(out, v)
	}
	return out, nil
}
