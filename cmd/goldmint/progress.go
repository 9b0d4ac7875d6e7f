package main

import (
	"fmt"
	"io"
	"os"
	"path"
	"strings"
	"sync"
	"time"

	"goldmint/cmd/goldmint/internal/namespace"
	"goldmint/cmd/goldmint/internal/pipeline"
	"goldmint/internal/event"
	"goldmint/internal/history"

	"golang.org/x/term"
)

// progress tells how a build goes: one line that is drawn anew on a terminal, else a line when something happens, and one
// a minute so that a pipeline sees that somebody is alive.
type progress struct {
	out      io.Writer
	terminal *os.File // nil elsewhere
	target   target
	begun    time.Time

	mu      sync.Mutex
	step    string
	since   time.Time
	started *event.Event
	problem error // since the last time that events could be read
	silent  bool  // there is nothing to check when nothing comes, or it was told

	mayBeOld bool // the outcome: the queue could not be looked at for a newer request

	done    chan struct{}
	drawing sync.WaitGroup
}

func newProgress(out io.Writer, reporter *pipeline.Reporter, t target) *progress {
	p := &progress{out: reporter.Plain(out), target: t, begun: time.Now(), done: make(chan struct{})}
	every := time.Minute
	if p.terminal = terminalOf(out); p.terminal != nil {
		every = 100 * time.Millisecond
	}
	p.step, p.since = "waiting for its first event", p.begun
	if !t.submitted.IsZero() {
		p.step, p.since = "queued", t.submitted
	}
	p.say()
	p.drawing.Go(func() { p.draw(every) })
	return p
}

// draw says again what is known.
func (p *progress) draw(every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-p.done:
			return
		case <-tick.C:
			p.mu.Lock()
			p.say()
			p.mu.Unlock()
		}
	}
}

// heard notes that the events could be read, and the one that says that the build was started.
func (p *progress) heard(e *history.Entry) {
	p.mu.Lock()
	defer p.mu.Unlock()
	troubled := p.problem != nil
	p.problem = nil
	switch {
	case e != nil && p.started == nil:
		p.started = &e.Event
		p.step, p.since = "creating", e.Event.Data.StartedAt
		p.say()
	case p.started == nil && !p.silent && p.target.submitted.IsZero() && time.Since(p.begun) > quiet:
		p.silent = true
		p.note("note: " + silence(p.target))
	case troubled:
		p.say()
	}
}

// quiet is longer than it takes until something is heard of a build that has its turn: Azure answers the PUT of an image
// after five to six seconds.
const quiet = 10 * time.Second

// awaits notes that the target is a newer request than the one that was answered.
func (p *progress) awaits(t target, older event.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target, p.silent = t, true
	p.note(fmt.Sprintf("note: %s is on its way, so the answer of %s (%s) is not the last", t, localTime(older.Time), strings.TrimPrefix(older.Type, typePrefix)))
}

// note writes a line that stays.
func (p *progress) note(text string) {
	p.clear()
	_, _ = fmt.Fprintln(p.out, text)
}

func (p *progress) clear() {
	if p.terminal != nil {
		_, _ = io.WriteString(p.out, "\r\x1b[2K")
	}
}

func (p *progress) trouble(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	first := p.problem == nil
	p.problem = err
	if first {
		p.say()
	}
}

// stop ends the drawing and clears the line.
func (p *progress) stop() {
	close(p.done)
	p.drawing.Wait()
	p.clear()
}

// spinner turns at ten steps a second.
var spinner = []rune("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")

// say writes the line as it is now.
func (p *progress) say() {
	line := p.line()
	if p.terminal == nil {
		_, _ = fmt.Fprintln(p.out, line)
		return
	}
	columns, _, err := term.GetSize(int(p.terminal.Fd()))
	if err != nil {
		columns = 80
	}
	turn := spinner[int(time.Since(p.begun)/(100*time.Millisecond))%len(spinner)]
	_, _ = fmt.Fprintf(p.out, "\r\x1b[2K%c %s", turn, clip(line, columns-3))
}

func (p *progress) line() string {
	parts := []string{p.target.String(), p.step}
	if what := p.what(); what != "" {
		parts = append(parts, what)
	}
	parts = append(parts, time.Since(p.since).Round(time.Second).String())
	if p.problem != nil {
		parts = append(parts, "out of contact, trying again: "+namespace.Brief(p.problem))
	}
	return strings.Join(parts, "  ")
}

// what is made of what, as far as it is known.
func (p *progress) what() string {
	switch {
	case p.started != nil:
		d := p.started.Data
		return fmt.Sprintf("%s from %s %s in %s", d.Name, d.Source.Type, path.Base(d.Source.ID), d.Location)
	case p.target.request != nil:
		r := p.target.request
		return fmt.Sprintf("%s from %s %s in %s", r.Name, r.Source().Type, path.Base(r.Source().ID), *r.Image.Location)
	}
	return ""
}

// ended tells the outcome in a line, on the standard error as all that is for people.
func (p *progress) ended(e event.Event) {
	d := e.Data
	if e.Type == event.Succeeded {
		made := "image"
		if d.HyperVGeneration != "" {
			made = d.HyperVGeneration + " image"
		}
		if d.Reused {
			made = "existing " + made
		}
		_, _ = fmt.Fprintf(p.out, "✓ %s  succeeded  %s %s in %s  %s\n", d.BuildID, made, d.Name, d.Location, duration(d.DurationSeconds))
	}
	// The clocks of the two sides may differ by seconds, not by minutes.
	if at := p.target.submitted; !at.IsZero() && e.Time.Before(at.Add(-time.Minute)) {
		_, _ = fmt.Fprintf(p.out, "note: this very request was submitted before under the id %s; this is its answer of %s. For another build give another --id.\n",
			d.BuildID, localTime(e.Time))
	}
	if p.mayBeOld && e.Type == event.Rejected {
		_, _ = fmt.Fprintf(p.out, "note: this is the answer of %s; for a request that was sent again since, wait for %s/DIGEST\n", localTime(e.Time), d.BuildID)
	}
}

// localTime is a time as people at this machine read it.
func localTime(t time.Time) string { return t.Local().Format(time.DateTime) }

func duration(seconds float64) string {
	return time.Duration(seconds * float64(time.Second)).Round(100 * time.Millisecond).String()
}
