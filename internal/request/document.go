package request

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"unicode/utf8"
)

// Bounds on a body's shape, far above what the contract can use and far below
// what costs anything to read.
const (
	maxDepth  = 16
	maxValues = 6_000
	maxName   = 64  // bytes, of a field that holds an object or an array
	maxList   = 500 // elements of an array: revoked UEFI keys are the longest list that people have
)

// document is a body read as JSON: its values and where they stand.
type document struct {
	body       []byte
	root       any            // map[string]any, []any, string, json.Number, bool or nil
	offsets    map[string]int // JSON pointer to byte offset; of a member, its name's
	duplicates []string       // pointers of members that appear again
	numbers    []string       // pointers of numbers that are no plain integers
	surrogates []string       // pointers of strings with half a character in them
	lists      map[string]int // pointers of arrays that are too long, and their lengths; root holds the first maxList elements
}

// parse reads a body that is one JSON object in UTF-8. It refuses at once what
// is not; mistakes inside are left for all to be told together.
func parse(body []byte) (*document, *Invalid) {
	if invalid := checkEncoding(body); invalid != nil {
		return nil, invalid
	}
	var whole json.RawMessage
	if err := json.Unmarshal(body, &whole); err != nil {
		if words := wrapping(body); words != "" {
			return nil, refuse(InvalidJSON, "%s", words)
		}
		return nil, syntaxProblem(body, err)
	}
	doc := &document{body: body, offsets: make(map[string]int), lists: make(map[string]int)}
	r := reader{doc: doc, decoder: json.NewDecoder(bytes.NewReader(body))}
	r.decoder.UseNumber()
	if invalid := r.read(); invalid != nil {
		return nil, invalid
	}
	root, ok := doc.root.(map[string]any)
	if !ok {
		return nil, refuse(InvalidJSON, "%s", notAnObject(doc.root))
	}
	dropNotGiven(root, "")
	return doc, nil
}

// dropNotGiven takes out what a template left empty: null and "" mean "not given", to Azure as well, and so does an object that
// holds nothing else. Unknown fields stay. The values of tags and metadata may be empty.
func dropNotGiven(object map[string]any, pointer string) {
	for name, v := range object {
		at := child(pointer, name)
		if loadContract().at(at) == nil { // stays, to be told of
			continue
		}
		switch v := v.(type) {
		case nil:
			delete(object, name)
		case string:
			if v == "" && !freeText(pointer) {
				delete(object, name)
			}
		case map[string]any:
			if len(v) == 0 {
				continue
			}
			if dropNotGiven(v, at); len(v) == 0 && !freeText(at) {
				delete(object, name)
			}
		case []any:
			for i, e := range v {
				if e, ok := e.(map[string]any); ok {
					dropNotGiven(e, element(at, i))
				}
			}
		}
	}
}

// freeText reports whether a pointer's object is the sender's own: its names and values may be any text.
func freeText(pointer string) bool {
	return pointer == "/metadata" || pointer == "/image/tags" || pointer == "/galleryImageVersion/tags"
}

func syntaxProblem(body []byte, err error) *Invalid {
	var syntax *json.SyntaxError
	if !errors.As(err, &syntax) {
		return refuse(InvalidJSON, "the body is not JSON: %v", err)
	}
	// The offset counts the bytes read, the offending one included.
	line, column := lineAndColumn(body, int(max(syntax.Offset-1, 0)))
	message := "the body is not JSON: line %d, column %d: %v"
	if trimmed := bytes.TrimSpace(body); trimmed[0] != '{' && trimmed[0] != '[' && trimmed[0] != '"' {
		message += "; send one JSON object that starts with {"
	}
	invalid := refuse(InvalidJSON, message, line, column, err)
	invalid.Problems[0].Line, invalid.Problems[0].Column = line, column
	return invalid
}

func notAnObject(root any) string {
	text, ok := root.(string)
	if ok && strings.HasPrefix(strings.TrimSpace(text), "{") {
		return "the body is a JSON string that holds JSON: it was encoded twice; send the object itself"
	}
	return "the body is a JSON " + kindOf(root) + "; send one JSON object"
}

// offset is the place of what pointer points at, or of the nearest thing around
// it that is there.
func (d *document) offset(pointer string) int {
	for {
		if offset, ok := d.offsets[pointer]; ok || pointer == "" {
			return offset
		}
		pointer = pointer[:strings.LastIndexByte(pointer, '/')]
	}
}

// lineAndColumn counts from 1, the column in characters.
func lineAndColumn(body []byte, offset int) (line, column int) {
	before := body[:min(offset, len(body))]
	start := bytes.LastIndexByte(before, '\n') + 1
	return bytes.Count(before, []byte("\n")) + 1, utf8.RuneCount(before[start:]) + 1
}

func kindOf(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case json.Number:
		return "number"
	case string:
		return "string"
	case []any:
		return "array"
	default:
		return "object"
	}
}
