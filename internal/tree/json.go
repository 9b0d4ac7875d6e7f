package tree

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"
)

// ReadJSON reads a source whose text is JSON. An error says which limit the document exceeds, or
// that the text is no JSON, for which encoding/json has the better words.
func ReadJSON(source *Source) (*Node, error) {
	r := jsonReader{
		source: source, line: 1, column: 1,
		decoder: jsontext.NewDecoder(bytes.NewReader(source.Text),
			jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)),
	}
	return r.value(nil)
}

type jsonReader struct {
	Builder
	source       *Source
	decoder      *jsontext.Decoder
	offset       int // up to which lines and columns are counted
	line, column int
}

// value reads the next value. A member of an object has the place of its name.
func (r *jsonReader) value(parent *Node) (*Node, error) {
	var name string
	var at Place
	var broken bool
	if parent != nil && parent.Kind == Object {
		raw, err := r.decoder.ReadValue()
		if err != nil {
			return nil, err
		}
		at = r.place(len(raw))
		name, broken = unquote(raw)
	}
	kind := kinds[r.decoder.PeekKind()]
	raw, err := r.begin(kind)
	if err != nil {
		return nil, err
	}
	if at.Line == 0 {
		at = r.place(len(raw))
	}
	n, err := r.Add(parent, kind, name, at)
	if err != nil {
		return nil, err
	}
	n.Text, n.Broken = string(raw), broken
	switch kind {
	case String:
		n.Text, n.Broken = unquote(raw)
		n.Broken = n.Broken || broken
	case Object, Array:
		n.Text = ""
		for next := r.decoder.PeekKind(); next != '}' && next != ']' && err == nil; next = r.decoder.PeekKind() {
			_, err = r.value(n)
		}
		if err == nil {
			_, err = r.decoder.ReadToken()
		}
	default:
	}
	return n, err
}

// begin reads a value, or the bracket that opens it.
func (r *jsonReader) begin(kind Kind) (jsontext.Value, error) {
	if kind != Object && kind != Array {
		return r.decoder.ReadValue()
	}
	_, err := r.decoder.ReadToken()
	return jsontext.Value("{"), err
}

var kinds = map[jsontext.Kind]Kind{
	'n': Null, 't': Boolean, 'f': Boolean, '0': Number, '"': String, '[': Array, '{': Object,
}

// place is where the last length bytes that were read start.
func (r *jsonReader) place(length int) Place {
	start := int(r.decoder.InputOffset()) - length
	for _, c := range string(r.source.Text[r.offset:start]) {
		if r.column++; c == '\n' {
			r.line, r.column = r.line+1, 1
		}
	}
	r.offset = start
	return Place{r.source, r.line, r.column}
}

// unquote is the text of a JSON string, and whether it holds half a character.
func unquote(raw jsontext.Value) (text string, broken bool) {
	b, err := jsontext.AppendUnquote(nil, raw)
	return string(b), err != nil
}
