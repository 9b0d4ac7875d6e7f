package requestfile

import (
	"encoding/json"
	"strings"
	"sync"

	"goldmint/schema"
)

// contract is the part of a JSON Schema that says what kind of value stands where.
type contract struct {
	Ref                  string               `json:"$ref"`
	Type                 string               `json:"type"`
	Properties           map[string]*contract `json:"properties"`
	AdditionalProperties json.RawMessage      `json:"additionalProperties"` // a schema, or false
	Items                *contract            `json:"items"`
	Defs                 map[string]*contract `json:"$defs"`
}

var buildRequest = sync.OnceValue(func() *contract {
	c := new(contract)
	if err := json.Unmarshal(schema.BuildRequest, c); err != nil {
		panic(err) // embedded; a test reads it
	}
	return c
})

// contractWantsText reports whether the build request's contract has something else than a number, a boolean, an object or
// an array at the path: there 20261123 is a text.
func contractWantsText(path []step) bool {
	root := buildRequest()
	c := root
	for _, s := range path {
		if c = root.resolve(c).at(s); c == nil {
			return false
		}
	}
	switch root.resolve(c).Type {
	case "integer", "boolean", "object", "array", "number":
		return false
	}
	return true
}

// resolve follows references within the contract.
func (c *contract) resolve(part *contract) *contract {
	for part.Ref != "" {
		part = c.Defs[strings.TrimPrefix(part.Ref, "#/$defs/")]
	}
	return part
}

// at is the part for one step, nil where the contract has none.
func (c *contract) at(s step) *contract {
	if s.index >= 0 {
		return c.Items
	}
	if p := c.Properties[s.name]; p != nil {
		return p
	}
	more := new(contract)
	if json.Unmarshal(c.AdditionalProperties, more) != nil {
		return nil
	}
	return more
}
