package worker

import (
	"context"
	"time"

	"goldmint/internal/armerr"
	"goldmint/internal/build"
	"goldmint/internal/message"
)

// heard counts the message: from the sequence numbers that pass by, the pacer reads how many others there are.
func (w *Worker) heard(m message.Received, again bool) {
	if w.Pacer != nil {
		w.Pacer.Heard(m.SequenceNumber, again)
	}
}

// learn takes over what the message's sender knew of ARM's allowance, and gives a build that is new its place in the line.
// Nobody has come later than the message that says so.
func (w *Worker) learn(m message.Received, b build.Build) build.Build {
	if b.Pace.Ticket <= 0 || b.Pace.Ticket > m.SequenceNumber {
		b.Pace.Ticket = m.SequenceNumber
	}
	b.Pace.Front = min(b.Pace.Front, m.SequenceNumber)
	if w.Pacer != nil {
		w.Pacer.Learn(b.Place(), b.Pace, w.Now())
	}
	return b
}

// turn is whether a build may create its image while one message is handled.
type turn struct {
	w        *Worker
	place    string
	admitted bool
	used     bool
}

// ask says when to come back if the build may not go on now, nil if it may. It is asked before the first look of a build
// that has nothing at ARM yet, so that waiting costs ARM nothing, else before the PUT.
func (t *turn) ask(ctx context.Context, b *build.Build, do build.Command, seen build.Observation) *build.Postponed {
	if t.w.Pacer == nil || t.admitted || !mayCreate(*b, do, seen) {
		return nil
	}
	t.place = b.Place()
	for range maxHolds {
		v := t.w.Pacer.Admit(t.place, b.Key(), b.Pace, t.w.Now())
		switch {
		case v.Go:
			t.admitted = true
			return nil
		case v.Hold == 0:
			b.Pace.Waits++
			return &build.Postponed{At: v.At, Reason: "waiting for ARM's allowance of image creations"}
		case t.w.Pause(ctx, v.Hold) != nil:
			return nil // the invocation is over, and ARM is asked nothing any more
		}
	}
	return nil
}

// maxHolds is far above the one time that a pacer asks to hold on.
const maxHolds = 4

// mayCreate says whether the command is, or may come to, the creation of the image.
func mayCreate(b build.Build, do build.Command, seen build.Observation) bool {
	if do.Verb == build.Create {
		return true
	}
	woken, first := seen.(build.Woken)
	return first && do.Verb == build.Look && !woken.Redelivered && b.Attempts == 0 && !b.Decided()
}

// took tells the pacer what ARM's answer to a PUT says of the allowance.
func (t *turn) took(b build.Build, do build.Command, seen build.Observation, sent time.Time) {
	if t.w.Pacer == nil || do.Verb != build.Create {
		return
	}
	t.used = true
	switch o := seen.(type) {
	case build.Accepted:
		t.w.Pacer.Answered(b.Place(), b.Pace.Ticket, o.Left, 0, sent, t.w.Now())
	case build.Trouble:
		wait := time.Duration(0)
		if o.Err != nil && o.Err.Class() == armerr.Throttled {
			wait = max(o.Err.RetryAfter, time.Second)
		}
		if o.Err != nil && (wait > 0 || len(o.Err.Left) > 0) {
			t.w.Pacer.Answered(b.Place(), b.Pace.Ticket, o.Err.Left, wait, sent, t.w.Now())
		}
	}
}

// over gives the admission back that was not used: there was an image.
func (t *turn) over() {
	if t.admitted && !t.used {
		t.w.Pacer.Spare(t.place, t.w.Now())
	}
}
