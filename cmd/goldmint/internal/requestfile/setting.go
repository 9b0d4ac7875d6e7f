package requestfile

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"goldmint/internal/tree"
)

// Setting sets one value of a request: what --set takes.
type Setting struct {
	steps []step
	value string
	at    tree.Place // of the value, in the setting
}

// step is one part of a path: the name of a member, or the index of an element.
type step struct {
	name  string
	index int // -1 for a name
}

// A step of a path: a name, with a dot before it but for the first; an index; a quoted name.
var stepForm = regexp.MustCompile(`^(?:(\.?)([^.\[=]+)|\[(\d{1,5})\]|\[("(?:\\.|[^"\\])*")\])`)

var (
	errForm = errors.New("write path=value, such as image.location=westeurope")
	errPath = errors.New(`a path looks like image.properties.storageProfile.dataDisks[0].lun or image.tags["cost.center"]`)
)

// ParseSetting reads path=value. A path is written as problems name it: image.tags.team,
// dataDisks[0].lun, and with quotes where a name has dots: image.tags["cost.center"].
func ParseSetting(text string) (Setting, error) {
	s := Setting{at: tree.Place{Source: &tree.Source{Name: "--set " + hide(text), Text: []byte(text), Setting: true}, Line: 1}}
	rest := text
	for rest != "" && (rest[0] != '=' || len(s.steps) == 0) {
		match := stepForm.FindStringSubmatch(rest)
		first := len(s.steps) == 0
		next := step{index: -1}
		switch {
		case match == nil:
			return Setting{}, s.wrap(errPath)
		case match[2] != "" && first == (match[1] == ""):
			next.name = match[2]
		case match[3] != "" && !first:
			next.index, _ = strconv.Atoi(match[3])
		case match[4] == "" || json.Unmarshal([]byte(match[4]), &next.name) != nil:
			return Setting{}, s.wrap(errPath)
		}
		s.steps = append(s.steps, next)
		rest = rest[len(match[0]):]
	}
	if rest == "" {
		return Setting{}, s.wrap(errForm)
	}
	s.value = rest[1:]
	s.at.Column = utf8.RuneCountInString(text[:len(text)-len(s.value)]) + 1
	return s, nil
}

func (s Setting) wrap(err error) error { return fmt.Errorf("%s: %w", s.at.Source.Name, err) }

// apply puts the value into the request, making the objects and arrays on the way.
func (s Setting) apply(root *tree.Node) error {
	n := root
	for i, step := range s.steps {
		switch {
		case step.index < 0 && n.Kind != tree.Object:
			return s.wrap(fmt.Errorf("%q is looked for in something that is no object", step.name))
		case step.index < 0:
			n = n.At(step.name)
		case n.Kind != tree.Array:
			return s.wrap(fmt.Errorf("[%d] is looked for in something that is no array", step.index))
		case step.index > len(n.Children):
			return s.wrap(fmt.Errorf("there are %d elements: the next one is [%d]", len(n.Children), len(n.Children)))
		default:
			n = n.Element(step.index)
		}
		if i+1 == len(s.steps) || n.Kind == tree.Object || n.Kind == tree.Array {
			continue
		}
		around := &tree.Node{Kind: tree.Object, Place: s.at}
		if s.steps[i+1].index >= 0 {
			around.Kind = tree.Array
		}
		n.Set(around)
	}
	value, err := s.read()
	n.Set(value)
	return err
}

// read makes the value, at its place in the setting: JSON, which is text all the same where the
// contract wants text, or text.
func (s Setting) read() (*tree.Node, error) {
	if !json.Valid([]byte(s.value)) {
		return &tree.Node{Kind: tree.String, Text: s.value, Place: s.at}, nil
	}
	source, text := s.at.Source, s.at.Source.Text
	source.Text = []byte(strings.Repeat(" ", s.at.Column-1) + s.value)
	value, err := tree.ReadJSON(source)
	if source.Text = text; err != nil {
		return &tree.Node{}, s.wrap(err)
	}
	value.Raw, value.Place = s.value, s.at
	return value, nil
}
