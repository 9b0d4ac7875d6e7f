package request

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"goldmint/internal/iso8601"
	"goldmint/internal/quote"
	contracts "goldmint/schema"
)

// schema is a part of the contract, schema/build-request.schema.json, with its references resolved.
type schema struct {
	keywords
	properties map[string]*schema
	names      []string // of the properties that a sender may set, sorted
	values     *schema  // of an object whose names the sender chooses: tags and metadata
	items      *schema
	pattern    *regexp.Regexp
	sources    []string // the properties of which one is required
	free       bool     // any text is allowed, even one that looks like a placeholder
}

// keywords are the keywords of JSON Schema that are checked here, and four of Goldmint's own.
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
	ResourceTypes  []string // whose IDs are allowed, here or in the field id; empty for an ID of another form
}

// contract is the schema of the whole request.
type contract struct {
	*schema
	root   keywords
	places map[string][]string // for the name of a field, the paths where it belongs
}

// loadContract reads the embedded schema once. It panics on an error, because the schema is part of
// the program and not an input.
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

// read merges a schema's keywords over those of the schema that it refers to.
func (c *contract) read(text json.RawMessage, k *keywords) {
	var own keywords
	mustUnmarshal(text, &own)
	if own.Ref != "" {
		c.read(c.root.Defs[strings.TrimPrefix(own.Ref, "#/$defs/")], k)
	}
	mustUnmarshal(text, k)
}

// load reads the schema of the value at a path.
func (c *contract) load(text json.RawMessage, path string) *schema {
	s := &schema{properties: make(map[string]*schema)}
	c.read(text, &s.keywords)
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		at := strings.TrimPrefix(path+"."+name, ".")
		property := c.load(s.Properties[name], at)
		s.properties[name] = property
		if !property.ReadOnly && name != "$schema" { // these are not part of a request
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

// child is the schema of a member, or nil for an unknown name.
func (s *schema) child(name string) *schema {
	if property := s.properties[name]; property != nil {
		return property
	}
	return s.values
}

// formats are the rules of texts for which a pattern is not enough.
var formats = map[string]func(string) error{
	"blob-url":  checkBlobURL,
	"duration":  checkTimeout,
	"date-time": checkDate,
}

func checkTimeout(text string) error {
	switch d, err := iso8601.Parse(text); {
	case err != nil:
		return err
	case d < MinTimeout || d > MaxTimeout:
		return fmt.Errorf("must be from PT5M to PT24H, not %s", quote.Foreign(text))
	}
	return nil
}

func checkDate(text string) error {
	if _, err := time.Parse(time.RFC3339, text); err != nil {
		return fmt.Errorf("must be a date and time such as 2027-02-01T00:00:00Z; it is %s", quote.Foreign(text))
	}
	return nil
}

// The blob endpoints of Azure's public and sovereign clouds, and those of accounts in a DNS zone
// (z01 and the like).
var blobHost = regexp.MustCompile(`^[a-z0-9]{3,24}\.(blob\.core\.(windows\.net|usgovcloudapi\.net|chinacloudapi\.cn|cloudapi\.de)` +
	`|(z[0-9]{1,2}\.)?blob\.storage\.azure\.net)$`)

// Printable ASCII without the characters that a URL has to escape.
var urlText = regexp.MustCompile(`^[!#-;=?-\[\]_a-z~]*$`)

// checkBlobURL accepts only the plain https URL of a blob. Its error never repeats a query or a
// password.
func checkBlobURL(text string) error {
	example := "such as https://account.blob.core.windows.net/container/disk.vhd"
	u, err := url.Parse(text)
	switch {
	case !urlText.MatchString(text):
		return errors.New("holds a character that a URL must escape (a space, a quote, a backslash, or a letter beyond ASCII)")
	case err != nil || u.Opaque != "" || !strings.EqualFold(u.Scheme, "https"):
		return fmt.Errorf("must be the https URL of a blob, %s", example)
	case u.User != nil:
		return errors.New("may not hold a user name or password")
	case u.RawQuery != "" || u.ForceQuery:
		return errors.New("may not hold a query or SAS token: Azure refuses it; give the plain URL and let Azure read the blob with its own rights")
	case strings.Contains(text, "#"):
		return errors.New("may not hold a fragment (#…)")
	case u.Host != u.Hostname():
		return errors.New("may not name a port")
	case !blobHost.MatchString(strings.ToLower(u.Host)):
		return fmt.Errorf("must point at a blob endpoint of Azure, %s; %s is none", example, quote.Foreign(u.Host))
	}
	segments := strings.Split(u.Path, "/")[1:]
	bad := func(s string) bool { return s == "" || s == "." || s == ".." || strings.ContainsAny(s, "\x00\\") }
	if len(segments) == 0 || slices.ContainsFunc(segments, bad) {
		return fmt.Errorf("must name a blob after the host, %s", example)
	}
	return nil
}
