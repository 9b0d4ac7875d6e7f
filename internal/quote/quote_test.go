package quote_test

import (
	"strings"
	"testing"

	"goldmint/internal/quote"
)

func TestForeign(t *testing.T) {
	for text, want := range map[string]string{
		"a\nb":                  `"a\nb"`,
		"https://x/y?sig=1":     `"https://x/y?…"`,
		strings.Repeat("é", 81): `"` + strings.Repeat("é", 80) + `…"`,
	} {
		if got := quote.Foreign(text); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestList(t *testing.T) {
	for _, words := range [][]string{{"", ""}, {"a", "a"}, {"a or b", "a", "b"}, {"a, b or c", "a", "b", "c"}} {
		if got := quote.List(words[1:], "or"); got != words[0] {
			t.Errorf("got %s, want %s", got, words[0])
		}
	}
}
