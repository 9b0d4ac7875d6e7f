package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"goldmint/cmd/goldmint/internal/namespace"
	"goldmint/internal/event"
	"goldmint/internal/history"
)

// errTimeout ends a wait.
var errTimeout = errors.New("the time is over")

const (
	// lookEvery is the time between two looks for new events: together with the time of a look, an
	// event is seen within 0.3 s of its publication. An hour of looking is 18,000 operations of
	// Service Bus, one or two cents.
	lookEvery = 200 * time.Millisecond

	// lostContact is how long a namespace that was reached before may be out of reach.
	lostContact = 10 * time.Minute

	// quiet is longer than it takes until the first event of a build that has its turn: Azure
	// answers the PUT of an image within seven seconds, whatever its source.
	quiet = 10 * time.Second

	// tooQuiet is the time after which the sender of a request should look for it.
	tooQuiet = 2 * time.Minute
)

// awaited is a target and what is known of it.
type awaited struct {
	target
	timeline history.Timeline
	outcome  *history.Entry
	row      *row
	since    time.Time
	warned   bool // that no event came
	early    bool // the outcome existed before the wait began
}

// following reads the events until the outcome of every target is known.
type following struct {
	*bus
	all      []*awaited
	progress *progress
	ended    func(*awaited) error // gets each outcome as it comes

	reached bool // the namespace, once at least
	begun   bool // all that was published before was read
	err     error
}

// follow ends with nil when every target has its outcome.
func (f *following) follow(ctx context.Context, timeout time.Duration) error {
	reader, err := history.Open(f.client, f.topic, f.subscription)
	if err != nil {
		return f.explain(err, f.historyEntity(), namespace.Listen)
	}
	for _, a := range f.all {
		reader.BuildIDs = append(reader.BuildIDs, a.id)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, errTimeout)
	defer cancel()
	err = reader.Follow(ctx, history.Following{Interval: lookEvery, Each: f.read, OnError: f.onError})
	return errors.Join(err, f.err)
}

// read takes in what came, and says whether it is over.
func (f *following) read(entries []history.Entry, current bool) bool {
	f.reached = true
	f.progress.contact(nil)
	for _, e := range entries {
		for _, a := range f.all {
			if a.id == e.Event.Data.BuildID {
				a.timeline.Add(e)
			}
		}
	}
	if !current { // there are more events, so the last ones may be out of date
		return false
	}
	open := 0
	for _, a := range f.all {
		if a.outcome == nil {
			f.look(a)
		}
		if a.outcome == nil {
			open++
		}
	}
	f.begun = true
	return open == 0 || f.err != nil
}

// look brings one target up to date.
func (f *following) look(a *awaited) {
	latest := a.timeline.Latest()
	if latest == nil {
		f.noteQuiet(a)
		return
	}
	a.outcome, a.early = a.timeline.Outcome(), !f.begun
	f.progress.change(func(*buildTable) *row {
		before, step := a.row.state, a.row.step
		a.row.show(latest.Event)
		if a.row.state == before && a.row.step == step || !a.row.open() {
			return nil
		}
		return a.row
	})
	if a.outcome != nil {
		f.err = errors.Join(f.err, f.ended(a))
	}
}

// noteQuiet says once what to check when nothing comes.
func (f *following) noteQuiet(a *awaited) {
	long := time.Since(a.since)
	switch {
	case a.warned:
	case a.submitted.IsZero() && long > quiet:
		a.warned = true
		f.progress.note("note: %s", unknown(a.target))
	case long > tooQuiet:
		a.warned = true
		f.progress.note("note: no event of %s came in %s: `goldmint dead-letters list` shows whether its message was refused, `goldmint events` whether the handler runs", a, short(tooQuiet))
	}
}

// old reports whether the outcome answers a request that was sent before this very one. Clocks may
// differ by seconds, not by minutes; no build ends before its submitter has looked for the first
// time, so for an earlier outcome its time decides.
func (a *awaited) old() bool {
	if a.submitted.IsZero() {
		return false
	}
	if a.early && a.outcome.Published.Before(a.submitted) {
		return true
	}
	asked := a.outcome.Event.Data.RequestedAt
	if asked.IsZero() {
		asked = a.outcome.Event.Time
	}
	return asked.Before(a.submitted.Add(-time.Minute))
}

// notes are remarks about an outcome.
func (f *following) notes(a *awaited) {
	e := a.outcome.Event
	switch {
	case a.old():
		f.progress.note("note: nothing was sent to Azure: this very request was submitted before under the id %s, and this is its answer of %s. To run it again give --again, or another --id",
			e.Data.BuildID, localTime(e.Time))
	case a.early && e.Type == event.Rejected && a.submitted.IsZero():
		f.progress.note("note: this is the answer of %s; for a request that was sent again since, wait for %s/DIGEST", localTime(e.Time), e.Data.BuildID)
	}
}

// unanswered is the error about a target that has no outcome when the wait ends with err.
func (a *awaited) unanswered(err error, timeout *timeout) error {
	switch {
	case errors.Is(err, errTimeout):
		err = fmt.Errorf("build %s did not end within %s", a, timeout)
	case errors.Is(err, context.Canceled):
		err = fmt.Errorf("interrupted while waiting for build %s", a)
	default:
		return err
	}
	hint := "the build goes on: `goldmint wait " + a.String() + "` waits for it again"
	if a.timeline.Latest() == nil && a.submitted.IsZero() {
		hint = unknown(a.target)
	}
	return &exitError{error: err, status: exitTimeout, hint: hint}
}

// unknown is what to check when nothing comes.
func unknown(t target) string {
	return fmt.Sprintf("no event of %s came so far: is the id right, and does the handler run? `goldmint events` shows what it did, `goldmint dead-letters list` what it refused", t)
}

// onError returns nil if an error may pass. A refusal by a namespace that was never reached does
// not pass.
func (f *following) onError(err error, since time.Duration) error {
	explained := f.explain(err, f.historyEntity(), namespace.Listen)
	var refusal *namespace.Refusal
	switch {
	case !f.reached && (errors.As(explained, &refusal) || since > firstContact), since > lostContact:
		return explained
	}
	f.progress.contact(err)
	return nil
}
