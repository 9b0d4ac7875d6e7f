package requestfile

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// invalidYAML is the reason for a text that is no YAML, beside the reasons of package request.
const invalidYAML = "InvalidYAML"

// maxValues bounds what aliases may expand to, far above what a request can use.
const maxValues = 10_000

// parseYAML reads YAML 1.2: one document, with anchors and aliases, without merge keys.
func parseYAML(file *source) (*node, error) {
	p := &yamlParser{file: file, anchors: map[string]ast.Node{}}
	parsed, err := parser.ParseBytes(file.text, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		var at place
		message := err.Error()
		if problem := yaml.Error(nil); errors.As(err, &problem) {
			at, message = p.place(problem.GetToken()), problem.GetMessage()
		}
		return nil, file.refuse(invalidYAML, at, "the file is not YAML: %s", message)
	}
	var root *node
	for _, doc := range parsed.Docs {
		if doc.Body == nil {
			continue
		}
		n, err := p.value(doc.Body)
		if err != nil {
			return nil, err
		}
		if root != nil {
			return nil, file.refuse(invalidYAML, n.place, "the file holds more than one document; a request is one")
		}
		root = n
	}
	if root == nil {
		return nil, file.empty()
	}
	return root, nil
}

type yamlParser struct {
	file    *source
	anchors map[string]ast.Node
	open    []string // aliases being expanded
	values  int
}

// value makes a node of what the parser read.
func (p *yamlParser) value(v ast.Node) (*node, error) {
	if p.values++; p.values > maxValues {
		return nil, p.refuse(v, "the file holds more than %d values", maxValues)
	}
	n := &node{place: p.place(v.GetToken())}
	switch v := v.(type) {
	case *ast.MappingNode:
		n.kind = object
		return n, p.members(n, v.Values)
	case *ast.MappingValueNode:
		n.kind = object
		return n, p.members(n, []*ast.MappingValueNode{v})
	case *ast.SequenceNode:
		n.kind = array
		return n, p.elements(n, v)
	case *ast.AnchorNode:
		p.anchors[v.Name.GetToken().Value] = v.Value
		return p.value(v.Value)
	case *ast.AliasNode:
		return p.alias(v)
	case *ast.TagNode:
		return nil, p.refuse(v, "the tag %s is not understood here; leave it out", v.GetToken().Value)
	}
	var err error
	n.scalar, err = p.scalar(v)
	return n, err
}

func (p *yamlParser) members(n *node, values []*ast.MappingValueNode) error {
	for _, v := range values {
		if v.Key.IsMergeKey() {
			return p.refuse(v.Key, "merge keys (<<) are not understood here; write the fields out")
		}
		value, err := p.value(v.Value)
		if err != nil {
			return err
		}
		at := v.Key.GetToken()
		n.members = append(n.members, member{name: at.Value, place: p.place(at), value: value})
	}
	if len(n.members) > 0 {
		n.place = n.members[0].place // a mapping's own token is a colon
	}
	return nil
}

func (p *yamlParser) elements(n *node, v *ast.SequenceNode) error {
	for _, e := range v.Values {
		value, err := p.value(e)
		if err != nil {
			return err
		}
		n.elements = append(n.elements, value)
	}
	return nil
}

// alias is the value of its anchor, at the place of the alias.
func (p *yamlParser) alias(v *ast.AliasNode) (*node, error) {
	name := v.Value.GetToken().Value
	anchored, ok := p.anchors[name]
	for _, open := range p.open {
		ok = ok && open != name
	}
	if !ok {
		return nil, p.refuse(v, "there is no anchor &%s before this place", name)
	}
	p.open = append(p.open, name)
	defer func() { p.open = p.open[:len(p.open)-1] }()
	return p.value(anchored)
}

// scalar is a plain value as JSON. What JSON cannot say, such as .inf, becomes a string, for which there is no place.
func (p *yamlParser) scalar(v ast.Node) (string, error) {
	switch v := v.(type) {
	case *ast.StringNode:
		return quote(v.Value), nil
	case *ast.LiteralNode:
		return quote(v.Value.Value), nil
	case *ast.NullNode:
		return "null", nil
	case *ast.BoolNode:
		return fmt.Sprint(v.Value), nil
	case *ast.IntegerNode:
		return fmt.Sprint(v.Value), nil
	case *ast.FloatNode:
		if text := v.GetToken().Value; json.Valid([]byte(text)) {
			return text, nil
		}
		return fmt.Sprint(v.Value), nil
	case *ast.InfinityNode, *ast.NanNode:
		return quote(v.GetToken().Value), nil
	}
	return "", p.refuse(v, "%s is not understood here", v.Type())
}

func (p *yamlParser) refuse(v ast.Node, format string, args ...any) error {
	return p.file.refuse(invalidYAML, p.place(v.GetToken()), format, args...)
}

func (p *yamlParser) place(t *token.Token) place {
	if t == nil || t.Position == nil {
		return place{source: p.file}
	}
	return place{source: p.file, line: t.Position.Line, column: t.Position.Column}
}
