package request

import (
	"bytes"
	"unicode/utf8"
)

// The byte order marks that editors and shells put before a text; UTF-32's
// little-endian one starts with UTF-16's.
var marks = []struct {
	bytes []byte
	name  string
}{
	{[]byte{0xEF, 0xBB, 0xBF}, "UTF-8"},
	{[]byte{0xFF, 0xFE, 0x00, 0x00}, "UTF-32"},
	{[]byte{0x00, 0x00, 0xFE, 0xFF}, "UTF-32"},
	{[]byte{0xFF, 0xFE}, "UTF-16"},
	{[]byte{0xFE, 0xFF}, "UTF-16"},
}

// checkEncoding refuses a body that is not plain UTF-8, naming what it is
// instead where that can be told.
func checkEncoding(body []byte) *Invalid {
	if bytes.HasPrefix(body, []byte{0x1F, 0x8B}) {
		return refuse(InvalidEncoding, "the body is compressed with gzip; send the JSON itself")
	}
	for _, mark := range marks {
		if bytes.HasPrefix(body, mark.bytes) {
			return refuse(InvalidEncoding, "the body starts with a %s byte order mark; send UTF-8 without one", mark.name)
		}
	}
	if bytes.IndexByte(body, 0) >= 0 {
		return refuse(InvalidEncoding, "the body holds zero bytes, as UTF-16 text does; send it as UTF-8")
	}
	if offset := invalidUTF8(body); offset >= 0 {
		line, column := lineAndColumn(body, offset)
		invalid := refuse(InvalidEncoding, "line %d, column %d: byte 0x%02X is not UTF-8 (in Latin-1 it is %q); send the body as UTF-8",
			line, column, body[offset], rune(body[offset]))
		invalid.Problems[0].Line, invalid.Problems[0].Column = line, column
		return invalid
	}
	return nil
}

// invalidUTF8 is the offset of the first byte that is not UTF-8, or -1.
func invalidUTF8(body []byte) int {
	for offset := 0; offset < len(body); {
		r, size := utf8.DecodeRune(body[offset:])
		if r == utf8.RuneError && size == 1 {
			return offset
		}
		offset += size
	}
	return -1
}
