package amqp

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"
)

// Append encodes v after dst. It panics on a Go type that is no AMQP value,
// which no decoded value is.
func Append(dst []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(dst, codeNull)
	case bool:
		if v {
			return append(dst, codeTrue)
		}
		return append(dst, codeFalse)
	case uint32:
		return appendCompact(dst, uint64(v), codeUint0, codeSmallUint, codeUint, 4)
	case uint64:
		return appendCompact(dst, v, codeUlong0, codeSmallUlong, codeUlong, 8)
	case string:
		return appendBytes(dst, codeString8, codeString32, v)
	case Symbol:
		return appendBytes(dst, codeSymbol8, codeSymbol32, string(v))
	case []byte:
		return appendBytes(dst, codeBinary8, codeBinary32, string(v))
	case Described:
		return Append(Append(append(dst, codeDescribed), v.Descriptor), v.Value)
	case List:
		return appendList(dst, v)
	}
	code := elementCode(v)
	return appendElement(append(dst, code), code, v)
}

// appendCompact writes an unsigned number in the shortest of its three forms.
func appendCompact(dst []byte, v uint64, zero, small, wide byte, width int) []byte {
	switch {
	case v == 0:
		return append(dst, zero)
	case v <= math.MaxUint8:
		return append(dst, small, byte(v))
	case width == 4:
		return binary.BigEndian.AppendUint32(append(dst, wide), uint32(v))
	}
	return binary.BigEndian.AppendUint64(append(dst, wide), v)
}

func appendBytes(dst []byte, short, long byte, v string) []byte {
	if len(v) <= math.MaxUint8 {
		return append(append(dst, short, byte(len(v))), v...)
	}
	dst = binary.BigEndian.AppendUint32(append(dst, long), uint32(len(v)))
	return append(dst, v...)
}

func appendList(dst []byte, l List) []byte {
	if len(l) == 0 {
		return append(dst, codeList0)
	}
	return appendElement(append(dst, codeList32), codeList32, l)
}

// elementCode is the widest code of v's type, the one that serves every element
// of an array.
func elementCode(v any) byte {
	switch v := v.(type) {
	case nil:
		return codeNull
	case bool:
		return codeBool
	case uint8:
		return codeUbyte
	case uint16:
		return codeUshort
	case uint32:
		return codeUint
	case uint64:
		return codeUlong
	case int8:
		return codeByte
	case int16:
		return codeShort
	case int32:
		return codeInt
	case int64:
		return codeLong
	case float32:
		return codeFloat
	case float64:
		return codeDouble
	case Char:
		return codeChar
	case time.Time:
		return codeTimestamp
	case UUID:
		return codeUUID
	case Decimal:
		return v.code
	case []byte:
		return codeBinary32
	case string:
		return codeString32
	case Symbol:
		return codeSymbol32
	case List:
		return codeList32
	case Map:
		return codeMap32
	case Array:
		return codeArray32
	}
	panic(fmt.Sprintf("amqp: %T is no AMQP value", v))
}

// appendElement writes v without its code, in the form that code names.
func appendElement(dst []byte, code byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return dst
	case bool:
		if v {
			return append(dst, 1)
		}
		return append(dst, 0)
	case uint8:
		return append(dst, v)
	case int8:
		return append(dst, byte(v))
	case uint16:
		return binary.BigEndian.AppendUint16(dst, v)
	case int16:
		return binary.BigEndian.AppendUint16(dst, uint16(v))
	case uint32:
		return binary.BigEndian.AppendUint32(dst, v)
	case int32:
		return binary.BigEndian.AppendUint32(dst, uint32(v))
	case Char:
		return binary.BigEndian.AppendUint32(dst, uint32(v))
	case float32:
		return binary.BigEndian.AppendUint32(dst, math.Float32bits(v))
	case uint64:
		return binary.BigEndian.AppendUint64(dst, v)
	case int64:
		return binary.BigEndian.AppendUint64(dst, uint64(v))
	case float64:
		return binary.BigEndian.AppendUint64(dst, math.Float64bits(v))
	case time.Time:
		return binary.BigEndian.AppendUint64(dst, uint64(v.UnixMilli()))
	case UUID:
		return append(dst, v[:]...)
	case Decimal:
		return append(dst, v.bits...)
	}
	return appendVariable(dst, code, v)
}

// appendVariable writes the types that carry their own size, in 32 bit form.
func appendVariable(dst []byte, code byte, v any) []byte {
	start := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	switch v := v.(type) {
	case []byte:
		dst = append(dst, v...)
	case string:
		dst = append(dst, v...)
	case Symbol:
		dst = append(dst, v...)
	case List:
		dst = binary.BigEndian.AppendUint32(dst, uint32(len(v)))
		for _, e := range v {
			dst = Append(dst, e)
		}
	case Map:
		dst = binary.BigEndian.AppendUint32(dst, uint32(2*len(v)))
		for _, p := range v {
			dst = Append(Append(dst, p.Key), p.Value)
		}
	case Array:
		dst = appendArray(dst, v)
	default:
		panic(fmt.Sprintf("amqp: %T is no element of code %#02x", v, code))
	}
	binary.BigEndian.PutUint32(dst[start:], uint32(len(dst)-start-4))
	return dst
}

func appendArray(dst []byte, a Array) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(a)))
	if len(a) == 0 {
		return append(dst, codeNull)
	}
	first := a[0]
	for {
		d, ok := first.(Described)
		if !ok {
			break
		}
		dst = Append(append(dst, codeDescribed), d.Descriptor)
		first = d.Value
	}
	code := elementCode(first)
	dst = append(dst, code)
	for _, e := range a {
		dst = appendElement(dst, code, Plain(e))
	}
	return dst
}
