package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"goldmint/cmd/goldmint/internal/screen"
	"goldmint/internal/build"
	"goldmint/internal/history"
)

// buildTable is what is known of each build, a row each, in the order in which they were submitted
// or first seen.
type buildTable struct {
	rows  map[string]*row
	order []*row
}

func newBuildTable() *buildTable { return &buildTable{rows: map[string]*row{}} }

// row is the row of the build. A build without events has been sent.
func (b *buildTable) row(id string) *row {
	if r := b.rows[id]; r != nil {
		return r
	}
	r := &row{id: id, state: sent, begun: time.Now()}
	b.rows[id] = r
	b.order = append(b.order, r)
	return r
}

// event updates the table from a published event.
func (b *buildTable) event(e history.Entry) *row {
	r := b.row(e.Event.Data.BuildID)
	r.timeline.Add(e)
	if latest := r.timeline.Latest(); latest != nil {
		r.show(latest.Event)
	}
	return r
}

// console updates the table from a log line of the handler.
func (b *buildTable) console(line string) {
	var l struct {
		Msg     string    `json:"msg"`
		BuildID string    `json:"buildId"`
		Reason  string    `json:"reason"`
		At      time.Time `json:"at"`
	}
	if json.Unmarshal([]byte(line), &l) != nil || l.BuildID == "" || l.Msg != "continued" {
		return
	}
	switch r := b.row(l.BuildID); {
	case !r.open() || r.state == replicating: // the regions say more
	case l.Reason == build.Creating:
		r.state, r.step, r.brief = creating, "", ""
	case l.Reason == build.RateLimited:
		brief := "rate limit until " + l.At.Local().Format("15:04")
		if !strings.HasPrefix(r.brief, brief) {
			r.brief, r.step = brief, "waiting for Azure's "+brief
		}
	case r.state != delayed: // else the event says more
		r.step, r.brief = l.Reason, ""
	}
}

// shape is how wide the columns of a table are. A column of no width is left out.
type shape struct{ id, source, elapsed, text int }

// whole is the shape of a table without a limit of its width.
func (b *buildTable) whole() shape {
	s := shape{source: len("virtualMachine"), elapsed: 7}
	for _, r := range b.order {
		s.id = max(s.id, screen.Width(r.id))
	}
	return s
}

// least is the smallest useful width of a text.
const least = 20

// shape is that of a table on a screen. On a narrow one the sources are dropped first, then the
// times, then the texts.
func (b *buildTable) shape(columns int) shape {
	s := b.whole()
	room := func() int {
		left := columns - 1 - 4 - s.id
		for _, width := range []int{s.source, s.elapsed} {
			if width > 0 {
				left -= width + 2
			}
		}
		return left - 2
	}
	if room() < least {
		s.source = 0
	}
	if room() < least {
		s.id = max(min(s.id, 16), s.id-(least-room()))
	}
	if room() < least {
		s.elapsed = 0
	}
	if s.text = room(); s.text < least/2 {
		s.text = 0
		s.id = max(1, columns-1-4)
	}
	return s
}

// line is the row in a table, as far as its text.
func (r *row) line(s shape, paint screen.Paint) string {
	line := "  " + r.mark(paint) + " " + screen.Pad(r.id, s.id)
	if s.source > 0 {
		line += "  " + screen.Pad(r.source, s.source)
	}
	if s.elapsed > 0 {
		line += fmt.Sprintf("  %*s", s.elapsed, seconds(r.age()))
	}
	return line
}

// live is the table on a screen: rows with names, and under them one line of sums.
func (b *buildTable) live(columns, lines int, paint screen.Paint) []string {
	s := b.shape(columns)
	var all []string
	for _, r := range b.visible(lines - 1) {
		line := r.line(s, paint)
		if s.text > 0 {
			line += "  " + screen.Clip(r.text(), s.text)
		}
		all = append(all, line)
	}
	if lines < 1 || len(b.order) == 0 {
		return all
	}
	return append(all, b.sums())
}

// visible are the rows that fit, in the table's order. When there are too many, a third is for
// those that ended last; then come those in progress, then those that wait.
func (b *buildTable) visible(lines int) []*row {
	if len(b.order) <= lines {
		return b.order
	}
	if lines <= 0 {
		return nil
	}
	var ended, running, waiting []*row
	for _, r := range b.order {
		switch {
		case !r.open():
			ended = append(ended, r)
		case r.waits():
			waiting = append(waiting, r)
		default:
			running = append(running, r)
		}
	}
	slices.SortStableFunc(ended, func(a, b *row) int { return b.ended.Compare(a.ended) })
	open := slices.Concat(running, waiting)
	n := min(len(ended), max(lines/3, lines-len(open)))
	shown := map[*row]bool{}
	for _, r := range slices.Concat(ended[:n], open[:min(len(open), lines-n)]) {
		shown[r] = true
	}
	return slices.DeleteFunc(slices.Clone(b.order), func(r *row) bool { return !shown[r] })
}

// sums is the line that counts all rows, shown or not.
func (b *buildTable) sums() string {
	counts := map[state]int{}
	for _, r := range b.order {
		counts[r.state]++
	}
	var parts []string
	for _, s := range []state{succeeded, failed, rejected, replicating, creating, asked, delayed, queued, sent, awaiting} {
		if n := counts[s]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, s))
		}
	}
	return fmt.Sprintf("%s, %s: %s", count(len(b.order), "build"), seconds(b.age()), strings.Join(parts, ", "))
}

// age is the time from the first request to the last end, or to now where a build is open.
func (b *buildTable) age() time.Duration {
	var begun, ended time.Time
	for _, r := range b.order {
		if begun.IsZero() || r.begun.Before(begun) {
			begun = r.begun
		}
		if r.open() {
			ended = time.Now()
		} else if r.ended.After(ended) {
			ended = r.ended
		}
	}
	return max(ended.Sub(begun), 0)
}

// final is the table to keep: every row, with its image id or error whole, so that it can be
// copied. Where one of them would not fit beside its row, each stands on a line of its own.
func (b *buildTable) final(columns int, paint screen.Paint) []string {
	s := b.whole()
	var heads []string
	fits := true
	for _, r := range b.order {
		head := r.line(s, paint)
		heads = append(heads, head)
		fits = fits && screen.Width(head)+2+screen.Width(screen.Line(r.result)) <= columns
	}
	var all []string
	for i, r := range b.order {
		switch {
		case r.open():
			all = append(all, heads[i]+"  "+r.text())
		case fits:
			all = append(all, heads[i]+"  "+screen.Line(r.result))
		default:
			all = append(all, heads[i], "    "+screen.Line(r.result))
		}
	}
	return all
}

// summary is the last line.
func (b *buildTable) summary(w *waiting) string {
	if w.succeeded+w.failed+len(w.open) == 0 {
		return ""
	}
	s := fmt.Sprintf("\n%s in %.1f s", count(w.succeeded, "image"), b.age().Seconds())
	if w.failed > 0 {
		s += ", " + count(w.failed, "build") + " without one"
	}
	if n := len(w.open); n > 0 {
		s += fmt.Sprintf(", %d not ended", n)
	}
	return s + ".\n"
}
