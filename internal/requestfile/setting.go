package requestfile

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"goldmint/internal/request"
)

// Setting sets one value of a request: what --set takes.
type Setting struct {
	text  string // as it was given, but for what is hidden
	steps []step
	value string
	from  *source
	start int // of the value in the source, in characters
}

// step is one part of a path: the name of a member, or the index of an element.
type step struct {
	name  string
	index int // -1 for a name
}

// ParseSetting reads path=value. A path is written as problems name it: image.tags.team, dataDisks[0].lun, and with quotes
// where a name has dots: image.tags["cost.center"].
func ParseSetting(text string) (Setting, error) {
	end := endOfPath(text)
	if end < 0 {
		return Setting{}, fmt.Errorf("--set %s: write path=value, such as image.location=westeurope", text)
	}
	steps, err := parsePath(text[:end])
	if err != nil {
		return Setting{}, fmt.Errorf("--set %s: %w", hide(text), err)
	}
	from := &source{name: "--set " + hide(text), text: []byte(text), setting: true}
	return Setting{text: hide(text), steps: steps, value: text[end+1:], from: from, start: len([]rune(text[:end+1])) + 1}, nil
}

// endOfPath is the offset of the equals sign, not counting those in quotes; -1 where there is none.
func endOfPath(text string) int {
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			i = endOfString([]byte(text), i)
		case '=':
			return i
		}
	}
	return -1
}

func parsePath(path string) ([]step, error) {
	var steps []step
	for rest := path; rest != "" || len(steps) == 0; {
		var s step
		var err error
		if s, rest, err = cutStep(rest, len(steps) == 0); err != nil {
			return nil, err
		}
		steps = append(steps, s)
	}
	return steps, nil
}

var errPath = errors.New(`a path looks like image.properties.storageProfile.dataDisks[0].lun or image.tags["cost.center"]`)

// cutStep takes the first step off a path.
func cutStep(path string, first bool) (step, string, error) {
	if inner, ok := strings.CutPrefix(path, "["); ok {
		if strings.HasPrefix(inner, `"`) {
			end := endOfString([]byte(inner), 0)
			var name string
			if end >= len(inner) || json.Unmarshal([]byte(inner[:end+1]), &name) != nil || !strings.HasPrefix(inner[end+1:], "]") {
				return step{}, "", errPath
			}
			return step{name: name, index: -1}, inner[end+2:], nil
		}
		number, rest, ok := strings.Cut(inner, "]")
		index, err := strconv.ParseUint(number, 10, 16)
		if !ok || err != nil || first {
			return step{}, "", errPath
		}
		return step{index: int(index)}, rest, nil
	}
	if !first {
		var ok bool
		if path, ok = strings.CutPrefix(path, "."); !ok {
			return step{}, "", errPath
		}
	}
	end := strings.IndexAny(path, ".[")
	if end < 0 {
		end = len(path)
	}
	if end == 0 {
		return step{}, "", errPath
	}
	return step{name: path[:end], index: -1}, path[end:], nil
}

// apply puts the value into the request, making the objects and arrays on the way.
func (s Setting) apply(root *node) error {
	at := place{source: s.from, line: 1, column: s.start}
	value, err := s.node(at)
	if err != nil {
		return err
	}
	n := root
	for i, step := range s.steps {
		next := &node{place: at, kind: object}
		switch {
		case i == len(s.steps)-1:
			next = value
		case s.steps[i+1].index >= 0:
			next.kind = array
		}
		if n, err = n.enter(step, next, i == len(s.steps)-1); err != nil {
			return err
		}
	}
	return nil
}

// enter is the member or element of a step. It is made, or replaced when it is the last one.
func (n *node) enter(s step, made *node, last bool) (*node, error) {
	if s.index >= 0 {
		return n.element(s.index, made, last)
	}
	if n.kind != object {
		return nil, fmt.Errorf("%q is looked for in something that is no object", s.name)
	}
	m := n.member(s.name)
	switch {
	case m == nil:
		n.members = append(n.members, member{name: s.name, place: made.place, value: made})
		return made, nil
	case last || m.value.kind == scalar:
		m.value, m.place = made, made.place
	}
	return m.value, nil
}

func (n *node) element(index int, made *node, last bool) (*node, error) {
	switch {
	case n.kind != array:
		return nil, fmt.Errorf("[%d] is looked for in something that is no array", index)
	case index > len(n.elements):
		return nil, fmt.Errorf("there are %d elements: the next one is [%d]", len(n.elements), len(n.elements))
	case index == len(n.elements):
		n.elements = append(n.elements, made)
	case last:
		n.elements[index] = made
	}
	return n.elements[index], nil
}

// node is the value as the contract wants it at this place: a text, or for anything else the JSON that was given.
func (s Setting) node(at place) (*node, error) {
	if !json.Valid([]byte(s.value)) || request.WantsText(s.pointer()) {
		return &node{place: at, scalar: quote(s.value)}, nil
	}
	n, err := parseJSON(&source{name: s.from.name, text: []byte(s.value), setting: true})
	if err != nil {
		return nil, err
	}
	n.settle(at)
	return n, nil
}

// pointer is the JSON pointer of the place.
func (s Setting) pointer() string {
	var b strings.Builder
	for _, step := range s.steps {
		if step.index >= 0 {
			b.WriteString("/" + strconv.Itoa(step.index))
			continue
		}
		b.WriteString("/" + escape.Replace(step.name))
	}
	return b.String()
}

// settle gives a value and all in it one place.
func (n *node) settle(at place) {
	n.place = at
	for i := range n.members {
		n.members[i].place = at
		n.members[i].value.settle(at)
	}
	for _, e := range n.elements {
		e.settle(at)
	}
}
