package request

import (
	"regexp"
	"strconv"
	"strings"
)

// maxQuoted is how many characters of a foreign value a message repeats.
const maxQuoted = 80

// A SAS token grants access: what follows a question mark is never repeated.
var query = regexp.MustCompile(`(?s)\?.*`)

// quote is a foreign value as a message may repeat it: quoted, without a query
// string, on one line, cut.
func quote(s string) string {
	s = query.ReplaceAllString(s, "?…")
	if runes := []rune(s); len(runes) > maxQuoted {
		s = string(runes[:maxQuoted]) + "…"
	}
	return strconv.Quote(s)
}

// either lists alternatives: "a", "b" or "c".
func either(values []string) string {
	quoted := make([]string, len(values))
	for i, v := range values {
		quoted[i] = quote(v)
	}
	return join(quoted, "or")
}

func join(words []string, last string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " " + last + " " + words[len(words)-1]
}
