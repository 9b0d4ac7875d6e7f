package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"goldmint/cmd/goldmint/internal/screen"
	"goldmint/internal/event"
	"goldmint/internal/history"
	"goldmint/internal/request"
)

// board is what is known of each build, a row each, in the order in which they were submitted or first heard of.
type board struct {
	rows  map[string]*row
	order []*row
	begun time.Time
}

// row is one build.
type row struct {
	id                            string // by which the command names the build
	image, source, from, location string
	story                         history.Story
	state                         state
	step                          string // what is said of an open build, where that is more than its state
	begun, since, ended           time.Time
	result                        string // image id or error
	made                          string // the image in words, once it is there
	took                          time.Duration
}

// state is how far a build is.
type state string

const (
	unheard     state = "waiting for its first event"
	sent        state = "sent"
	queued      state = "queued"
	delayed     state = "delayed"
	creating    state = "creating"
	replicating state = "replicating"
	succeeded   state = "succeeded"
	failed      state = "failed"
	rejected    state = "rejected"
)

func newBoard() *board { return &board{rows: map[string]*row{}, begun: time.Now()} }

// row is that of the build. One of which nothing is known was sent.
func (b *board) row(id string) *row {
	if r := b.rows[id]; r != nil {
		return r
	}
	now := time.Now()
	r := &row{id: id, state: sent, begun: now, since: now}
	b.rows[id] = r
	b.order = append(b.order, r)
	return r
}

// asked notes what the request says of the image.
func (r *row) asked(q request.Request) {
	r.image, r.source, r.from, r.location = q.Name, q.Source().Type, path.Base(q.Source().ID), q.Location()
}

// event notes a published event.
func (b *board) event(e history.Entry) *row {
	r := b.row(e.Event.Data.BuildID)
	r.story.Tell(e)
	if latest := r.story.Latest(); latest != nil {
		r.show(latest.Event)
	}
	return r
}

// show is the row of a build of which this is the newest event.
func (r *row) show(e event.Event) {
	d := e.Data
	r.image, r.source, r.location = cmp.Or(d.Name, r.image), cmp.Or(d.Source.Type, r.source), cmp.Or(d.Location, r.location)
	if d.Source.ID != "" {
		r.from = path.Base(d.Source.ID)
	}
	r.state, r.step = state(strings.TrimPrefix(e.Type, typePrefix)), ""
	switch e.Type {
	case event.Queued, event.Started, event.Delayed, event.Replicating:
		r.state, r.step, r.ended, r.result = stateOf(e), stepOf(e), time.Time{}, ""
		if since := cmp.Or(d.StartedAt, d.RequestedAt); !since.IsZero() {
			r.since = since
		}
		return
	case event.Succeeded:
		r.result, r.made, r.took = d.ImageID, made(d), time.Duration(d.DurationSeconds*float64(time.Second))
	default:
		r.result = brief(d.Error)
	}
	r.ended = time.Now()
}

// stateOf is the state of a build of which this is the newest event.
func stateOf(e event.Event) state {
	if e.Type == event.Started {
		return creating
	}
	return state(strings.TrimPrefix(e.Type, typePrefix))
}

// stepOf says what an event tells beside the state: what the build waits for, how far it is.
func stepOf(e event.Event) string {
	switch delay := e.Data.Delay; {
	case e.Type == event.Replicating:
		return "replicating, regions done: " + path.Base(e.ID)
	case e.Type != event.Delayed || delay == nil:
		return ""
	case delay.Until.IsZero():
		return delay.Message
	case delay.Reason == "RateLimited":
		return "waiting for Azure's allowance until " + about(*delay, e.Time)
	default:
		what := strings.TrimSuffix(strings.TrimSuffix(delay.Message, "."), "; trying again")
		return what + "; trying again until " + delay.Until.Local().Format(time.TimeOnly)
	}
}

// longestWait is how far ahead Goldmint reckons with Azure's limits.
const longestWait = 20 * time.Minute

// about is when a build that waits for Azure's allowance goes on, and behind how many.
func about(d event.Delay, said time.Time) string {
	when := "about " + d.Until.Local().Format("15:04")
	if d.Until.Sub(said) >= longestWait {
		when = d.Until.Local().Format("15:04") + " or later"
	}
	if d.Ahead > 0 {
		when += ", behind " + count(d.Ahead, "other")
	}
	return when
}

