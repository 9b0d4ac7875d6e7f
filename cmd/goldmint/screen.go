package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"goldmint/internal/history"
	"goldmint/internal/localazure"

	"golang.org/x/term"
)

// screenDisplay draws the board anew several times a second, for a person at a terminal.
type screenDisplay struct {
	*linesDisplay
	stop    chan struct{}
	drawing sync.WaitGroup
	drawn   int // lines on the screen
}

func (d *screenDisplay) ready(azure *localazure.Azure) {
	d.linesDisplay.ready(azure)
	d.drawing.Go(func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-d.stop:
				return
			case <-tick.C:
				d.draw(clip)
			}
		}
	})
}

func (d *screenDisplay) event(e history.Entry) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.board.event(e.Event)
}

func (d *screenDisplay) end(w *waiting) error {
	close(d.stop)
	d.drawing.Wait()
	d.draw(func(s string, _ int) string { return s }) // the last time in full: the image ids are to be copied
	return d.linesDisplay.end(w)
}

// draw writes the rows over those of the last time. Only what fits the screen is drawn: rows that have ended give way.
func (d *screenDisplay) draw(fit func(line string, columns int) string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	columns, lines, err := term.GetSize(int(os.Stdout.Fd()))
	if err != nil {
		columns, lines = 120, 40
	}
	var out strings.Builder
	if d.drawn > 0 {
		fmt.Fprintf(&out, "\x1b[%dA", d.drawn)
	}
	rows := d.board.visible(lines - 2)
	for _, r := range rows {
		fmt.Fprintf(&out, "\x1b[2K%s\n", fit(r.line(d.board.width), columns))
	}
	for range d.drawn - len(rows) {
		out.WriteString("\x1b[2K\n")
	}
	d.drawn = max(d.drawn, len(rows))
	_, _ = fmt.Fprint(d.out, out.String())
}

// visible is the rows that fit: when there are too many, first those that have not ended.
func (b *board) visible(lines int) []*row {
	if len(b.order) <= lines {
		return b.order
	}
	var rows []*row
	for _, r := range b.order {
		if r.ended.IsZero() && len(rows) < lines {
			rows = append(rows, r)
		}
	}
	return rows
}

// terminalOf is the terminal that out is; nil where it is none, or one that cannot draw.
func terminalOf(out io.Writer) *os.File {
	if f, ok := out.(*os.File); ok && os.Getenv("TERM") != "dumb" && term.IsTerminal(int(f.Fd())) {
		return f
	}
	return nil
}

// clip cuts a line at the screen's width: a wrapped line would spoil the count.
func clip(s string, columns int) string {
	r := []rune(s)
	if len(r) <= columns {
		return s
	}
	return string(r[:max(columns-1, 0)]) + "…"
}
