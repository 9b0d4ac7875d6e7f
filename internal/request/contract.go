package request

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"goldmint/schema"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// contract is the JSON Schema, ready to be held against a document.
type contract struct {
	compiled *jsonschema.Schema
	text     map[string]any      // the schema's own JSON, for the words it has for a mistake
	fields   map[string][]string // JSON pointer of an object to the names of its fields; elements are 0
	places   map[string][]string // field name to the paths at which it belongs
}

// loadContract compiles the embedded schema once. That it compiles is a
// property of the program, not of any input.
var loadContract = sync.OnceValue(func() *contract {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema.BuildRequest))
	if err != nil {
		panic(fmt.Sprintf("embedded build request schema: %v", err))
	}
	text := doc.(map[string]any)
	url := text["$id"].(string)
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource(url, doc); err != nil {
		panic(fmt.Sprintf("embedded build request schema: %v", err))
	}
	c := &contract{
		compiled: compiler.MustCompile(url),
		text:     text,
		fields:   make(map[string][]string),
		places:   make(map[string][]string),
	}
	c.walk(c.compiled, "")
	return c
})

// walk notes which fields the objects of the contract have, in their order.
func (c *contract) walk(s *jsonschema.Schema, at string) {
	for s.Ref != nil {
		s = s.Ref
	}
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		property, place := s.Properties[name], child(at, name)
		if name == "$schema" { // for editors; it is no part of what is asked
			continue
		}
		if property.Ref == nil || !property.Ref.ReadOnly {
			c.fields[at] = append(c.fields[at], name)
			c.places[name] = append(c.places[name], strings.ReplaceAll(path(place), "[0]", "[]"))
		}
		c.walk(property, place)
	}
	if items := s.Items2020; items != nil {
		c.walk(items, element(at, 0))
	}
}

// WantsText reports whether the contract has text at the place that the JSON pointer names: a string, or one of some words.
func WantsText(pointer string) bool {
	s := loadContract().at(pointer)
	return s != nil && (s.Enum != nil || s.Types != nil && slices.Contains(s.Types.ToStrings(), "string"))
}

// at is what the contract says of the place, nil where it has no such place.
func (c *contract) at(pointer string) *jsonschema.Schema {
	s := c.compiled
	for _, token := range tokens(pointer) {
		for s.Ref != nil {
			s = s.Ref
		}
		next := s.Properties[token]
		if next == nil {
			next, _ = s.AdditionalProperties.(*jsonschema.Schema)
		}
		if s.Items2020 != nil && isIndex(token) {
			next = s.Items2020
		}
		if s = next; s == nil {
			return nil
		}
	}
	for s.Ref != nil {
		s = s.Ref
	}
	return s
}

// check holds the document against the schema, adds what it finds and returns
// the schema's own verdict.
func (c *contract) check(f *findings) error {
	err := c.compiled.Validate(f.doc.root)
	if err == nil {
		return nil
	}
	t := translator{contract: c, findings: f}
	t.all(err.(*jsonschema.ValidationError)) //nolint:errorlint // Validate's documented type, never wrapped
	return err
}

// expected is the errorMessage beside the keyword that failed: the schema's own
// words for what is allowed. url is the schema's address with a JSON pointer.
func (c *contract) expected(url string) string {
	_, pointer, _ := strings.Cut(url, "#")
	var at any = c.text
	for _, token := range tokens(pointer) {
		object, _ := at.(map[string]any)
		at = object[token]
	}
	object, _ := at.(map[string]any)
	words, _ := object["errorMessage"].(string)
	return words
}
