package request

import (
	"net/url"
	"regexp"
	"strings"

	"goldmint/internal/iso8601"
)

// A rule looks at a whole document and adds what it finds wrong.
type rule func(f *findings, root node)

// before are the rules that explain a mistake better than the schema would, so
// they speak first; after are the rules that a schema cannot say.
var (
	before = []rule{ruleWellFormed, ruleMetadataSize, ruleTagCount, rulePlaceholders, ruleVersionName, ruleVersionExists}
	after  = []rule{
		ruleTarget, ruleNames, ruleTimeout, ruleOneSource, ruleOSDisk, ruleDataDisks, ruleDiskSources,
		ruleResourceIDs, ruleBlobs, ruleTags, ruleMetadata,
		ruleVersionSource, ruleVersionIDs, ruleRegions, rulePublishing,
	}
)

// ruleWellFormed tells what JSON allows and no careful reader accepts.
func ruleWellFormed(f *findings, _ node) {
	for pointer, length := range f.doc.lists {
		f.add(pointer, "has %d elements; at most %d are allowed", length, maxList)
	}
	for _, pointer := range f.doc.duplicates {
		f.add(pointer, "appears twice; keep one of them")
	}
	for _, pointer := range f.doc.numbers {
		if WantsText(pointer) {
			f.add(pointer, "must be a string, not number; put it in quotes")
			continue
		}
		f.add(pointer, "must be a whole number in plain digits, such as 64")
	}
	for _, pointer := range f.doc.surrogates {
		f.add(pointer, `holds half a character: a \ud800 to \udfff escape without its partner`)
	}
}

// What people leave standing in an example, and what a pipeline leaves when a variable is not set: {name}, {{ name }}, ${NAME},
// ${{ name }}, $(Name), $[name], #{Name}#, <name>, $env:NAME, and as the whole value __NAME__ and $NAME.
var placeholder = regexp.MustCompile(`[$#@]?\{+[^{}]*\}+#?|\$\([^()]*\)|\$\[[^\[\]]*\]|<[A-Za-z][^<>]*>|\$env:\w+|^__\w+?__$|^\$\w+$`)

// %NAME% is a placeholder where the text is not that of a URL with escapes.
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

// rulePlaceholders looks everywhere but in tags and metadata, which may hold
// any text.
func rulePlaceholders(f *findings, root node) {
	var look func(n node)
	look = func(n node) {
		if freeText(n.pointer) || n.pointer == "/$schema" {
			return
		}
		if s, ok := n.text(); ok {
			if found := findPlaceholder(s); found != "" {
				f.add(n.pointer, "still holds the placeholder %s; fill it in", strings.Trim(quote(found), `"`))
			}
		}
		for _, member := range n.members() {
			look(member)
		}
		for _, element := range n.elements() {
			look(element)
		}
	}
	look(root)
}

// ruleNames refuses ".." inside a resource group's or image's name. Azure does
// not, but no honest name needs it.
func ruleNames(f *findings, root node) {
	for _, n := range []node{root.at("resourceGroup"), root.at("name"), root.at("galleryName"), root.at("galleryImageName")} {
		if name, ok := n.text(); ok && strings.Contains(name, "..") {
			f.add(n.pointer, `may not hold ".."`)
		}
	}
}

func ruleTimeout(f *findings, root node) {
	n := root.at("timeout")
	text, ok := n.text()
	if !ok {
		return
	}
	switch d, err := iso8601.Parse(text); {
	case err != nil:
		f.add(n.pointer, "%v", err)
	case d < MinTimeout || d > MaxTimeout:
		f.add(n.pointer, "must be from PT5M to PT24H, not %s", quote(text))
	}
}
