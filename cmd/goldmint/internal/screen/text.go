package screen

import (
	"io"
	"regexp"
	"strings"

	"github.com/mattn/go-runewidth"
	"golang.org/x/term"
)

// colour is what [Paint] writes around a text.
var colour = regexp.MustCompile("\x1b\\[[0-9;]*m")

// Width is how many columns a line takes on the screen.
func Width(line string) int { return runewidth.StringWidth(colour.ReplaceAllString(line, "")) }

// Clip cuts a line that is wider than the given columns, and says so with an ellipsis. Colours take
// no room.
func Clip(line string, columns int) string {
	if columns <= 0 {
		return ""
	}
	if Width(line) <= columns {
		return line
	}
	last := colour.FindAllStringIndex(line, -1)
	if len(last) == 0 {
		return runewidth.Truncate(line, columns, "…")
	}
	// Colours stand at the front of a line: they are kept as they are, what follows the last of
	// them is cut.
	end := last[len(last)-1][1]
	head, tail := line[:end], line[end:]
	if room := columns - Width(head); room > 0 {
		return head + runewidth.Truncate(tail, room, "…")
	}
	return runewidth.Truncate(colour.ReplaceAllString(line, ""), columns, "…")
}

// Pad fills a text up with blanks to a width, or cuts it down to it.
func Pad(text string, width int) string {
	text = Clip(text, width)
	return text + strings.Repeat(" ", max(0, width-Width(text)))
}

// Line makes one line of a text that may hold anything: line ends become blanks, and other control
// characters a dot, so that no foreign text moves the cursor.
func Line(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case r == '\r':
			return -1
		case r < ' ' || r >= 0x7f && r < 0xa0:
			return '·'
		}
		return r
	}, text)
}

// Paint colours texts, where it is on.
type Paint bool

// PaintFor is on for a terminal that knows colours, unless NO_COLOR says otherwise.
func PaintFor(out io.Writer, getenv func(string) string) Paint {
	f, ok := out.(interface{ Fd() uintptr })
	return Paint(ok && getenv("NO_COLOR") == "" && moves(getenv("TERM")) && term.IsTerminal(int(f.Fd())))
}

// Good is for what succeeded.
func (p Paint) Good(text string) string { return p.in("32", text) }

// Bad is for what failed.
func (p Paint) Bad(text string) string { return p.in("31", text) }

// Faint is for details.
func (p Paint) Faint(text string) string { return p.in("2", text) }

func (p Paint) in(code, text string) string {
	if !p || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}
