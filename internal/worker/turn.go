package worker

import (
	"context"
	"time"

	"goldmint/internal/build"
	"goldmint/internal/ratelimit"
)

// turn is whether a build may create its image while one message is handled.
type turn struct {
	w        *Worker
	document string
	got      ratelimit.Turn
	asked    bool
	used     bool
}

// ask says when to come back if the build may not go on now, nil if it may. It is asked before the first look of a build
// that has nothing at ARM yet, so that waiting costs ARM nothing, else before the PUT.
func (t *turn) ask(ctx context.Context, b *build.Build, do build.Command, seen build.Observation) *build.Postponed {
	if t.w.Limits == nil || t.asked || !mayCreate(*b, do, seen) {
		return nil
	}
	t.document = b.RateLimit()
	t.got = t.w.Limits.Ask(ctx, t.document, b.Number)
	b.Number = t.got.Number
	if t.got.Wait > 0 {
		return &build.Postponed{At: t.w.Now().Add(t.got.Wait), Ahead: t.got.Before, Reason: "waiting for ARM's allowance of image creations"}
	}
	t.asked = true
	return nil
}

// mayCreate says whether the command is, or may come to, the creation of the image.
func mayCreate(b build.Build, do build.Command, seen build.Observation) bool {
	if do.Verb == build.Create {
		return true
	}
	woken, first := seen.(build.Woken)
	return first && do.Verb == build.Look && !woken.Redelivered && b.Attempts == 0 && !b.Decided()
}

// took tells the limiter what ARM's answer to a PUT says of the limits. Of a PUT without an answer nothing is known but that
// it may have been counted.
func (t *turn) took(ctx context.Context, b *build.Build, do build.Command, seen build.Observation, sent time.Time) {
	if t.w.Limits == nil || do.Verb != build.Create {
		return
	}
	t.used = true
	a := ratelimit.Answer{Start: t.got.Start, Sent: t.w.Limits.Now().Add(-t.w.Now().Sub(sent))}
	switch o := seen.(type) {
	case build.Accepted:
		a.Limits, b.Number = o.Left, 0
	case build.Trouble:
		if o.Err == nil || o.Err.Status == 0 {
			return
		}
		a.Limits = o.Err.Left
		// Throttling with another status is that of a source, and no limit of the region.
		if a.Refused = o.Err.Status == 429; a.Refused {
			a.RetryAfter = max(o.Err.RetryAfter, time.Second)
		} else if len(a.Limits) == 0 {
			return
		}
	}
	t.w.Limits.Answer(ctx, t.document, a)
}

// over gives back a turn that was not used: there was an image, or the process could not go on.
func (t *turn) over(ctx context.Context) {
	if t.asked && !t.used {
		t.w.Limits.Return(ctx, t.document, t.got)
	}
}

// leave takes a build that ends out of the line, in case it still waits there.
func (w *Worker) leave(ctx context.Context, b build.Build) {
	if w.Limits != nil {
		w.Limits.Leave(ctx, b.RateLimit(), b.Number)
	}
}
