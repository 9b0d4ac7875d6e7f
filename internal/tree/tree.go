// Package tree is a document as a tree of values with their places in the text. JSON, JSON with
// comments and YAML all become such a tree, so that one set of checks works for all of them.
package tree

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"goldmint/internal/quote"
)

// Kind is the kind of a value, in JSON's own words.
type Kind string

// The kinds. Missing is the kind of a place without a value.
const (
	Missing Kind = ""
	Null    Kind = "null"
	Boolean Kind = "boolean"
	Number  Kind = "number"
	String  Kind = "string"
	Array   Kind = "array"
	Object  Kind = "object"
)

// Node is a value and its place. An object keeps the order of its members, and members that appear
// twice, because the reader of the tree decides what those mean.
type Node struct {
	Kind     Kind
	Text     string  // a string, a number as it was written, true or false
	Name     string  // in an object
	Children []*Node // members or elements
	Place    Place   // of a member, that of its name
	Broken   bool    // the name or the text has an unpaired surrogate, such as \ud800
	Raw      string  // what a person typed in a --set, for a field that wants text

	parent *Node
	index  int // among the parent's children
}

// Place is a position in a source. Both numbers start at 1; line 0 means no place.
type Place struct {
	Source       *Source
	Line, Column int
}

// Source is a text that a value can come from.
type Source struct {
	Name    string
	Text    []byte
	Setting bool // a --set of the command line
}

// At is the place of a byte of the text.
func (s *Source) At(offset int) Place {
	before := s.Text[:min(offset, len(s.Text))]
	line := strings.Count(string(before), "\n") + 1
	return Place{s, line, utf8.RuneCount(before[strings.LastIndexByte(string(before), '\n')+1:]) + 1}
}

// At is the member at a chain of names, the last one if a name appears twice. A member that does
// not exist is a node of kind Missing, at the place of its parent.
func (n *Node) At(names ...string) *Node {
	for _, name := range names {
		next := &Node{Name: name, Place: n.Place, parent: n, index: len(n.Children)}
		for _, child := range n.Children {
			if child.Name == name && n.Kind == Object {
				next = child
			}
		}
		n = next
	}
	return n
}

// Given reports whether there is a value.
func (n *Node) Given() bool { return n.Kind != Missing }

// Drop removes the value. Its place stays, for messages about it.
func (n *Node) Drop() { n.Kind = Missing }

// Members are the members of an object that are given; anything else has none.
func (n *Node) Members() []*Node {
	if n.Kind != Object {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(n.Children), func(child *Node) bool { return !child.Given() })
}

// Elements are the elements of an array; anything else has none.
func (n *Node) Elements() []*Node {
	if n.Kind != Array {
		return nil
	}
	return n.Children
}

// String is the text of a string, or "" for other kinds.
func (n *Node) String() (text string, ok bool) {
	if n.Kind != String {
		return "", false
	}
	return n.Text, true
}

// Is reports whether the value is a string, number or boolean with that text.
func (n *Node) Is(text string) bool { return n.Kind != Missing && n.Text == text }

// Set replaces the node's value. A node that was missing becomes its parent's last child.
func (n *Node) Set(v *Node) {
	if n.parent != nil && !n.attached() {
		n.parent.Children = append(n.parent.Children, n)
	}
	n.Kind, n.Text, n.Raw, n.Broken, n.Children, n.Place = v.Kind, v.Text, v.Raw, v.Broken, v.Children, v.Place
	for _, child := range n.Children {
		child.parent = n
	}
}

func (n *Node) attached() bool {
	return n.index < len(n.parent.Children) && n.parent.Children[n.index] == n
}

// Element is the element of that index; the first one behind an array's last is Missing.
func (n *Node) Element(index int) *Node {
	if index < len(n.Children) {
		return n.Children[index]
	}
	return &Node{Place: n.Place, parent: n, index: index}
}

// Compare orders nodes by their position in the document. A missing node has the position of its
// parent.
func Compare(a, b *Node) int { return slices.Compare(a.position(), b.position()) }

