package request

import (
	"regexp"
	"strings"
	"unicode"
)

const (
	maxTagName       = 512
	maxTagValue      = 256
	tagNameForbidden = `<>%&\?/`
)

// Azure's own prefixes of tag names.
var reservedTags = []string{"microsoft", "azure", "windows"}

// ruleTagCount and ruleMetadataSize are limits: they speak before anything else.
func ruleTagCount(f *findings, root node) {
	for _, tags := range tagsOf(root) {
		if n := len(tags.members()); n > MaxTags {
			f.add(tags.pointer, "has %d tags; at most %d are allowed", n, MaxTags)
		}
	}
}

func ruleMetadataSize(f *findings, root node) {
	metadata := root.at("metadata")
	size := 0
	for name, member := range metadata.members() {
		text, _ := member.text()
		size += len(name) + len(text)
	}
	if size > MaxMetadataBytes {
		f.add(metadata.pointer, "has %d bytes of keys and values; at most %d are allowed", size, MaxMetadataBytes)
	}
}

// ruleTags holds tags against Azure's rules, and keeps Goldmint's own apart.
func ruleTags(f *findings, root node) {
	for _, tags := range tagsOf(root) {
		checkTags(f, tags)
	}
}

func tagsOf(root node) []node {
	return []node{root.at("image", "tags"), root.at("galleryImageVersion", "tags")}
}

func checkTags(f *findings, tags node) {
	spellings := make(map[string]string)
	for _, name := range sortedNames(tags) {
		tag := tags.at(name)
		if problem := tagNameProblem(name); problem != "" {
			f.add(tag.pointer, "%s", problem)
		}
		if other, taken := spellings[strings.ToLower(name)]; taken {
			f.add(tag.pointer, "is the same tag as %s: Azure compares names without case", quote(other))
		}
		spellings[strings.ToLower(name)] = name
		ruleLabel(f, tag)
	}
}

func tagNameProblem(name string) string {
	lower := strings.ToLower(name)
	switch {
	case name == "":
		return "a tag needs a name"
	case len([]rune(name)) > maxTagName:
		return "a tag's name may have at most 512 characters"
	case strings.ContainsAny(name, tagNameForbidden):
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

func ruleMetadata(f *findings, root node) {
	for name, member := range root.at("metadata").members() {
		if name == "" {
			f.add(member.pointer, "a metadata entry needs a name")
		}
		if strings.ContainsFunc(name, unprintable) {
			f.add(member.pointer, "a metadata name may not hold control characters")
		}
		ruleLabel(f, member)
	}
}

// The signature of a SAS token.
var signature = regexp.MustCompile(`(?i)[?&]sig=[^&\s]{16}`)

// ruleLabel looks at the value of a tag or metadata entry.
func ruleLabel(f *findings, n node) {
	text, ok := n.text()
	switch {
	case !ok:
	case strings.ContainsFunc(text, unprintable):
		f.add(n.pointer, "may not hold control characters or line breaks")
	case signature.MatchString(text):
		f.add(n.pointer, "holds a SAS token: tags and metadata are no place for secrets, everyone can read them")
	}
}

// unprintable are the control characters and Unicode's line and paragraph
// separators, which break a log line as well.
func unprintable(r rune) bool {
	return unicode.IsControl(r) || r == '\u2028' || r == '\u2029'
}
