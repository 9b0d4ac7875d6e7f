package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"goldmint/cmd/goldmint/internal/namespace"
	"goldmint/cmd/goldmint/internal/pipeline"
	"goldmint/cmd/goldmint/internal/screen"
)

// progress shows how builds go: a table that is drawn anew on a terminal, otherwise a line for each
// change, and one a minute so that a pipeline's log shows that the command is alive.
type progress struct {
	out      io.Writer        // for lines that stay
	terminal *screen.Terminal // nil elsewhere
	paint    screen.Paint
	tell     func(*row) string // what a row reads on a line of its own

	mu      sync.Mutex
	table   *buildTable
	problem error // since the last time that events could be read

	done    chan struct{}
	drawing sync.WaitGroup
}

// newProgress shows a table on out.
func newProgress(out io.Writer, b *buildTable, tell func(*row) string) *progress {
	p := &progress{out: out, terminal: screen.Of(out, os.Getenv), paint: screen.PaintFor(out, os.Getenv), tell: tell, table: b, done: make(chan struct{})}
	if p.terminal != nil {
		p.out = p.terminal
	} else {
		p.out = pipeline.Detect(os.Getenv, out).Plain(out)
	}
	return p
}

// start begins to draw, or prints where each build is.
func (p *progress) start() {
	every := time.Minute
	if p.terminal != nil {
		every = 100 * time.Millisecond
	}
	p.say()
	p.drawing.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-p.done:
				return
			case <-tick.C:
				p.say()
			}
		}
	})
}

// say shows everything as it is now.
func (p *progress) say() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.terminal != nil {
		columns, lines := p.terminal.Size()
		p.terminal.Draw(p.lines(columns, lines-1))
		return
	}
	for _, r := range p.table.order {
		if r.open() {
			_, _ = fmt.Fprintln(p.out, p.tell(r))
		}
	}
}

// spinner turns at ten steps a second.
var spinner = []rune("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")

// lines is what is drawn: all that is known of a single build, or a table of several.
func (p *progress) lines(columns, lines int) []string {
	var problem []string
	if p.problem != nil {
		problem = []string{screen.Line("out of contact, trying again: " + namespace.Brief(p.problem))}
	}
	if len(p.table.order) == 1 {
		r := p.table.order[0]
		mark := r.mark(p.paint)
		if r.open() {
			mark = string(spinner[time.Now().UnixMilli()/100%int64(len(spinner))])
		}
		alone := wrap("  "+r.sentence(), 2, max(columns-1, least))
		alone[0] = mark + alone[0][1:]
		return append(alone, problem...)
	}
	return append(p.table.live(columns, lines-len(problem), p.paint), problem...)
}

// change changes the table. Where nothing can be drawn, it prints the row that f returns, if there
// is one.
func (p *progress) change(how func(*buildTable) *row) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if r := how(p.table); r != nil && p.terminal == nil {
		_, _ = fmt.Fprintln(p.out, p.tell(r))
	}
}

// note writes a line that stays.
func (p *progress) note(format string, args ...any) {
	_, _ = fmt.Fprintf(p.out, format+"\n", args...)
}

// contact notes that the events could be read, or why not.
func (p *progress) contact(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	news := (err == nil) != (p.problem == nil)
	p.problem = err
	switch {
	case !news || p.terminal != nil:
	case err != nil:
		p.note("out of contact, trying again: %s", namespace.Brief(err))
	default:
		p.note("in contact again")
	}
}

// hold removes the table from the screen while something else is printed to the same terminal.
func (p *progress) hold(print func() error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.terminal != nil {
		p.terminal.Clear()
	}
	return print()
}

// stop ends the drawing and clears the table.
func (p *progress) stop() {
	close(p.done)
	p.drawing.Wait()
	if p.terminal != nil {
		p.terminal.Clear()
	}
}

// localTime is a time in this machine's zone.
func localTime(t time.Time) string { return t.Local().Format(time.DateTime) }

func duration(seconds float64) string {
	return time.Duration(seconds * float64(time.Second)).Round(100 * time.Millisecond).String()
}
