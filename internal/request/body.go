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

// Parse reads a source that is JSON in UTF-8, with or without the wrapping of some senders. The
// error is always an [*Invalid], which says more than the error of a JSON reader.
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
	at, hint := source.At(0), ""
	if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) {
		at = source.At(int(max(syntax.Offset-1, 0))) // the offset includes the wrong byte
	}
	if bytes.IndexByte([]byte(`{["`), bytes.TrimSpace(source.Text)[0]) < 0 {
		hint = "; send one JSON object that starts with {"
	}
	return Refuse(InvalidJSON, at, "the body is not JSON: line %d, column %d: %v%s", at.Line, at.Column, err, hint)
}

// Unwrap removes a sender's wrapping from a text, and refuses a text that is empty or not UTF-8.
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

// starts are the first bytes of texts that are not plain UTF-8. UTF-32's little-endian mark starts
// with UTF-16's.
var starts = []struct{ bytes, words string }{
	{"\x1F\x8B", "is compressed with gzip; send the JSON itself"},
	{"\xAC\xED\x00\x05", "is an object that Java serialized; send the JSON itself, as bytes"},
	{"\xEF\xBB\xBF", "starts with a UTF-8 byte order mark; send UTF-8 without one"},
	{"\xFF\xFE\x00\x00", "starts with a UTF-32 byte order mark; send UTF-8 without one"},
	{"\x00\x00\xFE\xFF", "starts with a UTF-32 byte order mark; send UTF-8 without one"},
	{"\xFF\xFE", "starts with a UTF-16 byte order mark; send UTF-8 without one"},
	{"\xFE\xFF", "starts with a UTF-16 byte order mark; send UTF-8 without one"},
}

// checkEncoding refuses a body that is not plain UTF-8. The error names the encoding if it can be
// recognized.
func checkEncoding(source *tree.Source) error {
	body := source.Text
	for _, start := range starts {
		if bytes.HasPrefix(body, []byte(start.bytes)) {
			return Refuse(InvalidEncoding, tree.Place{}, "the body %s", start.words)
		}
	}
	if bytes.IndexByte(body, 0) >= 0 {
		return Refuse(InvalidEncoding, tree.Place{}, "the body holds zero bytes, as UTF-16 text does; send it as UTF-8")
	}
	for offset, r := range string(body) {
		if r == utf8.RuneError && !bytes.HasPrefix(body[offset:], []byte("\uFFFD")) {
			at := source.At(offset)
			return Refuse(InvalidEncoding, at, "line %d, column %d: byte 0x%02X is not UTF-8 (in Latin-1 it is %q); send the body as UTF-8",
				at.Line, at.Column, body[offset], rune(body[offset]))
		}
	}
	return nil
}

// envelopes are the wrappings of frameworks, each with a field that only it has.
var envelopes = []struct{ field, words string }{
	{"specversion", " in a CloudEvent (Dapr does so unless rawPayload is true)"},
	{"messageType", " as MassTransit does (UseRawJsonSerializer turns it off)"},
	{"ContentData", " as Logic Apps show a message, in base64"},
}

// enveloped finds a request in a field of a document that is not a request itself.
func (c *check) enveloped(root *tree.Node) bool {
	if root.At("resourceGroup").Given() || root.At("image").Given() || root.At("galleryImageVersion").Given() {
		return false
	}
	for _, member := range root.Members() {
		target := member.At("image").Given() || member.At("galleryImageVersion").Given()
		text := []byte(member.Text)
		if !target && !bytes.HasPrefix(bytes.TrimSpace(text), []byte("{\"")) && wrapping(text) == "" {
			continue
		}
		how := ""
		for _, e := range envelopes {
			if root.At(e.field).Given() {
				how = e.words
			}
		}
		c.add(member, "holds the request: its sender wrapped it%s; send the request alone", how)
		return true
	}
	return false
}

// wrapping names the wrapping of a body that is not JSON, or is "" for an unknown one.
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

// dataContract starts a string that .NET's DataContractSerializer wrote as binary XML: an element
// "string" of its namespace. Azure Pipelines' PublishToAzureServiceBus task does so unless
// useDataContractSerializer is false.
var dataContract = []byte("@\x06string\x083http://schemas.microsoft.com/2003/10/Serialization/")

// dataContractText is the text of the element. It consists of records of binary XML: a byte for the
// kind, the length and the characters.
func dataContractText(rest []byte) (text []byte, ok bool) {
	sizes := map[byte]int{0x98: 1, 0x9A: 2, 0x9C: 4} // bytes of the length; a kind with its lowest bit set ends the element
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
