package requestfile

import (
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"

	"goldmint/cmd/goldmint/internal/screen"
	"goldmint/internal/request"
	"goldmint/internal/tree"
)

// Invalid is everything that is wrong with the request in a file, in the order in which it stands
// there.
type Invalid struct { //nolint:errname // callers read requestfile.Invalid
	File string
	*request.Invalid
}

// Error says how many problems there are, or the only one.
func (e *Invalid) Error() string {
	if len(e.Problems) == 1 {
		return e.File + ": " + e.Problems[0].String()
	}
	return fmt.Sprintf("%s has %d problems", e.File, len(e.Problems))
}

// Position is the line and column of the file at which a problem stands, 0 where it has no place
// there.
func Position(p request.Problem) (line, column int) {
	if p.Source == nil || p.Source.Setting {
		return 0, 0
	}
	return p.Line, p.Column
}

// Show writes each problem with its line of the file and a caret under the place.
func (e *Invalid) Show(w io.Writer, paint screen.Paint) {
	for _, p := range e.Problems {
		switch {
		case p.Line == 0:
			_, _ = fmt.Fprintf(w, "%s: %s\n", e.File, p)
		case p.Source.Setting:
			_, _ = fmt.Fprintf(w, "%s: %s\n%s", p.Source.Name, p, excerpt(p.Place, paint))
		default: // the form that editors and terminals make a link of
			_, _ = fmt.Fprintf(w, "%s:%d:%d: %s\n%s", p.Source.Name, p.Line, p.Column, p, excerpt(p.Place, paint))
		}
	}
}

var query = regexp.MustCompile(`(://[^\s"'?]*\?)([^\s"']+)`)

// hide puts stars in place of a URL's query, as many as it has characters: it may be a SAS token,
// and this goes to logs.
func hide(line string) string {
	return query.ReplaceAllStringFunc(line, func(url string) string {
		at := strings.IndexByte(url, '?') + 1
		return url[:at] + strings.Repeat("*", utf8.RuneCountInString(url[at:]))
	})
}

// widest is how much of a line is shown around a place: what a screen of 80 columns has room for.
const widest = 72

// excerpt is the line of the place and a caret under it.
func excerpt(p tree.Place, paint screen.Paint) string {
	lines := strings.Split(string(p.Source.Text), "\n")
	if p.Line > len(lines) {
		return ""
	}
	line := []rune(hide(strings.TrimRight(lines[p.Line-1], "\r")))
	column := min(max(p.Column-1, 0), len(line))
	number, length := fmt.Sprintf("%5d", p.Line), utf8.RuneCountInString(word.FindString(string(line[column:])))
	if p.Source.Setting {
		number = "     "
		if column > 0 && line[column-1] == '=' { // the whole value
			length = len(line) - column
		}
	}
	if start := column - widest/2; len(line) > widest && start > 0 {
		line, column = append([]rune("…"), line[start:]...), column-start+1
	}
	if len(line) > widest {
		line = append(line[:widest:widest], '…')
	}
	column = min(column, len(line))
	return fmt.Sprintf("%s | %s\n      | %s%s\n", number,
		control.ReplaceAllString(string(line), "·"), indent(line[:column]),
		paint.Bad(strings.Repeat("^", max(1, min(length, len(line)-column)))))
}

// A word is what the caret is drawn under: a quoted string, or all up to the next separator.
var word = regexp.MustCompile(`^("(\\.|[^"\\])*("|$)|'[^']*('|$)|[^ \t:,{}\[\]#]+)`)

// A file must not write control characters to the terminal.
var control = regexp.MustCompile(`[\x00-\x08\x0a-\x1f\x7f-\x{9f}]`)

// indent is as wide as the text before the caret, tabs and wide characters included.
func indent(before []rune) string {
	var b strings.Builder
	for _, r := range before {
		if r == '\t' {
			b.WriteRune(r)
		} else {
			b.WriteString(strings.Repeat(" ", screen.Width(string(r))))
		}
	}
	return b.String()
}
