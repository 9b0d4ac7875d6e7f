package request

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// translator puts a schema's verdicts into words that a person can act on.
type translator struct {
	contract *contract
	findings *findings
}

func (t translator) all(e *jsonschema.ValidationError) {
	if t.one(e) {
		return
	}
	for _, cause := range e.Causes {
		t.all(cause)
	}
}

// one adds what e says. It reports whether e is dealt with, causes included.
func (t translator) one(e *jsonschema.ValidationError) bool {
	at := pointerTo(e.InstanceLocation)
	switch k := e.ErrorKind.(type) {
	case *kind.Required:
		for _, name := range k.Missing {
			t.findings.add(child(at, name), "is missing%s", purpose(name))
		}
	case *kind.AdditionalProperties:
		for _, name := range k.Properties {
			t.findings.add(child(at, name), "%s", t.contract.unknown(at, name))
		}
	case *kind.Type:
		hint := ""
		if slices.Contains(k.Want, "string") && (k.Got == "number" || k.Got == "boolean") {
			hint = "; put it in quotes"
		}
		t.findings.add(at, "must be %s, not %s%s", withArticle(k.Want), got(k.Got), hint)
	case *kind.Enum:
		t.findings.add(at, "%s", oneOf(k.Got, k.Want))
	case *kind.Pattern:
		t.findings.add(at, "must be %s; it is %s", t.contract.expected(e.SchemaURL), quote(k.Got))
	case *kind.MaxLength:
		t.findings.add(at, "has %d characters; at most %d are allowed", k.Got, k.Want)
	case *kind.Minimum:
		t.findings.add(at, "must be %s; it is %s", t.contract.expected(e.SchemaURL), k.Got.RatString())
	case *kind.Maximum:
		t.findings.add(at, "must be %s; it is %s", t.contract.expected(e.SchemaURL), k.Got.RatString())
	case *kind.MaxItems:
		t.findings.add(at, "has %d elements; at most %d are allowed", k.Got, k.Want)
	case *kind.MinItems:
		t.findings.add(at, "must be %s", t.contract.expected(e.SchemaURL))
	case *kind.Not:
		if strings.HasSuffix(e.SchemaURL, "/readOnly") {
			t.findings.add(at, "is read-only: Azure sets it; leave it out")
		} // the rules say the others better
	case *kind.OneOf, *kind.PropertyNames, *kind.MaxProperties:
		// The rules say these better; see rules.go.
	default:
		return false
	}
	return true
}

func pointerTo(location []string) string {
	var pointer string
	for _, token := range location {
		pointer = child(pointer, token)
	}
	return pointer
}

// purpose says what a missing field is for.
func purpose(name string) string {
	switch name {
	case "resourceGroup":
		return ": the resource group in which the image is created"
	case "image":
		return ": the body of the Image resource (location, tags, properties)"
	case "location":
		return ": the region of the image, such as westeurope"
	case "galleryName":
		return ": the Azure Compute Gallery in which the version is created"
	case "galleryImageName":
		return ": the image definition of the gallery"
	case "galleryImageVersion":
		return ": the body of the gallery image version (location, tags, properties)"
	case "publishingProfile":
		return ": it names the targetRegions"
	case "targetRegions":
		return ": the regions that get the version, its own location among them"
	case "properties":
		return ": it names the source, as sourceVirtualMachine or storageProfile"
	case "osType":
		return `; it must be "Windows" or "Linux"`
	case "osState":
		return `; it must be "Generalized" or "Specialized"`
	case "lun":
		return "; it must be a number from 0 to 63 of the disk's own"
	default:
		return ""
	}
}

func got(got string) string {
	if got == "null" {
		return "null; leave the field out instead"
	}
	return got
}

func withArticle(types []string) string {
	words := slices.Clone(types)
	for i, word := range words {
		switch word {
		case "integer":
			words[i] = "a whole number"
		case "array", "object":
			words[i] = "an " + word
		case "boolean":
			words[i] = "true or false"
		default:
			words[i] = "a " + word
		}
	}
	return join(words, "or")
}

func oneOf(got any, want []any) string {
	allowed := make([]string, len(want))
	for i, w := range want {
		allowed[i] = fmt.Sprint(w)
	}
	text, ok := got.(string)
	if !ok {
		return "must be " + either(allowed) + ", not " + literal(got)
	}
	message := "must be " + either(allowed) + ", not " + quote(text)
	if near := nearest(text, allowed); near != "" && len(allowed) > 1 {
		message += "; did you mean " + quote(near) + "?"
	}
	return message
}

// literal names a value that is not a string.
func literal(v any) string {
	switch v := v.(type) {
	case json.Number:
		return v.String()
	case bool:
		return fmt.Sprint(v)
	default:
		return kindOf(v)
	}
}

// unknown is the message for a field that the contract does not have there.
func (c *contract) unknown(parent, name string) string {
	if name == "systemData" {
		return "is read-only: Azure sets it; leave it out"
	}
	siblings := c.fields[anyElement(parent)]
	if near := nearest(name, siblings); near != "" {
		return "is unknown; did you mean " + quote(near) + "?"
	}
	if elsewhere := c.places[name]; len(elsewhere) > 0 && len(elsewhere) <= 2 { // more would not help
		return "has no place here; it belongs at " + join(elsewhere, "or")
	}
	return "is unknown; allowed here are " + join(siblings, "and")
}

// anyElement writes every array index of a pointer as 0.
func anyElement(pointer string) string {
	parts := strings.Split(pointer, "/")
	for i, part := range parts {
		if isIndex(part) {
			parts[i] = "0"
		}
	}
	return strings.Join(parts, "/")
}
