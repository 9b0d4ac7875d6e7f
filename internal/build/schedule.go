package build

import (
	"time"

	"goldmint/internal/retry"
)

// Policy is when to look, how often to try and when to give up. The zero Policy is not usable: see DefaultPolicy.
type Policy struct {
	MaxWait  time.Duration // for ARM's allowance, or for ARM to come back, from the request's enqueueing on
	Attempts int           // PUTs that ARM may accept for one build

	FirstLook time.Duration // after the Date of ARM's 201
	Tick      time.Duration // on which ARM's image operations end, counted from their startTime
	TickLag   time.Duration // after a tick, for the result to be readable
	TickFor   time.Duration // how long after its start an operation is looked at on every tick
	LookShare float64       // then after this share of the time already spent,
	LookMin   time.Duration // but not sooner
	LookMax   time.Duration // and not later

	HandOver time.Duration // what a redelivered message leaves to the earlier delivery: as long as an invocation may live
	Backoff  retry.Backoff // after temporary failures
}

// The most that Policy.MaxWait and Policy.Attempts may be. Messages and the windows of their duplicates are made for these.
const (
	LongestWait  = 5 * 24 * time.Hour
	MostAttempts = 10
)

// DefaultPolicy looks on the ticks on which ARM's image operations were measured to end.
func DefaultPolicy() Policy {
	return Policy{
		MaxWait: 24 * time.Hour, Attempts: 3,
		FirstLook: 5500 * time.Millisecond, Tick: 5150 * time.Millisecond, TickLag: 250 * time.Millisecond, TickFor: time.Minute,
		LookShare: 0.15, LookMin: 5 * time.Second, LookMax: 30 * time.Second,
		HandOver: time.Minute, Backoff: retry.Backoff{First: 5 * time.Second, Max: 5 * time.Minute},
	}
}

// nextLook is how long to wait before looking at an operation again. date is ARM's clock now, 0 ≤ asked is its Retry-After.
func (p Policy) nextLook(startedAt, date time.Time, asked time.Duration) time.Duration {
	spent := date.Sub(startedAt)
	var wait time.Duration
	switch {
	case startedAt.IsZero() || spent < 0:
		wait = p.LookMin
	case spent < p.TickFor:
		ticks := (spent-p.TickLag)/p.Tick + 1
		wait = ticks*p.Tick + p.TickLag - spent
		if wait < time.Second { // ARM's Date is cut to the second: this tick may not have come yet
			wait += p.Tick
		}
	default:
		wait = min(max(time.Duration(float64(spent)*p.LookShare), p.LookMin), p.LookMax)
	}
	return max(wait, asked)
}
