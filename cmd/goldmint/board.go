package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"goldmint/internal/event"
)

// board is what is known of each build, a row each, in the order in which they were submitted or first heard of.
type board struct {
	rows  map[string]*row
	order []*row
	begun time.Time
	width int // of the longest build id
}

// row is one build.
type row struct {
	id, source, step string
	begun, ended     time.Time
	result           string // image id or error
	mark             string
}

func newBoard(submissions []*submission) *board {
	b := &board{rows: map[string]*row{}, begun: time.Now()}
	for _, s := range submissions {
		b.row(s.id).source = s.request.Source().Type
	}
	return b
}

func (b *board) row(id string) *row {
	if r := b.rows[id]; r != nil {
		return r
	}
	r := &row{id: id, step: "queued", mark: "·", begun: time.Now()}
	b.rows[id] = r
	b.order = append(b.order, r)
	b.width = max(b.width, len(id))
	return r
}

// event notes a published event.
func (b *board) event(e event.Event) *row {
	r := b.row(e.Data.BuildID)
	if r.source == "" {
		r.source = e.Data.Source.Type
	}
	switch e.Type {
	case event.Started:
		r.step, r.mark = "creating", "…"
		return r
	case event.Succeeded:
		r.step, r.mark, r.result = "succeeded", "✓", e.Data.ImageID
	case event.Failed:
		r.step, r.mark, r.result = "failed", "✗", brief(e.Data.Error)
	case event.Rejected:
		r.step, r.mark, r.result = "rejected", "✗", brief(e.Data.Error)
	}
	r.ended = time.Now()
	return r
}

// console notes what a log line of the handler says of a build's step.
func (b *board) console(line string) {
	var l struct {
		Msg     string `json:"msg"`
		BuildID string `json:"buildId"`
		Reason  string `json:"reason"`
	}
	if json.Unmarshal([]byte(line), &l) != nil || l.BuildID == "" || l.Msg != "continued" {
		return
	}
	if r := b.row(l.BuildID); r.ended.IsZero() {
		r.step = l.Reason
	}
}

// line is the row on one line.
func (r *row) line(width int) string {
	until := r.ended
	if until.IsZero() {
		until = time.Now()
	}
	text := r.step
	if r.result != "" {
		text = r.result
	}
	return fmt.Sprintf("  %s %-*s  %-14s  %6.1fs  %s", r.mark, width, r.id, r.source, until.Sub(r.begun).Seconds(), strings.ReplaceAll(text, "\n", " "))
}

// summary is the last line.
func (b *board) summary(w *waiting) string {
	if w.succeeded+w.failed+len(w.open) == 0 {
		return ""
	}
	s := fmt.Sprintf("\n%s in %.1f s", count(w.succeeded, "image"), time.Since(b.begun).Seconds())
	if w.failed > 0 {
		s += ", " + count(w.failed, "build") + " without one"
	}
	if n := len(w.open); n > 0 {
		s += fmt.Sprintf(", %d not ended", n)
	}
	return s + ".\n"
}
