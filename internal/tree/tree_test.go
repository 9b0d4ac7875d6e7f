package tree_test

import (
	"fmt"
	"strings"
	"testing"

	"goldmint/internal/tree"

	"github.com/google/go-cmp/cmp"
)

func read(t *testing.T, text string) *tree.Node {
	t.Helper()
	root, err := tree.ReadJSON(&tree.Source{Name: "a.json", Text: []byte(text)})
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// Each value has its path, its kind and its place: a member has the place of its name.
func TestReadJSON(t *testing.T) {
	root := read(t, "{\n  \"é\": \"x\", \"a\": [1, {\"b c\": null}],\n\t\"d\": {\"\": true, \"x/y~z\": \"\\ud800\"}, \"a\": \"😀\" }")
	var got []string
	var walk func(n *tree.Node)
	walk = func(n *tree.Node) {
		line := fmt.Sprintf("%d:%d %s %s %s %s", n.Place.Line, n.Place.Column, n.Pointer(), n.Path(), n.Kind, n.Text)
		if n.Broken {
			line += " broken"
		}
		got = append(got, strings.TrimRight(line, " "))
		for _, child := range n.Children {
			walk(child)
		}
	}
	walk(root)
	want := []string{
		"1:1   object",
		`2:3 /é ["é"] string x`,
		"2:13 /a a array",
		"2:19 /a/0 a[0] number 1",
		"2:22 /a/1 a[1] object",
		"2:23 /a/1/b c a[1][\"b c\"] null null",
		"3:2 /d d object",
		`3:8 /d/ d[""] boolean true`,
		"3:18 /d/x~1y~0z d[\"x/y~z\"] string \ufffd broken",
		"3:38 /a a string 😀",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// At always returns a node: a missing member has the place of its parent, and can be set.
func TestAt(t *testing.T) {
	root := read(t, `{"a": {"b": 1, "b": 2}, "c": [0]}`)
	if b := root.At("a", "b"); b.Text != "2" || !b.Is("2") {
		t.Errorf("the last of two is %q", b.Text)
	}
	for _, names := range [][]string{{"x"}, {"a", "x", "y"}, {"c", "x"}, {"a", "b", "x"}} {
		n := root.At(names...)
		if n.Given() || n.Pointer() != "/"+strings.Join(names, "/") || n.Path() != strings.Join(names, ".") {
			t.Errorf("%v: %s %s", names, n.Pointer(), n.Path())
		}
	}
	if n := root.At("a", "x"); n.Place != root.At("a").Place {
		t.Errorf("the place of what is missing is %v", n.Place)
	}
	root.At("a", "x").Set(&tree.Node{Kind: tree.String, Text: "<"})
	root.At("c").Element(1).Set(read(t, `{"y": [true]}`))
	root.At("c").Element(0).Set(&tree.Node{Kind: tree.Null})
	root.At("a", "b").Drop()
	if got := string(root.JSON()); got != `{"a":{"b":1,"x":"<"},"c":[null,{"y":[true]}]}` {
		t.Errorf("got %s", got)
	}
	if n := root.At("c").Element(1).At("y").Element(0); n.Pointer() != "/c/1/y/0" {
		t.Errorf("what was set is at %s", n.Pointer())
	}
	if n := root.At("a", "b"); n.Given() || n.Place.Column != 16 {
		t.Errorf("what was dropped is %v at %v", n.Kind, n.Place)
	}
}

// Nodes are in the order of the document. A missing node has the position of its parent.
func TestCompare(t *testing.T) {
	root := read(t, `{"a": {"b": 1}, "c": [0, 1]}`)
	order := []*tree.Node{root, root.At("a"), root.At("a", "b"), root.At("c"), root.At("c").Element(0), root.At("c").Element(1)}
	for i := range order {
		for j := range order {
			if got, want := tree.Compare(order[i], order[j]), min(max(i-j, -1), 1); got != want {
				t.Errorf("%s and %s compare as %d, want %d", order[i].Path(), order[j].Path(), got, want)
			}
		}
	}
	if got := tree.Compare(root.At("a", "x"), root.At("a")); got != 0 {
		t.Errorf("what is missing in a compares to a as %d", got)
	}
}
