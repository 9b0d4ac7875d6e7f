package build

import (
	"time"

	"goldmint/internal/request"
	"goldmint/internal/retry"
)

// Policy is when to look, how often to try and when to give up. The zero Policy is not usable: see
// DefaultPolicy.
type Policy struct {
	MaxWait time.Duration // for ARM's rate limit, or for ARM to be available, from the request's enqueued time on

	Attempts        int // PUTs that ARM may accept for one image
	VersionAttempts int // and for one gallery image version, because each may take hours

	Images   Looks // at the operations that make images
	Versions Looks // and gallery image versions

	HandOver time.Duration // how long a redelivered message waits for the earlier delivery: the longest life of an invocation
	Backoff  retry.Backoff // after temporary failures
}

// Looks is when to look at an operation, counted from its start. Azure's operations end at fixed
// intervals, so a look just after such a moment is worth several looks in between.
type Looks struct {
	At    []time.Duration // measured ends of operations, plus a moment until the result is readable
	Every time.Duration   // then at this interval,
	Until time.Duration   // up to this age; 0 for not at all
	Share float64         // then after this share of the time already spent,
	Min   time.Duration   // but not sooner
	Max   time.Duration   // and not later
	Gone  time.Duration   // how long a deletion takes
}

// The most that Policy.MaxWait and Policy.Attempts may be. The lifetime of messages and the window
// of duplicate detection are chosen for these.
const (
	LongestWait  = 5 * 24 * time.Hour
	MostAttempts = 10
)

// DefaultPolicy looks when Azure's operations were measured to end: of 23 recorded creations of
// images 12 took 5.1 to 5.3 s, 10 took 10.1 to 10.4 s and one 56.9 s. Around one minute the looks
// are close together, because the single measurement does not show when others end. Those of
// gallery image versions end just after a multiple of 15 s.
func DefaultPolicy() Policy {
	return Policy{
		MaxWait: 24 * time.Hour, Attempts: 3, VersionAttempts: 2,
		Images: Looks{
			At: []time.Duration{
				5400 * time.Millisecond, 10550 * time.Millisecond, 20850 * time.Millisecond, 36300 * time.Millisecond,
				57000 * time.Millisecond, 58700 * time.Millisecond, 60400 * time.Millisecond, 62100 * time.Millisecond,
			},
			Share: 0.15, Min: 5 * time.Second, Max: 30 * time.Second, Gone: 5400 * time.Millisecond,
		},
		Versions: Looks{
			At: []time.Duration{
				31500 * time.Millisecond, 46500 * time.Millisecond, 91500 * time.Millisecond, 151500 * time.Millisecond,
				241500 * time.Millisecond, 361500 * time.Millisecond,
			},
			Every: 15 * time.Second, Until: 10 * time.Minute,
			Share: 0.05, Min: 15 * time.Second, Max: time.Minute, Gone: 15 * time.Second,
		},
		HandOver: time.Minute, Backoff: retry.Backoff{First: 5 * time.Second, Max: 5 * time.Minute},
	}
}

// soonest is the shortest wait before the next look, because a look may come a moment too early.
const soonest = 250 * time.Millisecond

// looks and attempts are those of the build's target.
func (p Policy) looks(b Build) Looks {
	if b.Request.Target() == request.GalleryImageVersion {
		return p.Versions
	}
	return p.Images
}

func (p Policy) attempts(b Build) int {
	if b.Request.Target() == request.GalleryImageVersion {
		return p.VersionAttempts
	}
	return p.Attempts
}

// next is how long to wait before looking at an operation of that age again. asked is ARM's
// Retry-After, 0 for none.
func (l Looks) next(spent, asked time.Duration) time.Duration {
	return max(l.wait(max(spent, 0)), asked)
}

func (l Looks) wait(spent time.Duration) time.Duration {
	last := time.Duration(0)
	for _, at := range l.At {
		if spent < at {
			return max(at-spent, soonest)
		}
		last = at
	}
	if spent < l.Until && l.Every > 0 {
		return max(l.Every-(spent-last)%l.Every, soonest)
	}
	return min(max(time.Duration(float64(spent)*l.Share), l.Min), l.Max)
}

// age is how old an operation is. date is ARM's clock in whole seconds; the handler's own clock
// adds the fraction.
func age(startedAt, date, now time.Time) time.Duration {
	if date.IsZero() {
		return now.Sub(startedAt)
	}
	if now.Before(date) {
		now = date
	}
	if latest := date.Add(time.Second); now.After(latest) {
		now = latest
	}
	return now.Sub(startedAt)
}
