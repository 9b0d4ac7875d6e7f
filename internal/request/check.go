package request

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"goldmint/internal/armid"
	"goldmint/internal/quote"
	"goldmint/internal/tree"
)

// repeated finds the members that appear twice, with or without a value.
func (c *check) repeated(n *tree.Node) {
	last := make(map[string]*tree.Node)
	for _, child := range slices.Backward(n.Children) {
		c.repeated(child)
		if twin := last[child.Name]; twin != nil && n.Kind == tree.Object {
			c.add(twin, "appears twice; keep one of them")
			continue
		}
		last[child.Name] = child
	}
}

// complete makes the changes that a sender may leave to the reader: it adds the leading slash to an
// ID and removes what a template left empty. Null and "" mean "not given", for Azure too, and so
// does an object that has only such values. The values of tags and metadata may be empty. Unknown
// fields stay, so that they are reported. complete returns whether the value is given.
func (s *schema) complete(n *tree.Node) bool {
	if n.Raw != "" && (s.Type == "string" || s.Enum != nil) {
		n.Set(&tree.Node{Kind: tree.String, Text: n.Raw, Place: n.Place})
	}
	switch n.Kind {
	case tree.Null:
		return false
	case tree.String:
		if s.ResourceTypes != nil && slashless.MatchString(n.Text) {
			n.Text = "/" + n.Text
		}
		return n.Text != "" || s.free
	case tree.Object:
		if len(n.Children) == 0 {
			return true
		}
		for _, member := range n.Children {
			if child := s.child(member.Name); child != nil && !child.complete(member) {
				member.Drop()
			}
		}
		return len(n.Members()) > 0 || s.values != nil
	case tree.Array:
		for _, element := range n.Children {
			if s.items != nil && (element.Kind == tree.Object || element.Raw != "") {
				s.items.complete(element)
			}
		}
	default:
	}
	return true
}

var slashless = regexp.MustCompile(`(?i)^(subscriptions|communitygalleries)/`)

// value checks a value against the contract.
func (c *check) value(s *schema, n *tree.Node) {
	found := ""
	if n.Kind == tree.String && !s.free {
		found = findPlaceholder(n.Text)
	}
	switch {
	case s.ReadOnly:
		c.add(n, "is read-only: Azure sets it; leave it out")
	case n.Broken:
		c.add(n, `holds half a character: a \ud800 to \udfff escape without its partner`)
	case n.Kind == tree.String && (s.Type == "object" || s.Type == "array") && cutOff.MatchString(n.Text):
		c.add(n, "was cut off by PowerShell's ConvertTo-Json, which goes 2 levels deep: call it with -Depth 20")
	case found != "":
		c.add(n, "still holds the placeholder %s; fill it in", strings.Trim(quote.Foreign(found), `"`))
	case s.Enum != nil:
		c.word(s, n)
	case kindOf[s.Type].kind != n.Kind:
		c.mistyped(s.Type, n)
	case s.Type == "object":
		c.object(s, n)
	case s.Type == "array":
		c.array(s, n)
	case s.Type == "string":
		c.text(s, n)
	case s.Type == "integer":
		c.integer(s, n)
	}
}

// What ConvertTo-Json writes instead of an object or a list that is nested too deeply.
var cutOff = regexp.MustCompile(`^(@\{.*\}|System\..*)$`)

// kindOf maps a type of JSON Schema to the kind of value, and to its name in a message.
var kindOf = map[string]struct {
	kind  tree.Kind
	words string
}{
	"object":  {tree.Object, "an object"},
	"array":   {tree.Array, "an array"},
	"string":  {tree.String, "a string"},
	"integer": {tree.Number, "a whole number"},
	"boolean": {tree.Boolean, "true or false"},
}

func (c *check) mistyped(want string, n *tree.Node) {
	hint := ""
	switch {
	case n.Kind == tree.Null:
		hint = "; leave the field out instead"
	case want == "string" && (n.Kind == tree.Number || n.Kind == tree.Boolean):
		hint = "; put it in quotes"
	}
	c.add(n, "must be %s, not %s%s", kindOf[want].words, n.Kind, hint)
}

func (c *check) object(s *schema, n *tree.Node) {
	members, last := n.Members(), make(map[string]*tree.Node, len(n.Children))
	for _, member := range members {
		last[member.Name] = member
	}
	for _, name := range s.Required {
		if last[name] == nil {
			c.missing(s, n.At(name))
		}
	}
	for _, member := range members {
		switch child := s.child(member.Name); {
		case last[member.Name] != member:
		case child == nil:
			c.add(member, "%s", c.unknown(s, member.Name))
		default:
			c.value(child, member)
		}
	}
	if s.sources == nil {
		return
	}
	given := slices.DeleteFunc(slices.Clone(s.sources), func(name string) bool { return last[name] == nil })
	switch {
	case len(given) == 0:
		c.add(n, "names no source: give one of %s", quote.List(s.sources, "or"))
	case len(given) > 1:
		c.add(n, "names %d sources, %s: keep one", len(given), quote.List(given, "and"))
	}
}

// missing is the message for a missing property of s, with what the property is for.
func (c *check) missing(s *schema, n *tree.Node) {
	property := s.properties[n.Name]
	purpose := property.MissingMessage
	if purpose == "" && property.Enum != nil {
		purpose = "; it must be " + either(property.Enum)
	}
	c.add(n, "is missing%s", purpose)
}

