package requestfile

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"goldmint/internal/request"
)

// source is a text that a value can come from.
type source struct {
	name    string
	text    []byte
	setting bool // a --set of the command line
}

// refuse is an Invalid with one problem.
func (f *source) refuse(reason string, at place, format string, args ...any) *Invalid {
	return &Invalid{File: f.name, Reason: reason, Problems: []Problem{{Message: fmt.Sprintf(format, args...), place: at}}}
}

// at is the place of a byte of the text.
func (f *source) at(offset int) place {
	before := f.text[:min(offset, len(f.text))]
	start := bytes.LastIndexByte(before, '\n') + 1
	return place{source: f, line: bytes.Count(before, []byte("\n")) + 1, column: len([]rune(string(before[start:]))) + 1}
}

// empty is an Invalid that says that there is nothing in the source.
func (f *source) empty() *Invalid {
	return f.refuse(request.EmptyBody, place{}, "there is no request in it; `goldmint new` writes one to start from")
}

// place is a character of a source, both numbers from 1; line 0 is no place.
type place struct {
	source       *source
	line, column int
}

// String is the form that editors and terminals make a link of.
func (p place) String() string {
	if p.source.setting {
		return p.source.name
	}
	return fmt.Sprintf("%s:%d:%d", p.source.name, p.line, p.column)
}

var query = regexp.MustCompile(`(://[^\s"'?]*\?)([^\s"']+)`)

// hide puts stars in place of a URL's query, as many as it has characters: it may be a SAS token, and this goes to logs.
func hide(line string) string {
	return query.ReplaceAllStringFunc(line, func(url string) string {
		at := strings.IndexByte(url, '?') + 1
		return url[:at] + strings.Repeat("*", utf8.RuneCountInString(url[at:]))
	})
}

// widest is how much of a line is shown around a place.
const widest = 110

// excerpt is the line of the place and a caret under it.
func (p place) excerpt() string {
	lines := strings.Split(string(p.source.text), "\n")
	if p.line > len(lines) {
		return ""
	}
	line := []rune(hide(strings.TrimRight(lines[p.line-1], "\r")))
	column := min(max(p.column-1, 0), len(line))
	number := fmt.Sprintf("%5d", p.line)
	if p.source.setting {
		number = "     "
	}
	length := tokenLength(line[column:])
	if p.source.setting {
		length = len(line) - column
	}
	if start := column - widest/2; len(line) > widest && start > 0 {
		line, column = append([]rune("…"), line[start:]...), column-start+1
	}
	if len(line) > widest {
		line = append(line[:widest:widest], '…')
	}
	return fmt.Sprintf("%s | %s\n      | %s%s\n", number, printable(line), indent(line[:min(column, len(line))]),
		strings.Repeat("^", max(1, min(length, len(line)-column))))
}

// tokenLength is how many characters the caret is drawn under: a quoted string, or up to the next separator.
func tokenLength(rest []rune) int {
	if len(rest) == 0 {
		return 1
	}
	if quoted := rest[0]; quoted == '"' || quoted == '\'' {
		for i := 1; i < len(rest); i++ {
			switch {
			case rest[i] == '\\' && quoted == '"':
				i++
			case rest[i] == quoted:
				return i + 1
			}
		}
		return len(rest)
	}
	for i, r := range rest {
		if strings.ContainsRune(" \t:,{}[]#", r) {
			return max(i, 1)
		}
	}
	return len(rest)
}

// indent is as wide as the text before the caret, tabs included.
func indent(before []rune) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' {
			return r
		}
		return ' '
	}, string(before))
}

// printable keeps a file from writing control characters to the terminal.
func printable(line []rune) string {
	return strings.Map(func(r rune) rune {
		if r != '\t' && (r < ' ' || r >= 0x7f && r < 0xa0) {
			return '·'
		}
		return r
	}, string(line))
}
