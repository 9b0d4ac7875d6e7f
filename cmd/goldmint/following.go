package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"goldmint/cmd/goldmint/internal/deadletter"
	"goldmint/cmd/goldmint/internal/namespace"
	"goldmint/internal/event"
	"goldmint/internal/history"
)

// errTimeout ends a wait.
var errTimeout = errors.New("the time is over")

const (
	// lookEvery is the time between two looks for new events: with what a look takes it is below the two seconds within
	// which an event is to be seen.
	lookEvery = time.Second

	// lostContact is how long a namespace that was reached before may be out of reach.
	lostContact = 10 * time.Minute
)

// following is one target whose events are read until they tell the outcome.
type following struct {
	*bus
	target   target
	progress *progress
	reader   *history.Reader
	told     []history.Entry
	story    history.Story
	outcome  *history.Entry
	reached  bool // the namespace, once at least
	begun    bool // all that was published before was read
}

func (f *following) follow(ctx context.Context, flags waitFlags) (history.Entry, error) {
	reader, err := history.Open(f.client, f.topic, f.subscription)
	if err != nil {
		return history.Entry{}, f.trouble(err, f.historyEntity(), namespace.Listen)
	}
	reader.BuildID = f.target.id
	f.reader, f.story.Digest = reader, f.target.digest
	ctx, cancel := context.WithTimeoutCause(ctx, flags.patience(f.target), errTimeout)
	defer cancel()
	err = reader.Follow(ctx, history.Following{
		Interval: lookEvery,
		Each:     func(entries []history.Entry, current bool) bool { return f.read(ctx, entries, current) },
		Trouble:  f.endure,
	})
	switch {
	case err == nil:
		return *f.outcome, nil
	case errors.Is(err, errTimeout):
		err = fmt.Errorf("build %s did not end within %s", f.target, &flags.timeout)
	case errors.Is(err, context.Canceled):
		err = fmt.Errorf("interrupted while waiting for build %s", f.target)
	default:
		return history.Entry{}, err
	}
	hint := "the build goes on: `goldmint wait " + f.target.String() + "` waits for it again"
	if f.story.Latest() == nil && f.target.submitted.IsZero() {
		hint = silence(f.target)
	}
	return history.Entry{}, &exitError{error: err, status: exitTimeout, hint: hint}
}

// read takes in what came, and says whether it is over.
func (f *following) read(ctx context.Context, entries []history.Entry, current bool) bool {
	f.reached = true
	f.tell(entries)
	if !current {
		return false
	}
	f.outcome = f.story.Outcome()
	if f.outcome != nil && !f.begun && f.target.submitted.IsZero() {
		f.lookAhead(ctx)
	}
	f.begun = true
	f.progress.heard(f.story.Started())
	return f.outcome != nil
}

func (f *following) tell(entries []history.Entry) {
	f.told = append(f.told, entries...)
	for _, e := range entries {
		f.story.Tell(e)
	}
}

// lookAhead deals with an outcome that was there before anybody waited: it is out of date when a request was sent since,
// such as a corrected one. That one lies in the queue until it is heard of. Where the queue may not be looked at, the
// outcome stands, with its date.
func (f *following) lookAhead(ctx context.Context) {
	looking, cancel := context.WithTimeout(ctx, firstContact)
	defer cancel()
	queued, err := deadletter.New(f.client, f.queue).Waiting(looking, f.target.id)
	if err != nil {
		f.progress.mayBeOld = true
		return
	}
	entries, err := f.reader.Read(looking) // of what has left the queue meanwhile
	if err != nil {
		return
	}
	f.tell(entries)
	f.outcome = f.story.Outcome()
	if f.outcome == nil { // a newer request has started meanwhile
		return
	}
	if digest := sentSince(f.outcome, f.told, queued, f.target.digest); digest != "" {
		f.target.digest = digest[:12]
		f.progress.awaits(f.target, f.outcome.Event)
		f.story, f.outcome = history.Story{Digest: digest}, nil
	}
}

// sentSince is the digest of the newest request that came to the queue after the outcome was published and has no answer
// yet; empty if there is none. The digest starts as given.
func sentSince(outcome *history.Entry, told []history.Entry, queued []deadletter.Letter, start string) (newest string) {
	for _, l := range queued {
		digest := l.Digest()
		if digest == "" || !strings.HasPrefix(digest, start) || !l.EnqueuedAt.After(outcome.Published) {
			continue
		}
		if !answered(told, digest, l.EnqueuedAt) {
			newest = digest
		}
	}
	return newest
}

// answered reports whether a request was started or ended, or rejected since it was sent.
func answered(told []history.Entry, digest string, sent time.Time) bool {
	for _, e := range told {
		if e.Event.Data.Digest == digest && (e.Event.Type != event.Rejected || e.Published.After(sent)) {
			return true
		}
	}
	return false
}

// silence is what to check when nothing comes.
func silence(t target) string {
	return fmt.Sprintf("nothing was heard of %s so far: is the id right, and does the handler run? `goldmint events` shows what it did, `goldmint dead-letters list` what it refused", t)
}

// endure says whether trouble is to be put up with: not a refusal by a namespace that was never reached.
func (f *following) endure(err error, since time.Duration) error {
	explained := f.trouble(err, f.historyEntity(), namespace.Listen)
	var refusal *namespace.Refusal
	switch {
	case !f.reached && (errors.As(explained, &refusal) || since > firstContact), since > lostContact:
		return explained
	}
	f.progress.trouble(err)
	return nil
}
