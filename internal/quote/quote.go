// Package quote makes foreign text safe to repeat in messages.
package quote

import (
	"strconv"
	"strings"
)

// Max is how many characters of a foreign value a message repeats.
const Max = 80

// Foreign is a foreign value as a message may repeat it: quoted, on one line and cut. It drops
// everything after a question mark, because a SAS token grants access.
func Foreign(s string) string {
	if before, _, cut := strings.Cut(s, "?"); cut {
		s = before + "?…"
	}
	if runes := []rune(s); len(runes) > Max {
		s = string(runes[:Max]) + "…"
	}
	return strconv.Quote(s)
}

// List writes words as a list: a, b or c.
func List(words []string, last string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " " + last + " " + words[len(words)-1]
}
