package worker

import (
	"context"
	"fmt"
	"testing"
	"time"

	"goldmint/internal/armerr"
	"goldmint/internal/build"
	"goldmint/internal/message"
	"goldmint/internal/pace"
)

// meteredARM tells with each creation what is left of the allowance, and refuses when nothing is.
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
	left := pace.Parse(fmt.Sprintf("Microsoft.Compute/CreateImages3Min;%d", max(0, a.left-1)))
	if a.left == 0 {
		return build.Accepted{}, &armerr.Error{Status: 429, Code: "TooManyRequests", RetryAfter: 90 * time.Second, Left: left}
	}
	a.left--
	return build.Accepted{Token: "token", Date: noon, Left: left}, nil
}

// paced is a bench with a pacer, whose clock goes on by what is paused.
func paced(left int) (*bench, *meteredARM, *time.Duration) {
	b, arm, spent := newBench(Rules{}), &meteredARM{left: left}, new(time.Duration)
	b.ARM, b.Pacer = arm, pace.New("one")
	b.Now = func() time.Time { return noon.Add(*spent) }
	b.Pause = func(_ context.Context, d time.Duration) error {
		*spent += d
		return nil
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
	b, arm, spent := paced(40)
	b.handle(t, numbered(1))
	if arm.creates != 1 || *spent > 300*time.Millisecond {
		t.Errorf("%d creations after %s, want one at once", arm.creates, *spent)
	}
}

func TestWaitingCostsARMNothing(t *testing.T) {
	b, arm, spent := paced(1)
	b.handle(t, numbered(1))
	asked := len(arm.calls)
	b.handle(t, numbered(2))
	waiting, at := b.last(t)
	if arm.creates != 1 || len(arm.calls) != asked || !at.After(b.Now()) {
		t.Fatalf("%d creations, %v, comes back at %s, want it to wait", arm.creates, arm.calls, at)
	}
	if p := waiting.Pace; p.Ticket != 2 || p.Waits != 1 || len(p.Sights) != 1 || p.Sights[0].Remaining != 0 {
		t.Errorf("carries %+v, want its ticket and that nothing is left", p)
	}

	// Another instance learns of it from the continuation.
	other, free, _ := paced(40)
	m := delivered(b.bus.queued[len(b.bus.queued)-1], received(""))
	m.SequenceNumber = 9
	other.handle(t, m)
	other.handle(t, numbered(10))
	if free.creates != 0 {
		t.Errorf("another instance tried %d creations, although it was told that nothing is left", free.creates)
	}

	*spent += 4 * time.Minute
	arm.left = 40
	m.EnqueuedAt = b.Now()
	b.handle(t, m)
	if arm.creates != 2 {
		t.Errorf("%d creations once the window has passed, want the waiting one's", arm.creates)
	}
}

func TestRefusalHoldsTheOthers(t *testing.T) {
	b, arm, _ := paced(0)
	b.handle(t, numbered(1))
	b.handle(t, numbered(2))
	_, at := b.last(t)
	if arm.creates != 1 || at.Before(noon.Add(90*time.Second)) {
		t.Errorf("%d creations, the second comes back at %s, want it to wait as long as the first was told to", arm.creates, at)
	}
}

// TestRedeliveryIsNotPaced: what it must not do is handed on, and its continuation asks.
func TestRedeliveryIsNotPaced(t *testing.T) {
	b, arm, _ := paced(0)
	b.handle(t, numbered(1))
	m := numbered(2)
	m.DeliveryCount = 2
	b.handle(t, m)
	handed, _ := b.last(t)
	if handed.Pace.Waits != 0 || len(arm.calls) != 2 {
		t.Errorf("waited %d times, ARM was asked for %v, want a look and to be handed on", handed.Pace.Waits, arm.calls)
	}
}

// TestUnusedAdmissionsAreGivenBack: builds that find their image there do not wait for each other.
func TestUnusedAdmissionsAreGivenBack(t *testing.T) {
	b, arm, _ := paced(40)
	arm.exists = true
	for n := range int64(50) {
		b.handle(t, numbered(n+1))
		if found, _ := b.last(t); found.Pace.Waits > 0 {
			t.Fatalf("build %d had to wait", n+1)
		}
	}
}

// TestTicketIsTheMessagesOwn: nobody claims to have come before the queue began, or after the message that says so.
func TestTicketIsTheMessagesOwn(t *testing.T) {
	b := newBench(Rules{})
	for _, claimed := range []int64{0, 8, 1 << 60} {
		if got := b.learn(received(""), build.Build{Pace: pace.Note{Ticket: claimed, Front: claimed}}).Pace; got.Ticket != 7 || got.Front > 7 {
			t.Errorf("ticket %d became %+v, not the message's own 7", claimed, got)
		}
	}
}

// largestNote is what a pacer knows after hours of busy windows.
func largestNote(t *testing.T) pace.Note {
	t.Helper()
	p := pace.New("one")
	now := noon
	for n := range 2000 {
		now = now.Add(time.Duration(n%7) * 3 * time.Second)
		left := pace.Parse(fmt.Sprintf("Microsoft.Compute/CreateImages3Min;%d,Microsoft.Compute/CreateImages30Min;%d", 39-n%40, 199-n%200))
		p.Answered("here", 1, left, 0, now, now)
	}
	p.Answered("here", 1, nil, time.Minute, now, now)
	n := p.Note("here", pace.Note{Ticket: 1 << 60, Waits: 1000}, now)
	if text := mustJSON(t, n); len(n.Sights) != 2 || len(text) > 4<<10 {
		t.Errorf("the note has %d bytes: %s", len(text), text)
	}
	return n
}
