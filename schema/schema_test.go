package schema_test

import (
	"bytes"
	"testing"

	"goldmint/schema"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

func documents() map[string][]byte {
	return map[string][]byte{"build-request": schema.BuildRequest, "event": schema.Event}
}

// The contracts are valid schemas.
func TestCompile(t *testing.T) {
	for name, text := range documents() {
		t.Run(name, func(t *testing.T) {
			compile(t, parse(t, text), "#")
		})
	}
}

// Every field of the request says what it is, what it must be where a pattern or a range could not
// say, and has valid examples.
func TestRequestIsDescribed(t *testing.T) {
	doc := parse(t, schema.BuildRequest)
	walk(doc, "#", func(at string, s map[string]any) {
		if s["pattern"] != nil || s["minimum"] != nil || s["maximum"] != nil {
			if s["errorMessage"] == nil && s["minLength"] == nil { // tag names have a rule of their own
				t.Errorf("%s has a limit without an errorMessage", at)
			}
		}
		if s["type"] == "object" && s["properties"] != nil && s["additionalProperties"] != false {
			t.Errorf("%s lets unknown fields pass", at)
		}
		if s["type"] == "array" && s["maxItems"] == nil {
			t.Errorf("%s is a list without an end", at)
		}
		for name, p := range properties(s) {
			p, ok := p.(map[string]any)
			if ok && p["description"] == nil && p["$ref"] == nil && p["enum"] == nil && p["properties"] == nil {
				t.Errorf("%s/properties/%s has no description", at, name)
			}
		}
		for i, example := range examples(s) {
			if err := compile(t, doc, at).Validate(example); err != nil {
				t.Errorf("%s: example %d: %v", at, i, err)
			}
		}
	})
}

func parse(t *testing.T, text []byte) map[string]any {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return doc.(map[string]any)
}

func compile(t *testing.T, doc map[string]any, at string) *jsonschema.Schema {
	t.Helper()
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	url := doc["$id"].(string)
	if err := compiler.AddResource(url, doc); err != nil {
		t.Fatal(err)
	}
	compiled, err := compiler.Compile(url + at)
	if err != nil {
		t.Fatal(err)
	}
	return compiled
}

func examples(s map[string]any) []any {
	list, _ := s["examples"].([]any)
	return list
}

func properties(s map[string]any) map[string]any {
	p, _ := s["properties"].(map[string]any)
	return p
}

// walk visits every schema that stands in properties, $defs or items.
func walk(s map[string]any, at string, visit func(string, map[string]any)) {
	visit(at, s)
	for _, keyword := range []string{"properties", "$defs"} {
		members, _ := s[keyword].(map[string]any)
		for name, member := range members {
			if member, ok := member.(map[string]any); ok {
				walk(member, at+"/"+keyword+"/"+name, visit)
			}
		}
	}
	if items, ok := s["items"].(map[string]any); ok {
		walk(items, at+"/items", visit)
	}
}