// unknown is the message for a field that the contract does not have at that place.
func (c *check) unknown(s *schema, name string) string {
	if name == "systemData" {
		return "is read-only: Azure sets it; leave it out"
	}
	if near := nearest(name, s.names); near != "" {
		return "is unknown; did you mean " + quote.Foreign(near) + "?"
	}
	if places := c.contract.places[name]; len(places) > 0 && len(places) <= 2 { // more would not help the sender
		return "has no place here; it belongs at " + quote.List(places, "or")
	}
	return "is unknown; allowed here are " + quote.List(s.names, "and")
}

func (c *check) array(s *schema, n *tree.Node) {
	switch length := len(n.Children); {
	case length > s.MaxItems:
		c.add(n, "has %d elements; at most %d are allowed", length, s.MaxItems)
	case length < s.MinItems:
		c.add(n, "must be %s", s.ErrorMessage)
	}
	for _, element := range n.Children[:min(len(n.Children), s.MaxItems+1)] { // every array of the contract has a MaxItems
		c.value(s.items, element)
	}
}

func (c *check) text(s *schema, n *tree.Node) {
	length := utf8.RuneCountInString(n.Text)
	format := formats[s.Format]
	if len(s.ResourceTypes) > 0 {
		format = func(id string) error { return armid.Check(id, s.ResourceTypes...) }
	}
	switch {
	case s.MaxLength > 0 && length > s.MaxLength:
		c.add(n, "has %d characters; at most %d are allowed", length, s.MaxLength)
	case s.pattern != nil && !s.pattern.MatchString(n.Text):
		c.add(n, "must be %s; it is %s", s.ErrorMessage, quote.Foreign(n.Text))
	case format != nil:
		if err := format(n.Text); err != nil {
			c.add(n, "%v", err)
		}
	}
}

var plainInteger = regexp.MustCompile(`^-?[0-9]{1,18}$`)

// integer accepts only plain digits, because 1e999999999 must never be expanded.
func (c *check) integer(s *schema, n *tree.Node) {
	if !plainInteger.MatchString(n.Text) {
		c.add(n, "must be a whole number in plain digits, such as 64")
		return
	}
	number, _ := strconv.ParseInt(n.Text, 10, 64)
	if s.Minimum != nil && number < *s.Minimum || s.Maximum != nil && number > *s.Maximum {
		c.add(n, "must be %s; it is %s", s.ErrorMessage, n.Text)
	}
}

// word accepts one of a few texts.
func (c *check) word(s *schema, n *tree.Node) {
	found := string(n.Kind)
	switch {
	case n.Kind == tree.String && slices.Contains(s.Enum, n.Text):
		return
	case n.Kind == tree.String:
		found = quote.Foreign(n.Text)
		if near := nearest(n.Text, s.Enum); near != "" && len(s.Enum) > 1 {
			found += fmt.Sprintf("; did you mean %q?", near)
		}
	case n.Kind == tree.Boolean || plainInteger.MatchString(n.Text):
		found = n.Text
	}
	c.add(n, "must be %s, not %s", either(s.Enum), found)
}

// Placeholders that people leave in an example, or a pipeline leaves when a variable is not set:
// {name}, {{ name }}, ${NAME}, ${{ name }}, #{Name}#, $(Name), $[name], $[[ name ]], <name>, <<
// name >>, <+name>, <%= name %>, $env:NAME, $SOME_NAME, and as the whole value __NAME__ and $NAME.
var placeholder = regexp.MustCompile(`[$#@]?\{+[^{}]*\}+#?|\$\([^()]*\)|\$\[+[^\[\]]*\]+|<[<+%]?=? ?[A-Za-z][^<>]*>+` +
	`|\$env:\w+|\$[A-Z][A-Z0-9]*_[A-Z0-9_]+|^__\w+?__$|^\$\w+$`)

// %NAME% is a placeholder unless the text is a URL with escapes.
var percent = regexp.MustCompile(`%[A-Za-z_][A-Za-z0-9_.]*%`)

func findPlaceholder(s string) string {
	if found := placeholder.FindString(s); found != "" {
		return found
	}
	if _, err := url.PathUnescape(s); err != nil {
		return percent.FindString(s)
	}
	return ""
}

// either lists alternatives: "a", "b" or "c".
func either(values []string) string {
	quoted := make([]string, len(values))
	for i, v := range values {
		quoted[i] = quote.Foreign(v)
	}
	return quote.List(quoted, "or")
}

// nearest is the candidate that the sender probably meant, or "". It has the same letters in
// another case, or differs in a few letters.
func nearest(name string, candidates []string) string {
	const longest = 40 // no field is longer, and the limit bounds the work
	if len(name) > longest {
		return ""
	}
	best, least := "", 1+min(2, len(name)/3)
	for _, candidate := range candidates {
		if d := distance(strings.ToLower(name), strings.ToLower(candidate), least); d < least {
			best, least = candidate, d
		}
	}
	return best
}

// distance is how many letters must be put in, taken out, replaced or swapped with their neighbour
// to turn a into b (optimal string alignment); limit if it is not smaller.
func distance(a, b string, limit int) int {
	if max(len(a)-len(b), len(b)-len(a)) >= limit {
		return limit
	}
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		for j := range rows[i] {
			switch {
			case i == 0 || j == 0:
				rows[i][j] = i + j
				continue
			case a[i-1] == b[j-1]:
				rows[i][j] = rows[i-1][j-1]
				continue
			}
			d := 1 + min(rows[i-1][j], rows[i][j-1], rows[i-1][j-1])
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d = min(d, 1+rows[i-2][j-2])
			}
			rows[i][j] = d
		}
	}
	return rows[len(a)][len(b)]
}
