package request

import (
	"encoding/json"
	"regexp"
	"strings"
)

// reader builds a document from JSON that is known to be well formed. It does
// what encoding/json does not: it sees duplicate names, counts, and remembers
// places.
type reader struct {
	doc     *document
	decoder *json.Decoder
	depth   int
	values  int
}

func (r *reader) read() *Invalid {
	root, invalid := r.value("")
	r.doc.root = root
	return invalid
}

func (r *reader) value(pointer string) (any, *Invalid) {
	if r.values++; r.values > maxValues {
		return nil, refuse(InvalidJSON, "the body holds more than %d values", maxValues)
	}
	start := r.next()
	if _, member := r.doc.offsets[pointer]; !member {
		r.doc.offsets[pointer] = start
	}
	token, err := r.decoder.Token()
	if err != nil {
		return nil, syntaxProblem(r.doc.body, err)
	}
	switch token := token.(type) {
	case json.Delim:
		if r.depth++; r.depth > maxDepth {
			return nil, refuse(InvalidJSON, "the body is nested deeper than %d levels", maxDepth)
		}
		// Every pointer below repeats the name: a long one would be multiplied.
		if name := pointer[strings.LastIndexByte(pointer, '/')+1:]; len(name) > maxName {
			return nil, refuse(InvalidJSON, "the field %s holds an object or an array: no such field has a name longer than %d bytes", quote(name), maxName)
		}
		defer func() { r.depth-- }()
		if token == '{' {
			return r.object(pointer)
		}
		return r.array(pointer)
	case json.Number:
		return r.number(pointer, token), nil
	case string:
		r.checkSurrogates(pointer, start)
		return token, nil
	default:
		return token, nil
	}
}

func (r *reader) object(pointer string) (any, *Invalid) {
	object := make(map[string]any)
	for r.decoder.More() {
		start := r.next()
		token, err := r.decoder.Token()
		name, ok := token.(string)
		if err != nil || !ok {
			return nil, syntaxProblem(r.doc.body, err)
		}
		member := child(pointer, name)
		if _, again := object[name]; again {
			r.doc.duplicates = append(r.doc.duplicates, member)
		}
		r.doc.offsets[member] = start
		r.checkSurrogates(member, start)
		v, invalid := r.value(member)
		if invalid != nil {
			return nil, invalid
		}
		object[name] = v
	}
	return object, r.close()
}

func (r *reader) array(pointer string) (any, *Invalid) {
	array := []any{}
	length := 0
	for ; r.decoder.More(); length++ {
		v, invalid := r.value(element(pointer, length))
		if invalid != nil {
			return nil, invalid
		}
		if length < maxList {
			array = append(array, v)
		}
	}
	if length > maxList {
		r.doc.lists[pointer] = length
	}
	return array, r.close()
}

func (r *reader) close() *Invalid {
	if _, err := r.decoder.Token(); err != nil {
		return syntaxProblem(r.doc.body, err)
	}
	return nil
}

var integer = regexp.MustCompile(`^-?[0-9]{1,18}$`)

// number keeps plain integers: the contract knows no others, and 1e999999999
// must never be expanded.
func (r *reader) number(pointer string, n json.Number) any {
	if integer.MatchString(n.String()) {
		return n
	}
	r.doc.numbers = append(r.doc.numbers, pointer)
	return json.Number("0")
}

// next is the offset at which the next token starts.
func (r *reader) next() int {
	offset := int(r.decoder.InputOffset())
	for offset < len(r.doc.body) && strings.IndexByte(" \t\r\n,:", r.doc.body[offset]) >= 0 {
		offset++
	}
	return offset
}

// Either half of a \ud83d\ude00 pair, or a backslash pair to be skipped.
var escapes = regexp.MustCompile(`(?i)\\(?:\\|ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2}|u(d[89a-f][0-9a-f]{2}))`)

// checkSurrogates notes a string in which a \u escape is half a character:
// encoding/json would put another character in its place.
func (r *reader) checkSurrogates(pointer string, start int) {
	raw := r.doc.body[start:r.decoder.InputOffset()]
	for _, match := range escapes.FindAllSubmatchIndex(raw, -1) {
		if match[2] >= 0 {
			r.doc.surrogates = append(r.doc.surrogates, pointer)
			return
		}
	}
}
