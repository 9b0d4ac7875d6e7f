// Package screen draws lines in place at the bottom of a terminal, each draw over the one before.
//
// It holds on terminals that wrap long lines, that are resized between two draws and that are very
// small: a line is never drawn wider than the screen, never more lines than it has, and widths are
// those of the characters on the screen.
package screen

import (
	"io"
	"strings"
	"sync"

	"golang.org/x/term"
)

// Terminal is a terminal that can move its cursor.
type Terminal struct {
	out  io.Writer
	size func() (columns, lines int, err error)

	mu      sync.Mutex
	drawn   []int // the widths of the lines that are on the screen
	columns int   // of the screen that they were drawn for
}

// Of returns out as a terminal. It is nil where out is no terminal, or one that cannot move its
// cursor.
func Of(out io.Writer, getenv func(string) string) *Terminal {
	f, ok := out.(interface{ Fd() uintptr })
	if !ok || !moves(getenv("TERM")) || !term.IsTerminal(int(f.Fd())) {
		return nil
	}
	return New(out, func() (int, int, error) { return term.GetSize(int(f.Fd())) })
}

// moves reports whether a terminal of this type can move its cursor.
func moves(kind string) bool { return kind != "dumb" && kind != "unknown" }

// New makes a Terminal of a writer and a function that returns its size.
func New(out io.Writer, size func() (columns, lines int, err error)) *Terminal {
	return &Terminal{out: out, size: size}
}

// Size is the size of the screen now. Where the terminal does not say, it is the one that every
// terminal has.
func (t *Terminal) Size() (columns, lines int) {
	columns, lines, err := t.size()
	if err != nil || columns <= 0 || lines <= 0 {
		return 80, 24
	}
	return columns, lines
}

// Draw puts the lines in the place of those that were drawn before. What does not fit the screen is
// cut off: the ends of lines, and the last lines.
func (t *Terminal) Draw(lines []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	columns, height := t.Size()
	if len(lines) >= height { // the cursor stands below them
		lines = lines[:height-1]
	}
	var out strings.Builder
	t.erase(&out, columns)
	out.WriteString("\x1b[?7l") // no wrapping, should the size have changed since it was asked for
	for _, line := range lines {
		line = Clip(line, columns-1)
		t.drawn = append(t.drawn, Width(line))
		out.WriteString(line + "\n")
	}
	out.WriteString("\x1b[?7h")
	t.columns = columns
	_, _ = io.WriteString(t.out, out.String())
}

// Write puts text that stays where the drawn lines were. They come back with the next draw, below
// it.
func (t *Terminal) Write(text []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	columns, _ := t.Size()
	var out strings.Builder
	t.erase(&out, columns)
	out.Write(text)
	if _, err := io.WriteString(t.out, out.String()); err != nil {
		return 0, err
	}
	return len(text), nil
}

// Clear takes the drawn lines from the screen.
func (t *Terminal) Clear() { _, _ = t.Write(nil) }

// erase goes up to the first drawn line and clears each on the way. To clear the screen from there
// on would be one sequence, but if the drawn lines begin at the top tmux keeps what is cleared so
// in its history, a copy for every draw.
func (t *Terminal) erase(out *strings.Builder, columns int) {
	if len(t.drawn) == 0 {
		return
	}
	out.WriteString("\r" + strings.Repeat("\x1b[1A\x1b[2K", t.height(columns)))
	t.drawn = nil
}

// height is how many lines of the screen the drawn lines take now: one that became narrower has
// wrapped them.
func (t *Terminal) height(columns int) int {
	all := 0
	for _, width := range t.drawn {
		rows := 1
		if columns < t.columns {
			rows = max(1, (width+columns-1)/columns)
		}
		all += rows
	}
	return all
}
