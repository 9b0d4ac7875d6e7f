package request

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"

	contracts "goldmint/schema"
)

// schema is a part of the contract, schema/build-request.schema.json, with its references resolved.
type schema struct {
	keywords
	properties map[string]*schema
	names      []string // of the properties that a sender may give, sorted
	values     *schema  // of an object whose names are the sender's own: tags and metadata
	items      *schema
	pattern    *regexp.Regexp
	sources    []string // the properties of which one has to be given
	free       bool     // any text will do, one that looks like a placeholder too
}

// keywords are those of JSON Schema that are checked here, and four of the contract's own.
type keywords struct {
	Ref                  string                     `json:"$ref"`
	Defs                 map[string]json.RawMessage `json:"$defs"`
	Type                 string
	Enum                 []string
	Format               string
	Pattern              string
	MaxLength            int
	Minimum, Maximum     *int64
	MinItems, MaxItems   int
	Required             []string
	Properties           map[string]json.RawMessage
	AdditionalProperties json.RawMessage
	Items                json.RawMessage
	OneOf                []struct {
		Required   []string
		Properties json.RawMessage
	}
	ReadOnly bool

	ErrorMessage   string   // follows "must be"
	MissingMessage string   // follows "is missing"
	ResourceTypes  []string // those whose IDs are allowed, here or in the field id; empty for an ID of another form
}

// contract is the schema of the whole request.
type contract struct {
	*schema
	root   keywords
	places map[string][]string // the name of a field to the paths at which it belongs
}

// loadContract reads the embedded schema once. That it can be read is a property of the program, not of any input.
var loadContract = sync.OnceValue(func() *contract {
	c := &contract{places: make(map[string][]string)}
	mustUnmarshal(contracts.BuildRequest, &c.root)
	c.schema = c.load(contracts.BuildRequest, "")
	c.properties["$schema"].free = true
	return c
})

func mustUnmarshal(text []byte, v any) {
	if err := json.Unmarshal(text, v); err != nil {
		panic(fmt.Sprintf("embedded build request schema: %v", err))
	}
}

// read puts a schema's keywords over those of the one that it refers to.
func (c *contract) read(text json.RawMessage, k *keywords) {
	var own keywords
	mustUnmarshal(text, &own)
	if own.Ref != "" {
		c.read(c.root.Defs[strings.TrimPrefix(own.Ref, "#/$defs/")], k)
	}
	mustUnmarshal(text, k)
}

// load reads the schema of what lies at a path.
func (c *contract) load(text json.RawMessage, path string) *schema {
	s := &schema{properties: make(map[string]*schema)}
	c.read(text, &s.keywords)
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		at := strings.TrimPrefix(path+"."+name, ".")
		property := c.load(s.Properties[name], at)
		s.properties[name] = property
		if !property.ReadOnly && name != "$schema" { // which is no part of what is asked
			s.names = append(s.names, name)
			c.places[name] = append(c.places[name], at)
		}
		if name == "id" && property.ResourceTypes == nil {
			property.ResourceTypes = s.ResourceTypes
		}
	}
	if a := string(s.AdditionalProperties); a != "" && a != "false" {
		s.values = c.load(s.AdditionalProperties, path)
		s.values.free = true
	}
	if s.Items != nil {
		s.items = c.load(s.Items, path+"[]")
	}
	if s.Pattern != "" {
		s.pattern = regexp.MustCompile(s.Pattern)
	}
	for _, one := range s.OneOf {
		if len(one.Required) == 1 && one.Properties == nil {
			s.sources = append(s.sources, one.Required[0])
		}
	}
	return s
}

// child is the schema of a member, nil where the contract has none of that name.
func (s *schema) child(name string) *schema {
	if property := s.properties[name]; property != nil {
		return property
	}
	return s.values
}
