package requestfile

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
)

// node is a value and where it was written. An object keeps the order of its members, and members that appear twice: the
// request's own rules speak of both.
type node struct {
	place    place
	kind     kind
	members  []member // of an object
	elements []*node  // of an array
	scalar   string   // JSON, of anything else
}

type kind int

const (
	scalar kind = iota
	object
	array
)

// member is a field of an object. Its place is its name's.
type member struct {
	name  string
	place place
	value *node
}

// member is the last one of that name, nil where there is none.
func (n *node) member(name string) *member {
	for i := len(n.members) - 1; i >= 0; i-- {
		if n.members[i].name == name {
			return &n.members[i]
		}
	}
	return nil
}

// encode writes the value as JSON and tells for each JSON pointer where its value was written.
func (n *node) encode() ([]byte, map[string]place) {
	var b bytes.Buffer
	places := map[string]place{}
	n.write(&b, "", places)
	return b.Bytes(), places
}

func (n *node) write(b *bytes.Buffer, pointer string, places map[string]place) {
	if _, named := places[pointer]; !named {
		places[pointer] = n.place
	}
	switch n.kind {
	case object:
		b.WriteByte('{')
		for i, m := range n.members {
			if i > 0 {
				b.WriteByte(',')
			}
			at := pointer + "/" + escape.Replace(m.name)
			places[at] = m.place
			b.WriteString(quote(m.name) + ":")
			m.value.write(b, at, places)
		}
		b.WriteByte('}')
	case array:
		b.WriteByte('[')
		for i, e := range n.elements {
			if i > 0 {
				b.WriteByte(',')
			}
			e.write(b, pointer+"/"+strconv.Itoa(i), places)
		}
		b.WriteByte(']')
	default:
		b.WriteString(n.scalar)
	}
}

var escape = strings.NewReplacer("~", "~0", "/", "~1") // RFC 6901

// quote is the text as a JSON string.
func quote(s string) string {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(s) // a string always encodes
	return strings.TrimSuffix(b.String(), "\n")
}
