package requestfile

import (
	"errors"
	"fmt"

	"goldmint/internal/request"
	"goldmint/internal/tree"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// invalidYAML is the reason for a text that is no YAML, beside the reasons of package request.
const invalidYAML = "InvalidYAML"

// parseYAML reads YAML 1.2: one document, with anchors and aliases, without merge keys.
func parseYAML(file *tree.Source) (*tree.Node, error) {
	r := &yamlReader{file: file, anchors: map[string]ast.Node{}}
	parsed, err := parser.ParseBytes(file.Text, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		var at tree.Place
		message := err.Error()
		if problem := yaml.Error(nil); errors.As(err, &problem) {
			at, message = r.place(problem.GetToken()), problem.GetMessage()
		}
		return nil, request.Refuse(invalidYAML, at, "the file is not YAML: %s", message)
	}
	var root *tree.Node
	for _, doc := range parsed.Docs {
		switch {
		case doc.Body == nil:
			continue
		case root != nil:
			return nil, request.Refuse(invalidYAML, r.start(doc.Body), "the file holds more than one document; a request is one")
		}
		if root, err = r.value(nil, "", r.start(doc.Body), doc.Body); err != nil {
			return nil, err
		}
	}
	if root == nil {
		return nil, empty()
	}
	return root, nil
}

type yamlReader struct {
	tree.Builder
	file    *tree.Source
	anchors map[string]ast.Node // that are complete: none holds an alias of itself
}

// value reads a value, whose place is that of its name where it has one.
func (r *yamlReader) value(parent *tree.Node, name string, at tree.Place, v ast.Node) (*tree.Node, error) {
	switch v := v.(type) {
	case *ast.AnchorNode:
		n, err := r.value(parent, name, at, v.Value)
		r.anchors[v.Name.GetToken().Value] = v.Value
		return n, err
	case *ast.AliasNode:
		anchored, ok := r.anchors[v.Value.GetToken().Value]
		if !ok {
			return nil, r.refuse(v, "there is no anchor &%s before this place", v.Value.GetToken().Value)
		}
		return r.value(parent, name, at, anchored)
	case *ast.TagNode:
		return nil, r.refuse(v, "the tag %s is not understood here; leave it out", v.GetToken().Value)
	case *ast.LiteralNode:
		return r.value(parent, name, at, v.Value)
	}
	kind, text := kindOf(v)
	if kind == tree.Missing {
		return nil, r.refuse(v, "%s is not understood here", v.Type())
	}
	n, err := r.Add(parent, kind, name, at)
	if err != nil {
		return nil, request.Refuse(invalidYAML, at, "%v", err)
	}
	n.Text = text
	switch v := v.(type) {
	case ast.MapNode:
		for member := v.MapRange(); member.Next() && err == nil; {
			key := member.Key().GetToken()
			if member.Key().IsMergeKey() {
				return nil, r.refuse(member.Key(), "merge keys (<<) are not understood here; write the fields out")
			}
			_, err = r.value(n, key.Value, r.place(key), member.Value())
		}
	case *ast.SequenceNode:
		for i := 0; i < len(v.Values) && err == nil; i++ {
			_, err = r.value(n, "", r.start(v.Values[i]), v.Values[i])
		}
	}
	return n, err
}

// kindOf is the kind of a value and, but for lists and mappings, its text.
func kindOf(v ast.Node) (tree.Kind, string) {
	switch v := v.(type) {
	case ast.MapNode:
		return tree.Object, ""
	case *ast.SequenceNode:
		return tree.Array, ""
	case *ast.MergeKeyNode:
	case ast.ScalarNode:
		switch value := v.GetValue().(type) {
		case nil:
			return tree.Null, "null"
		case bool:
			return tree.Boolean, fmt.Sprint(value)
		case string:
			return tree.String, value
		case float64: // .inf and .nan too
			return tree.Number, v.GetToken().Value
		default: // 0x1F is 31
			return tree.Number, fmt.Sprint(value)
		}
	}
	return tree.Missing, ""
}

func (r *yamlReader) refuse(v ast.Node, format string, args ...any) error {
	return request.Refuse(invalidYAML, r.place(v.GetToken()), format, args...)
}

// start is where a value starts: a mapping's own token is a colon.
func (r *yamlReader) start(v ast.Node) tree.Place {
	if mapping, ok := v.(ast.MapNode); ok {
		if member := mapping.MapRange(); member.Next() {
			return r.place(member.Key().GetToken())
		}
	}
	return r.place(v.GetToken())
}

func (r *yamlReader) place(t *token.Token) tree.Place {
	if t == nil || t.Position == nil {
		return tree.Place{Source: r.file}
	}
	return tree.Place{Source: r.file, Line: t.Position.Line, Column: t.Position.Column}
}
