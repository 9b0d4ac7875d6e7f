package request

import (
	"bytes"
	"fmt"
	"goldmint/schema"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// contract is the JSON Schema, ready to be held against a document.
type contract struct {
	compiled *jsonschema.Schema
	text     map[string]any      // the schema's own JSON, for the words it has for a mistake
	places   map[string][]string // field name to the paths at which the contract knows it
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
	c := &contract{compiled: compiler.MustCompile(url), text: text, places: make(map[string][]string)}
	c.walk(c.compiled, "")
	return c
})

// walk notes where each field of the contract has its place.
func (c *contract) walk(s *jsonschema.Schema, at string) {
	for s.Ref != nil {
		s = s.Ref
	}
	for name, property := range s.Properties {
		place := at + "/" + name
		if property.Ref == nil || !property.Ref.ReadOnly {
			c.places[name] = append(c.places[name], place)
		}
		c.walk(property, place)
	}
	if items := s.Items2020; items != nil {
		c.walk(items, at+"/0")
	}
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
