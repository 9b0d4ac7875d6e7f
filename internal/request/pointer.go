package request

import (
	"strconv"
	"strings"
)

// RFC 6901 writes ~ as ~0 and / as ~1.
var (
	escape   = strings.NewReplacer("~", "~0", "/", "~1")
	unescape = strings.NewReplacer("~1", "/", "~0", "~")
)

// child is the JSON pointer of a member of what parent points at.
func child(parent, name string) string {
	return parent + "/" + escape.Replace(name)
}

// element is the JSON pointer of an element of the array that parent points at.
func element(parent string, index int) string {
	return parent + "/" + strconv.Itoa(index)
}

// tokens takes a JSON pointer apart.
func tokens(pointer string) []string {
	if pointer == "" {
		return nil
	}
	parts := strings.Split(pointer[1:], "/")
	for i, part := range parts {
		parts[i] = unescape.Replace(part)
	}
	return parts
}

// path writes a JSON pointer as people write it: a.b[0].c, with a quoted name
// where a bare one could be misread.
func path(pointer string) string {
	var b strings.Builder
	for _, token := range tokens(pointer) {
		switch {
		case isIndex(token) && b.Len() > 0:
			b.WriteString("[" + token + "]")
		case isPlain(token):
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			b.WriteString(token)
		default:
			b.WriteString("[" + quote(token) + "]")
		}
	}
	return b.String()
}

func isIndex(token string) bool {
	return token != "" && len(token) < 6 && strings.Trim(token, "0123456789") == ""
}

func isPlain(token string) bool {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-$"
	return token != "" && len(token) <= maxQuoted && strings.Trim(token, plain) == ""
}
