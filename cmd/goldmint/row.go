package main

import (
	"cmp"
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

// row is one build.
type row struct {
	id                            string // by which the command names the build
	image, source, from, location string
	timeline                      history.Timeline
	state                         state
	step                          string // what is said of an open build, where that is more than its state
	brief                         string // the same for a table, where it is shorter
	begun, ended                  time.Time
	result                        string // image id or error
	made                          string // the image in words, once it is there
}

// state is how far a build is.
type state string

const (
	awaiting    state = "waiting for its first event"
	sent        state = "sent"
	queued      state = "queued"
	delayed     state = "delayed"
	asked       state = "asked"
	creating    state = "creating"
	replicating state = "replicating"
	succeeded   state = "succeeded"
	failed      state = "failed"
	rejected    state = "rejected"
)

// asked stores what the request says about the image.
func (r *row) asked(q request.Request) {
	r.image, r.source, r.from, r.location = q.Name, q.Source().Type, path.Base(q.Source().ID), q.Location()
}

// show is the row of a build of which this is the newest event.
func (r *row) show(e event.Event) {
	d := e.Data
	r.image, r.source, r.location = cmp.Or(d.Name, r.image), cmp.Or(d.Source.Type, r.source), cmp.Or(d.Location, r.location)
	if d.Source.ID != "" {
		r.from = path.Base(d.Source.ID)
	}
	if !d.RequestedAt.IsZero() {
		r.begun = d.RequestedAt
	}
	r.state, r.step, r.brief = state(strings.TrimPrefix(e.Type, typePrefix)), "", ""
	switch e.Type {
	case event.Queued, event.Asked, event.Started, event.Delayed, event.Replicating:
		r.state, r.step, r.ended, r.result = stateOf(e), stepOf(e), time.Time{}, ""
		if limited(e) {
			r.brief = "rate limit until " + onTheHour(*d.Delay, e.Time)
		}
		return
	case event.Succeeded:
		r.result, r.made = d.ImageID, made(d)
	default:
		r.result = brief(d.Error)
	}
	if r.ended = cmp.Or(d.EndedAt, e.Time); r.ended.IsZero() {
		r.ended = time.Now()
	}
}

// stateOf is the state of a build of which this is the newest event.
func stateOf(e event.Event) state {
	if e.Type == event.Started {
		return creating
	}
	return state(strings.TrimPrefix(e.Type, typePrefix))
}

// stepOf is what an event says beside the state: what the build waits for, how far it is.
func stepOf(e event.Event) string {
	switch delay := e.Data.Delay; {
	case e.Type == event.Replicating:
		return progressOf(e.Data.ReplicationStatus)
	case e.Type != event.Delayed || delay == nil:
		return ""
	case delay.Until.IsZero():
		return delay.Message
	case limited(e):
		return "waiting for Azure's rate limit until " + about(*delay, e.Time)
	default:
		what, more, told := strings.Cut(strings.TrimSuffix(delay.Message, "; trying again"), ": ")
		what += "; trying again until " + delay.Until.Local().Format(time.TimeOnly)
		if told { // last, because it is long
			what += ": " + more
		}
		return what
	}
}

// limited reports whether a build waits until Azure allows it a creation.
func limited(e event.Event) bool {
	d := e.Data.Delay
	return e.Type == event.Delayed && d != nil && d.Reason == "RateLimited" && !d.Until.IsZero()
}

// longestWait is how far ahead Goldmint calculates Azure's limits.
const longestWait = 20 * time.Minute

// onTheHour is when a build that waits for Azure's rate limit goes on.
func onTheHour(d event.Delay, said time.Time) string {
	when := d.Until.Local().Format("15:04")
	if d.Until.Sub(said) >= longestWait {
		when += " or later"
	}
	return when
}

// about is the same in more words, and behind how many.
func about(d event.Delay, said time.Time) string {
	when := onTheHour(d, said)
	if d.Until.Sub(said) < longestWait {
		when = "about " + when
	}
	if d.Ahead > 0 {
		when += ", behind " + count(d.Ahead, "other")
	}
	return when
}

// made is an image in words.
func made(d event.Data) string {
	if d.GalleryImageName != "" {
		return fmt.Sprintf("version %s of %s/%s in %s", d.Name, d.GalleryName, d.GalleryImageName, strings.Join(madeIn(d), ", "))
	}
	image := "image"
	if d.HyperVGeneration != "" {
		image = d.HyperVGeneration + " image"
	}
	if d.Reused {
		image = "existing " + image
	}
	return fmt.Sprintf("%s %s in %s", image, d.Name, d.Location)
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
		parts = append(parts, r.age().Round(time.Second).String())
	} else {
		parts = append(parts, cmp.Or(r.made, r.result), r.age().Round(100*time.Millisecond).String())
	}
	parts = slices.DeleteFunc(parts, func(s string) bool { return s == "" })
	return screen.Line(strings.Join(parts, "  "))
}

// waits reports whether nothing is done for the build at present.
func (r *row) waits() bool {
	return r.state == sent || r.state == queued || r.state == awaiting || r.state == delayed
}

// mark is the symbol of the build's state.
func (r *row) mark(paint screen.Paint) string {
	switch r.state {
	case succeeded:
		return paint.Good("✓")
	case failed, rejected:
		return paint.Bad("✗")
	case sent, queued, awaiting, delayed:
		return "·"
	default:
		return "…"
	}
}

// text is the short text at the end of a line: an image's name, for example.
func (r *row) text() string {
	switch {
	case r.state == succeeded:
		return cmp.Or(r.made, path.Base(r.result))
	case !r.open():
		return screen.Line(r.result)
	}
	return screen.Line(cmp.Or(r.brief, r.step, string(r.state)))
}

// age is the time from the request to the end, or to now.
func (r *row) age() time.Duration {
	until := r.ended
	if until.IsZero() {
		until = time.Now()
	}
	return max(until.Sub(r.begun), 0) // clocks differ
}

func seconds(d time.Duration) string {
	if d < 1000*time.Second {
		return fmt.Sprintf("%.1fs", d.Seconds())
	}
	return short(d.Round(time.Second))
}
