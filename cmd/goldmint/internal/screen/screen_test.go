package screen_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/mattn/go-runewidth"

	"goldmint/cmd/goldmint/internal/screen"
)

// model is a terminal as terminals are: it wraps what is too wide unless that is off, it scrolls,
// and wraps anew what it shows when it is made narrower. It knows what [screen.Terminal] writes,
// and fails on anything else.
type model struct {
	*testing.T
	columns, lines int
	rows           []string // all that were ever written, the last ones on the screen
	x, y           int      // of the cursor; y counts from the first row of all
	wraps          bool
}

func newModel(t *testing.T, columns, lines int) *model {
	t.Helper()
	return &model{T: t, columns: columns, lines: lines, rows: []string{""}, wraps: true}
}

func (m *model) size() (int, int, error) { return m.columns, m.lines, nil }

// top is the first row on the screen.
func (m *model) top() int { return max(0, len(m.rows)-m.lines) }

func (m *model) Write(text []byte) (int, error) {
	rest := string(text)
	for rest != "" {
		if tail, ok := strings.CutPrefix(rest, "\x1b["); ok {
			end := strings.IndexFunc(tail, func(r rune) bool { return r >= '@' && r <= '~' })
			m.control(tail[:end], tail[end])
			rest = tail[end+1:]
			continue
		}
		r := []rune(rest)[0]
		rest = rest[len(string(r)):]
		m.put(r)
	}
	return len(text), nil
}

func (m *model) control(argument string, kind byte) {
	switch {
	case kind == 'A':
		n, err := strconv.Atoi(argument)
		if err != nil {
			m.Fatal(err)
		}
		m.y = max(m.top(), m.y-n)
	case kind == 'K' && argument == "2":
		m.rows[m.y] = ""
	case kind == 'l' && argument == "?7":
		m.wraps = false
	case kind == 'h' && argument == "?7":
		m.wraps = true
	case kind == 'm':
	default:
		m.Fatalf("the terminal does not know %q%c", argument, kind)
	}
}

func (m *model) put(r rune) {
	width := runewidth.RuneWidth(r)
	switch {
	case r == '\r':
		m.x = 0
	case r == '\n':
		m.down()
	case m.x+width > m.columns && !m.wraps:
	default:
		if m.x+width > m.columns {
			m.down()
		}
		m.rows[m.y] = runewidth.Truncate(m.rows[m.y], m.x, "") + string(r)
		m.x += width
	}
}

func (m *model) down() {
	m.x, m.y = 0, m.y+1
	if m.y == len(m.rows) {
		m.rows = append(m.rows, "")
	}
}

// resize makes it another size. What no longer fits a row goes on in the next.
func (m *model) resize(columns, lines int) {
	m.columns, m.lines = columns, lines
	var rows []string
	for i, row := range m.rows {
		if i == m.y {
			m.y = len(rows)
		}
		for runewidth.StringWidth(row) > columns {
			part := runewidth.Truncate(row, columns, "")
			rows, row = append(rows, part), row[len(part):]
		}
		rows = append(rows, row)
	}
	m.rows = rows
	m.y = max(m.y, m.top())
}

func (m *model) text() string { return strings.Join(m.rows, "\n") }

// Each draw replaces the one before, at every size and through every change of it: what stands
// above the lines is whole, and each line is there once.
func TestDrawReplaces(t *testing.T) {
	board := func(turn int) (lines []string) {
		for i := range 6 {
			lines = append(lines, fmt.Sprintf("\x1b[32m✓\x1b[0m row-%d 網頁伺服器 e\u0301 %s turn-%d", i, strings.Repeat("x", 70), turn))
		}
		return lines
	}
	for _, sizes := range [][][2]int{
		{{80, 24}, {80, 24}},
		{{120, 40}, {80, 24}},
		{{80, 24}, {200, 50}},
		{{200, 24}, {33, 40}},
		{{60, 40}, {41, 40}},
	} {
		m := newModel(t, sizes[0][0], sizes[0][1])
		s := screen.New(m, m.size)
		_, _ = s.Write([]byte("above\n"))
		s.Draw(board(0))
		s.Draw(board(1))
		m.resize(sizes[1][0], sizes[1][1])
		s.Draw(board(2))
		if got := m.text(); !strings.HasPrefix(got, "above\n") || strings.Count(got, "row-") != 6 || strings.Contains(got, "turn-1") {
			t.Errorf("%v:\n%s", sizes, got)
		}
		_, _ = s.Write([]byte("that stays\n"))
		s.Draw(board(3))
		s.Clear()
		if got, want := strings.TrimRight(m.text(), "\n"), "above\nthat stays"; got != want {
			t.Errorf("%v: %q is left, want %q", sizes, got, want)
		}
	}
}

// A screen that is smaller than what is drawn shows its first lines and parts of them; it never
// scrolls, so that nothing is left behind.
func TestDrawOnSmallScreens(t *testing.T) {
	for _, size := range [][2]int{{20, 5}, {1, 1}, {2, 2}, {7, 3}} {
		m := newModel(t, size[0], size[1])
		s := screen.New(m, m.size)
		for range 3 {
			s.Draw([]string{"0 網頁伺服器 " + strings.Repeat("x", 50), "1", "2", "3", "4", "5", "6"})
		}
		if len(m.rows) > size[1] {
			t.Errorf("%v: it has scrolled:\n%s", size, m.text())
		}
	}
}

// A terminal that becomes smaller between the question for its size and the drawing shows one row
// for each line.
func TestDrawWhileResized(t *testing.T) {
	m := newModel(t, 80, 24)
	s := screen.New(m, func() (int, int, error) { return 120, 40, nil })
	for range 3 {
		s.Draw([]string{strings.Repeat("a", 100), strings.Repeat("b", 100)})
	}
	if len(m.rows) != 3 {
		t.Errorf("%d rows:\n%s", len(m.rows), m.text())
	}
}

func TestClip(t *testing.T) {
	for _, test := range []struct {
		line    string
		columns int
		want    string
	}{
		{"short", 5, "short"},
		{"longer", 5, "long…"},
		{"網頁伺服器", 5, "網頁…"},
		{"e\u0301e\u0301e\u0301", 2, "e\u0301…"},
		{"  \x1b[32m✓\x1b[0m longer", 8, "  \x1b[32m✓\x1b[0m lon…"},
		{"  \x1b[32m✓\x1b[0m longer", 2, " …"},
		{"x", 0, ""},
	} {
		if got := screen.Clip(test.line, test.columns); got != test.want {
			t.Errorf("%q at %d: %q, want %q", test.line, test.columns, got, test.want)
		}
	}
}

// Nobody's words move the cursor.
func TestLine(t *testing.T) {
	if got, want := screen.Line("a\nb\r\tc\x1b[2J\u009b"), "a b c·[2J·"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// What is no terminal is neither drawn on nor coloured.
func TestNoTerminal(t *testing.T) {
	getenv := func(string) string { return "" }
	if screen.Of(&strings.Builder{}, getenv) != nil || screen.PaintFor(&strings.Builder{}, getenv) {
		t.Error("a builder is taken for a terminal")
	}
	if got := screen.Paint(false).Bad("✗"); got != "✗" {
		t.Errorf("%q", got)
	}
}
