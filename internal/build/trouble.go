package build

import (
	"fmt"
	"strings"
	"time"

	"goldmint/internal/event"
	"goldmint/internal/iso8601"
)

// trouble: a command did not go through.
func (p Policy) trouble(b Build, o Trouble, now time.Time) (Build, Command) {
	if o.Err == nil {
		return p.busTrouble(b, now)
	}
	meaning := o.Err.Meaning()
	if o.Verb == Watch && meaning != Retry && meaning != Throttled {
		b.Token = "" // the operation cannot be seen: the image can
		return p.do(b, Look)
	}
	if o.Verb == Watch && meaning == Retry && b.Trouble >= unseen {
		return p.do(b, Look) // the operation may never be seen again, and the verdict is the image's
	}
	switch meaning {
	case Retry, Throttled, Conflict:
		b.Trouble++
		return p.pause(b, now, p.backoff(b, b.Trouble, o.Err.RetryAfter), "ARM: "+o.Err.reason())
	case Doubtful:
		if waits := doubts(o.Err); b.Doubts < len(waits) {
			b.Doubts++
			return p.pause(b, now, waits[b.Doubts-1], "not believed yet: "+o.Err.reason())
		}
	case Final:
	}
	f := *o.Err.failure()
	if b.Failure != nil && (b.decided || o.Verb == Delete) {
		f = *b.Failure // why the build failed is not that its failed image cannot be cleared away
		if !b.decided {
			f.Message += " (and its failed image could not be deleted: " + o.Err.reason() + ")"
		}
	}
	return p.fail(b, f, now)
}

// unseen is how often in a row ARM may fail to show an operation before the image is asked as well.
const unseen = 5

// busTrouble: an event could not be published. The queue may still work, so the build comes back and tries again.
func (p Policy) busTrouble(b Build, now time.Time) (Build, Command) {
	if !b.ended {
		return p.watchLater(b, now)
	}
	b.ended, b.Found = false, b.Found || !b.Decided()
	b.Trouble++
	return p.later(b, now.Add(p.backoff(b, b.Trouble, 0)), "the event could not be published")
}

// reason is the error in a few words, for a log line and a wait's reason.
func (e *ARMError) reason() string {
	if e.Status == 0 {
		return "no answer"
	}
	return strings.TrimSpace(fmt.Sprintf("%d %s", e.Status, e.Code))
}

func failure(code, message string, retryable bool) Failure {
	f := Failure{Final: true}
	f.Error = event.Error{Code: code, Message: message, Retryable: retryable}.Bounded()
	return f
}

func timedOut(b Build) Failure {
	if b.Failure != nil {
		return *b.Failure
	}
	return failure("TimedOut", "ARM did not finish the image within the request's timeout of "+isoDuration(b.Request.Timeout)+
		"; the operation goes on in ARM, so the image may still appear", true)
}

func isoDuration(d time.Duration) string { return iso8601.Format(d) }
