package request

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"unicode/utf8"

	"goldmint/internal/tree"
)

// Parse reads a source that is JSON in UTF-8, wrapped as some senders do or not. The error is always an
// [*Invalid]; what it says is better than what a reader of JSON could.
func Parse(source *tree.Source) (*tree.Node, error) {
	if err := Unwrap(source); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(source.Text, new(json.RawMessage)); err != nil {
		return nil, syntaxProblem(source, err)
	}
	root, err := tree.ReadJSON(source)
	if err != nil {
		return nil, Refuse(InvalidJSON, tree.Place{}, "%v", err)
	}
	return root, nil
}

func syntaxProblem(source *tree.Source, err error) error {
	if words := wrapping(source.Text); words != "" {
		return Refuse(InvalidJSON, tree.Place{}, "%s", words)
	}
	var syntax *json.SyntaxError
	if !errors.As(err, &syntax) {
		return Refuse(InvalidJSON, tree.Place{}, "the body is not JSON: %v", err)
	}
	at := source.At(int(max(syntax.Offset-1, 0))) // the offset counts the offending byte too
	hint := ""
	if bytes.IndexByte([]byte(`{["`), bytes.TrimSpace(source.Text)[0]) < 0 {
		hint = "; send one JSON object that starts with {"
	}
	return Refuse(InvalidJSON, at, "the body is not JSON: line %d, column %d: %v%s", at.Line, at.Column, err, hint)
}

// Unwrap takes a text out of what a sender wrapped it in, and refuses one that is empty or not UTF-8.
func Unwrap(source *tree.Source) error {
	if rest, wrapped := bytes.CutPrefix(source.Text, dataContract); wrapped {
		text, ok := dataContractText(rest)
		if !ok {
			return Refuse(InvalidEncoding, tree.Place{}, "the body is binary XML of .NET's DataContractSerializer and broken off; send plain JSON"+
				" (useDataContractSerializer: false in Azure Pipelines' PublishToAzureServiceBus)")
		}
		source.Text = text
	}
	if len(bytes.TrimSpace(source.Text)) == 0 {
		return Refuse(EmptyBody, tree.Place{}, "the body is empty; send a build request as JSON")
	}
	return checkEncoding(source)
}

// The byte order marks that editors and shells put before a text; UTF-32's little-endian one starts with UTF-16's.
var marks = []struct{ bytes, name string }{
	{"\xEF\xBB\xBF", "UTF-8"}, {"\xFF\xFE\x00\x00", "UTF-32"}, {"\x00\x00\xFE\xFF", "UTF-32"}, {"\xFF\xFE", "UTF-16"}, {"\xFE\xFF", "UTF-16"},
}

// checkEncoding refuses a body that is not plain UTF-8, naming what it is instead where that can be told.
func checkEncoding(source *tree.Source) error {
	body := source.Text
	if bytes.HasPrefix(body, []byte{0x1F, 0x8B}) {
		return Refuse(InvalidEncoding, tree.Place{}, "the body is compressed with gzip; send the JSON itself")
	}
	for _, mark := range marks {
		if bytes.HasPrefix(body, []byte(mark.bytes)) {
			return Refuse(InvalidEncoding, tree.Place{}, "the body starts with a %s byte order mark; send UTF-8 without one", mark.name)
		}
	}
	if bytes.IndexByte(body, 0) >= 0 {
		return Refuse(InvalidEncoding, tree.Place{}, "the body holds zero bytes, as UTF-16 text does; send it as UTF-8")
	}
	for offset := 0; offset < len(body); {
		r, size := utf8.DecodeRune(body[offset:])
		if r == utf8.RuneError && size == 1 {
			at := source.At(offset)
			return Refuse(InvalidEncoding, at, "line %d, column %d: byte 0x%02X is not UTF-8 (in Latin-1 it is %q); send the body as UTF-8",
				at.Line, at.Column, body[offset], rune(body[offset]))
		}
		offset += size
	}
	return nil
}

// wrapping names what a body that is no JSON was wrapped in, "" where nothing is recognized.
func wrapping(body []byte) string {
	text := bytes.TrimSpace(body)
	switch {
	case bytes.HasPrefix(text, []byte("<string")) || bytes.HasPrefix(text, []byte("<?xml")) && bytes.Contains(text, []byte("<string")):
		return "the body is XML that holds a string, as .NET's serializers write it; send the JSON itself, as bytes"
	case bytes.HasPrefix(text, []byte("eyJ")) || bytes.HasPrefix(text, []byte("ew")):
		decoded, err := base64.StdEncoding.DecodeString(string(text))
		if err == nil && bytes.HasPrefix(bytes.TrimSpace(decoded), []byte("{")) {
			return "the body is base64 of JSON; send the JSON itself"
		}
	case bytes.HasPrefix(text, []byte("%7B")):
		return "the body is JSON that was escaped for a URL; send the JSON itself"
	}
	return ""
}

// dataContract starts a string that .NET's DataContractSerializer wrote as binary XML: an element "string" of its namespace.
// Azure Pipelines' PublishToAzureServiceBus task does so unless useDataContractSerializer is false.
var dataContract = []byte("@\x06string\x083http://schemas.microsoft.com/2003/10/Serialization/")

// dataContractText is the text of the element: records of binary XML, each a byte of its kind, its length and its characters.
func dataContractText(rest []byte) (text []byte, ok bool) {
	sizes := map[byte]int{0x98: 1, 0x9A: 2, 0x9C: 4} // of the length; a kind with its lowest bit set ends the element
	for len(rest) > 0 && rest[0] != 0x01 {
		kind, size := rest[0], sizes[rest[0]&^1]
		if size == 0 || len(rest) < 1+size {
			return nil, false
		}
		var number [4]byte
		copy(number[:], rest[1:1+size])
		length := int(binary.LittleEndian.Uint32(number[:]))
		if rest = rest[1+size:]; len(rest) < length {
			return nil, false
		}
		if text, rest = append(text, rest[:length]...), rest[length:]; kind&1 == 1 {
			return text, true
		}
	}
	return text, len(rest) > 0
}
