package request

import (
	"regexp"
	"slices"
	"strings"
	"unicode"

	"goldmint/internal/quote"
	"goldmint/internal/tree"
)

// Azure's own prefixes of tag names.
var reservedTags = []string{"microsoft", "azure", "windows"}

// ruleLabels holds tags against Azure's rules and keeps Goldmint's own apart, and bounds metadata.
func (c *check) ruleLabels(root *tree.Node) {
	c.ruleTags(root.At("image", "tags"))
	c.ruleTags(root.At("galleryImageVersion", "tags"))
	metadata := root.At("metadata")
	size := 0
	for _, entry := range metadata.Members() {
		size += len(entry.Name) + len(entry.Text)
		if entry.Name == "" {
			c.add(entry, "a metadata entry needs a name")
		}
		if strings.ContainsFunc(entry.Name, unprintable) {
			c.add(entry, "a metadata name may not hold control characters")
		}
		c.ruleLabel(entry)
	}
	if size > MaxMetadataBytes {
		c.add(metadata, "has %d bytes of keys and values; at most %d are allowed", size, MaxMetadataBytes)
	}
}

func (c *check) ruleTags(tags *tree.Node) {
	if n := len(tags.Members()); n > MaxTags {
		c.add(tags, "has %d tags; at most %d are allowed", n, MaxTags)
	}
	for _, tag := range tags.Members() {
		if problem := tagNameProblem(tag.Name); problem != "" {
			c.add(tag, "%s", problem)
		}
		c.ruleLabel(tag)
	}
	lower := func(tag *tree.Node) (string, bool) { return strings.ToLower(tag.Name), true }
	byName := slices.SortedFunc(slices.Values(tags.Members()), func(a, b *tree.Node) int { return strings.Compare(a.Name, b.Name) })
	unique(byName, lower, func(tag, other *tree.Node) {
		c.add(tag, "is the same tag as %s: Azure compares names without case", quote.Foreign(other.Name))
	})
}

func tagNameProblem(name string) string {
	lower := strings.ToLower(name)
	switch {
	case name == "":
		return "a tag needs a name"
	case len([]rune(name)) > 512:
		return "a tag's name may have at most 512 characters"
	case strings.ContainsAny(name, `<>%&\?/`):
		return `a tag's name may hold none of < > % & \ ? /`
	case strings.ContainsFunc(name, unprintable):
		return "a tag's name may not hold control characters"
	case strings.HasPrefix(lower, TagPrefix):
		return "tags that start with " + TagPrefix + " are Goldmint's own; choose another name"
	}
	for _, prefix := range reservedTags {
		if strings.HasPrefix(lower, prefix) {
			return "Azure reserves tags that start with " + prefix + "; choose another name"
		}
	}
	return ""
}

// The signature of a SAS token.
var signature = regexp.MustCompile(`(?i)[?&]sig=[^&\s]{16}`)

// ruleLabel looks at the value of a tag or metadata entry.
func (c *check) ruleLabel(n *tree.Node) {
	text, ok := n.String()
	switch {
	case !ok:
	case strings.ContainsFunc(text, unprintable):
		c.add(n, "may not hold control characters or line breaks")
	case signature.MatchString(text):
		c.add(n, "holds a SAS token: tags and metadata are no place for secrets, everyone can read them")
	}
}

// unprintable are the control characters and Unicode's line and paragraph separators, which break a
// log line as well.
func unprintable(r rune) bool {
	return unicode.IsControl(r) || r == '\u2028' || r == '\u2029'
}
