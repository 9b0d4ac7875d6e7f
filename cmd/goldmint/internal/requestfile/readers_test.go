package requestfile

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"

	"goldmint/internal/request"
	"goldmint/internal/tree"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// FuzzReaders: JSON is JSON with comments and, but for a few things, YAML: all three readers make
// one tree of it.
func FuzzReaders(f *testing.F) {
	f.Add(`{"name": "web", "image": {"tags": {"a": "1"}, "properties": {"storageProfile": {"dataDisks": [{"lun": 1}, null]}}}}`)
	f.Add(`{"a": {"b": [], "c": {}}, "a": true, "": "é😀", "x/y~z": "\u0000\n\"\\"}`)
	f.Add(`[[1, -2], "", "a: b", "# c", "- d", "'", "null", "true", "0x1F", "<<"]`)
	f.Fuzz(func(t *testing.T, text string) {
		source := &tree.Source{Text: []byte(text)}
		plain, err := request.Parse(source)
		if err != nil {
			return
		}
		commented, err := parseJSON(&tree.Source{Text: []byte(string(source.Text) + "// c\n")})
		if err != nil {
			t.Fatalf("as JSON with comments: %v", err)
		}
		if diff := compare(plain, commented); diff != "" {
			t.Errorf("JSON and JSON with comments differ:\n%s", diff)
		}
		if !isYAML(plain) {
			return
		}
		again, err := parseYAML(&tree.Source{Text: plain.JSON()})
		if err != nil {
			t.Fatalf("%s as YAML: %v", plain.JSON(), err)
		}
		if diff := compare(plain, again, cmpopts.IgnoreFields(tree.Node{}, "Place")); diff != "" {
			t.Errorf("JSON and YAML differ on %s:\n%s", plain.JSON(), diff)
		}
	})
}

func compare(a, b *tree.Node, options ...cmp.Option) string {
	return cmp.Diff(a, b, append(options, cmpopts.IgnoreUnexported(tree.Node{}), cmpopts.IgnoreFields(tree.Place{}, "Source"))...)
}

// isYAML leaves out what the YAML parser reads otherwise: numbers that are no plain integers (a
// text to it, or another number), the merge key, half characters, and texts with characters that
// YAML does not print.
func isYAML(n *tree.Node) bool {
	odd := func(r rune) bool { return !unicode.IsPrint(r) }
	number := strings.TrimPrefix(n.Text, "-")
	switch {
	case n.Broken || n.Name == "<<" || strings.ContainsFunc(n.Name, odd):
		return false
	case n.Kind == tree.String && strings.ContainsFunc(n.Text, odd):
		return false
	case n.Kind == tree.Number && (n.Text == "-0" || len(number) > 18 || strings.Trim(number, "0123456789") != "" || !json.Valid([]byte(n.Text))):
		return false
	}
	for _, child := range n.Children {
		if !isYAML(child) {
			return false
		}
	}
	return true
}
