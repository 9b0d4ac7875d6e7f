package worker

import (
	"context"
	"fmt"
	"testing"
	"time"

	"goldmint/internal/armerr"
	"goldmint/internal/build"
	"goldmint/internal/message"
	"goldmint/internal/ratelimit"
)

// meteredARM reports with each creation what is left of the rate limit, and refuses when nothing is
// left.
type meteredARM struct {
	emptyARM
	left    int
	creates int
	exists  bool // each image looked at
}

func (a *meteredARM) Image(ctx context.Context, id string) (build.Image, error) {
	if a.exists {
		return build.Image{Exists: true, ID: id, State: "Succeeded"}, nil
	}
	return a.emptyARM.Image(ctx, id)
}

func (a *meteredARM) Create(context.Context, build.Build) (build.Accepted, error) {
	a.creates++
	left := ratelimit.Parse(fmt.Sprintf("Microsoft.Compute/CreateImages3Min;%d", max(0, a.left-1)))
	if a.left == 0 {
		return build.Accepted{}, &armerr.Error{Status: 429, Code: "TooManyRequests", RetryAfter: 90 * time.Second, Left: left}
	}
	a.left--
	return build.Accepted{Token: "token", Date: noon, Left: left}, nil
}

// limited is a bench with a limiter, and its clock.
func limited(left int) (*bench, *meteredARM, *time.Duration) {
	b, arm, spent := newBench(Rules{}), &meteredARM{left: left}, new(time.Duration)
	b.ARM = arm
	b.Now = func() time.Time { return noon.Add(*spent) }
	b.Limits = &ratelimit.Limiter{
		Store: ratelimit.NewMemory(b.Now), Now: b.Now, Pause: func(context.Context, time.Duration) error { return nil },
	}
	return b, arm, spent
}

func numbered(n int64) message.Received {
	m := received(ask(fmt.Sprint("b", n), fmt.Sprint("img", n)))
	m.ID, m.SequenceNumber = fmt.Sprint("m", n), n
	return m
}

// last is the build of the continuation that was sent last.
func (b *bench) last(t *testing.T) (build.Build, time.Time) {
	t.Helper()
	out := b.bus.queued[len(b.bus.queued)-1]
	e, err := message.Open[build.Build](out.Body)
	if err != nil {
		t.Fatal(err)
	}
	return e.Data, out.At
}

func TestIdleSystemCreatesAtOnce(t *testing.T) {
	b, arm, _ := limited(40)
	b.handle(t, numbered(1))
	if arm.creates != 1 {
		t.Errorf("%d creations, want one at once", arm.creates)
	}
}

// fill handles builds until one has to wait.
func (b *bench) fill(t *testing.T) (waiting build.Build, at time.Time) {
	t.Helper()
	for n := range int64(50) {
		b.handle(t, numbered(n+1))
		if waiting, at = b.last(t); waiting.Attempts == 0 {
			return waiting, at
		}
	}
	t.Fatal("nobody has to wait")
	return waiting, at
}

func TestWaitingCostsARMNothing(t *testing.T) {
	b, arm, spent := limited(3)
	b.fill(t)
	asked := len(arm.calls)
	b.handle(t, numbered(60))
	waiting, at := b.last(t)
	if len(arm.calls) != asked || !at.After(b.Now()) || waiting.Number <= 0 {
		t.Fatalf("%v, number %d comes back at %s, want it to wait", arm.calls[asked:], waiting.Number, at)
	}
	m := delivered(b.bus.queued[len(b.bus.queued)-1], numbered(61))
	*spent += time.Hour
	m.EnqueuedAt = b.Now()
	arm.left = 40
	creates := arm.creates
	b.handle(t, m)
	if started, _ := b.last(t); arm.creates != creates+1 || started.Number != 0 {
		t.Errorf("%d creations once the window has passed, want the waiting one's; its number is %d", arm.creates-creates, started.Number)
	}
}

func TestRefusalHoldsTheOthers(t *testing.T) {
	b, arm, _ := limited(0)
	b.handle(t, numbered(1))
	refused, _ := b.last(t)
	b.handle(t, numbered(2))
	_, at := b.last(t)
	if arm.creates != 1 || at.Before(noon.Add(90*time.Second)) || refused.Number != 1 {
		t.Errorf("%d creations, number %d, the second comes back at %s, want it to wait as long as the first", arm.creates, refused.Number, at)
	}
}

// TestRedeliveryKeepsTheLine: a redelivered message sends its build on with its number, and the
// next message asks the limiter.
func TestRedeliveryKeepsTheLine(t *testing.T) {
	b, arm, _ := limited(0)
	b.handle(t, numbered(1))
	b.handle(t, numbered(2))
	m := delivered(b.bus.queued[len(b.bus.queued)-1], numbered(3))
	m.DeliveryCount = 2
	asked := len(arm.calls)
	b.handle(t, m)
	if handed, _ := b.last(t); handed.Number != 2 || len(arm.calls) != asked+1 {
		t.Errorf("number %d, ARM was asked for %v, want a look and to be handed on", handed.Number, arm.calls[asked:])
	}
}

// TestUnusedTurnsAreGivenBack: builds that find their image there do not wait for each other.
func TestUnusedTurnsAreGivenBack(t *testing.T) {
	b, arm, _ := limited(40)
	arm.exists = true
	for n := range int64(50) {
		b.handle(t, numbered(n+1))
		if _, at := b.last(t); at.After(b.Now()) {
			t.Fatalf("build %d had to wait until %s", n+1, at)
		}
	}
}

// TestAThrottledSourceHoldsNobodyElse: the throttling of a source is not a limit of the region.
func TestAThrottledSourceHoldsNobodyElse(t *testing.T) {
	b, arm, _ := limited(40)
	busy := &busySource{arm}
	b.ARM = busy
	b.handle(t, numbered(1))
	b.ARM = arm
	b.handle(t, numbered(2))
	if arm.creates != 1 {
		t.Errorf("%d creations, want the second build's", arm.creates)
	}
}

type busySource struct{ *meteredARM }

func (*busySource) Create(context.Context, build.Build) (build.Accepted, error) {
	return build.Accepted{}, &armerr.Error{Status: 409, Code: "Conflict", Message: "Too many requests on source", RetryAfter: time.Hour}
}
