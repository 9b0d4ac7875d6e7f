package event

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf16"
)

// mark stands where something was cut.
const mark = "…[cut]"

// MaxDeadLetter is how many characters Service Bus keeps of a dead-letter
// reason and of its description.
const MaxDeadLetter = 4096

// Clean makes foreign text fit to be published: without control characters,
// without the queries of URLs (a SAS token or an operation's signature grants
// access), without bearer tokens, and cut at limit characters.
func Clean(s string, limit int) string {
	// Far more than can stay is not worth cleaning.
	enough := 16*max(limit, 0) + 1024
	tooLong := len(s) > enough
	s = s[:min(len(s), enough)]
	s = strings.ToValidUTF8(s, "�")
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, s)
	s = urlQuery.ReplaceAllString(s, "$1?[redacted]")
	s = sasSignature.ReplaceAllString(s, "$1[redacted]")
	s = bearerToken.ReplaceAllString(s, "$1[redacted]")
	if tooLong {
		s += mark
	}
	return Cut(s, limit)
}

var (
	urlQuery     = regexp.MustCompile(`(?i)(https?://[^\s"'<>?]*)\?[^\s"'<>]*`)
	sasSignature = regexp.MustCompile(`(?i)(\bsig=)[^&\s"']+`)
	bearerToken  = regexp.MustCompile(`(?i)(\bbearer )[a-z0-9._~+/=-]{8,}`)
)

// Cut shortens s to at most limit characters, the mark that says so included.
// Characters are counted as Service Bus counts them: one beyond the basic
// plane is two.
func Cut(s string, limit int) string {
	if length(s) <= limit {
		return s
	}
	room := limit - length(mark)
	if room < 0 {
		return ""
	}
	for at, r := range s {
		if room -= utf16.RuneLen(r); room < 0 {
			return s[:at] + mark
		}
	}
	return s
}

// length counts as Cut does.
func length(s string) int {
	n := 0
	for _, r := range s {
		n += utf16.RuneLen(r)
	}
	return n
}