// made is an image in words.
func made(d event.Data) string {
	image := "image"
	if d.HyperVGeneration != "" {
		image = d.HyperVGeneration + " image"
	}
	if d.Reused {
		image = "existing " + image
	}
	return fmt.Sprintf("%s %s in %s", image, d.Name, d.Location)
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
	if r := b.row(l.BuildID); r.open() {
		r.step = l.Reason
	}
}

func (r *row) open() bool { return r.ended.IsZero() }

// sentence says all that is known of the build in one line.
func (r *row) sentence() string {
	parts := []string{r.id, string(r.state)}
	if r.open() {
		parts = append(parts, r.step)
		if r.image != "" {
			parts = append(parts, fmt.Sprintf("%s from %s %s in %s", r.image, r.source, r.from, r.location))
		}
		parts = append(parts, max(time.Since(r.since), 0).Round(time.Second).String())
	} else {
		parts = append(parts, cmp.Or(r.made, r.result))
		if r.took > 0 {
			parts = append(parts, r.took.Round(100*time.Millisecond).String())
		}
	}
	parts = slices.DeleteFunc(parts, func(s string) bool { return s == "" })
	return screen.Line(strings.Join(parts, "  "))
}

// waits reports whether nothing is done for the build at present.
func (r *row) waits() bool {
	return r.state == sent || r.state == queued || r.state == unheard || r.state == delayed
}

// mark says at one glance how the build is.
func (r *row) mark(paint screen.Paint) string {
	switch r.state {
	case succeeded:
		return paint.Good("✓")
	case failed, rejected:
		return paint.Bad("✗")
	case sent, queued, unheard, delayed:
		return "·"
	default:
		return "…"
	}
}

// text is what there is to say at the end of a line that must be short: an image goes by its name.
func (r *row) text() string {
	switch {
	case r.state == succeeded:
		return cmp.Or(r.made, path.Base(r.result))
	case !r.open():
		return screen.Line(r.result)
	}
	return screen.Line(cmp.Or(r.step, string(r.state)))
}

// elapsed is the time from the request to the end, or to now.
func (r *row) elapsed() string {
	until := r.ended
	if until.IsZero() {
		until = time.Now()
	}
	return seconds(until.Sub(r.begun))
}

func seconds(d time.Duration) string {
	if d < 1000*time.Second {
		return fmt.Sprintf("%.1fs", d.Seconds())
	}
	return short(d.Round(time.Second))
}

// shape is how wide the columns of a table are. A column of no width is left out.
type shape struct{ id, source, elapsed, text int }

// whole is the shape of a table that may be as wide as it likes.
func (b *board) whole() shape {
	s := shape{source: len("virtualMachine"), elapsed: 7}
	for _, r := range b.order {
		s.id = max(s.id, screen.Width(r.id))
	}
	return s
}

// least is the room in which a text still says something.
const least = 20

// shape is that of a table on a screen. On a narrow one the sources go first, then the times, then the texts.
func (b *board) shape(columns int) shape {
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
		line += fmt.Sprintf("  %*s", s.elapsed, r.elapsed())
	}
	return line
}

// live is the board on a screen: rows with names, and under them one line of sums.
func (b *board) live(columns, lines int, paint screen.Paint) []string {
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

// visible are the rows that fit, in the board's order. When there are too many, a third is for those that ended last; then
// come those under way, then those in line.
func (b *board) visible(lines int) []*row {
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
func (b *board) sums() string {
	counts := map[state]int{}
	for _, r := range b.order {
		counts[r.state]++
	}
	var parts []string
	for _, s := range []state{succeeded, failed, rejected, replicating, creating, delayed, queued, sent, unheard} {
		if n := counts[s]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, s))
		}
	}
	return fmt.Sprintf("%s, %s: %s", count(len(b.order), "build"), seconds(time.Since(b.begun)), strings.Join(parts, ", "))
}

// final is the board to keep: every row, with its image id or error whole, so that it can be copied. Where one of them would
// not fit beside its row, each stands on a line of its own.
func (b *board) final(columns int, paint screen.Paint) []string {
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