func (n *Node) position() []int {
	var position []int
	for ; n.parent != nil; n = n.parent {
		if n.attached() {
			position = append(position, n.index)
		}
	}
	slices.Reverse(position)
	return position
}

// JSON writes the value as JSON, in the order of the tree.
func (n *Node) JSON() []byte { return n.appendJSON(nil) }

func (n *Node) appendJSON(b []byte) []byte {
	switch n.Kind {
	case Object, Array:
		open, end := "{", "}"
		if n.Kind == Array {
			open, end = "[", "]"
		}
		b = append(b, open...)
		for _, child := range n.Children {
			if !child.Given() {
				continue
			}
			if b[len(b)-1] != open[0] {
				b = append(b, ',')
			}
			if n.Kind == Object {
				b = append(appendQuote(b, child.Name), ':')
			}
			b = child.appendJSON(b)
		}
		return append(b, end...)
	case String:
		return appendQuote(b, n.Text)
	case Number, Boolean:
		return append(b, n.Text...)
	default:
		return append(b, "null"...)
	}
}

func appendQuote(b []byte, s string) []byte {
	b, _ = jsontext.AppendQuote(b, s) // its only error is invalid UTF-8
	return b
}

// Limits of a document, far more than a request can use and far less than would be expensive to
// read.
const (
	maxDepth  = 16
	maxValues = 6_000
	maxName   = 64 // bytes, for the name of an object or array, because all paths below repeat it
)

// Builder makes the nodes of one document and enforces the limits.
type Builder struct{ values int }

// Add makes the next child of a parent, or the root if the parent is nil.
func (b *Builder) Add(parent *Node, kind Kind, name string, at Place) (*Node, error) {
	n := &Node{Kind: kind, Name: name, Place: at, parent: parent}
	depth := 0
	for p := n; p != nil; p = p.parent {
		depth++
	}
	container := kind == Object || kind == Array
	switch b.values++; {
	case b.values > maxValues:
		return nil, fmt.Errorf("the body holds more than %d values", maxValues)
	case container && depth > maxDepth:
		return nil, fmt.Errorf("the body is nested deeper than %d levels", maxDepth)
	case container && len(name) > maxName:
		const words = "the field %s holds an object or an array: no such field has a name longer than %d bytes"
		return nil, fmt.Errorf(words, quote.Foreign(name), maxName)
	}
	if parent != nil {
		n.index = len(parent.Children)
		parent.Children = append(parent.Children, n)
	}
	return n, nil
}

// Pointer is the place in the document as a JSON pointer (RFC 6901).
func (n *Node) Pointer() string {
	switch {
	case n.parent == nil:
		return ""
	case n.isElement():
		return n.parent.Pointer() + "/" + strconv.Itoa(n.index)
	default:
		return n.parent.Pointer() + "/" + escape.Replace(n.Name)
	}
}

// isElement reports whether the node is an element, rather than a name that At searched for in an
// array.
func (n *Node) isElement() bool { return n.parent.Kind == Array && n.Name == "" }

var escape = strings.NewReplacer("~", "~0", "/", "~1")

// Path is the place as people write it: a.b[0].c, with quotes around a name that could be misread.
func (n *Node) Path() string {
	if n.parent == nil {
		return ""
	}
	before := n.parent.Path()
	switch {
	case n.isElement():
		return before + "[" + strconv.Itoa(n.index) + "]"
	case n.Name == "" || len(n.Name) > quote.Max || strings.Trim(n.Name, plain) != "":
		return before + "[" + quote.Foreign(n.Name) + "]"
	case before == "":
		return n.Name
	}
	return before + "." + n.Name
}

const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-$"

// ReadJSON reads a source whose text is JSON. An error says which limit the document exceeds, or
// that the text is not JSON; for the latter encoding/json has better messages.
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
	offset       int // lines and columns are counted up to here
	line, column int
}

// value reads the next value. A member of an object gets the place of its name.
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

// unquote is the text of a JSON string, and whether it has an unpaired surrogate.
func unquote(raw jsontext.Value) (text string, broken bool) {
	b, err := jsontext.AppendUnquote(nil, raw)
	return string(b), err != nil
}
