package servicebus_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/google/go-cmp/cmp"

	"goldmint/emulator/servicebus"
)

func (b *bench) sendSession(session string, bodies ...string) {
	b.Helper()
	s := b.sender("sessions")
	for _, body := range bodies {
		m := message(body)
		m.SessionID = &session
		b.must(s.SendMessage(b.ctx, m, nil))
	}
}

func (b *bench) accept(session string) *azservicebus.SessionReceiver {
	b.Helper()
	r, err := b.client.AcceptSessionForQueue(b.ctx, "sessions", session, nil)
	b.must(err)
	return r
}

func TestSessionsKeepOrderAndExcludeOthers(t *testing.T) {
	b := start(t, servicebus.Options{})
	b.sendSession("s1", "a", "b")
	b.sendSession("s2", "c")
	b.sendSession("s1", "d")

	next, err := b.client.AcceptNextSessionForQueue(b.ctx, "sessions", nil)
	b.must(err)
	if next.SessionID() != "s1" {
		t.Errorf("next session %q, want s1, whose message waits longest", next.SessionID())
	}
	_, err = b.client.AcceptSessionForQueue(b.ctx, "sessions", "s1", nil)
	if err == nil {
		t.Fatal("a session that is locked was accepted again")
	}
	if got := bodies(b.receive(next, 3)); !cmp.Equal(got, []string{"a", "b", "d"}) {
		t.Errorf("received %v, want a b d", got)
	}
	b.must(next.Close(b.ctx))
	again := b.accept("s1")
	for _, m := range b.receive(again, 3) {
		if m.DeliveryCount != 1 {
			t.Errorf("%s: delivery count %d after the session was given up, want 1", m.Body, m.DeliveryCount)
		}
		b.must(again.CompleteMessage(b.ctx, m, nil))
	}
	b.counts("sessions", 1, 0, 0, 0)
	b.receiveOne(b.accept("s2"), "c")
}

func TestAcceptNextWaitsForASession(t *testing.T) {
	b := start(t, servicebus.Options{})
	ctx, cancel := context.WithTimeout(b.ctx, 50*time.Millisecond)
	defer cancel()
	if _, err := b.client.AcceptNextSessionForQueue(ctx, "sessions", nil); err == nil {
		t.Fatal("a session was accepted where there is none")
	}
	accepted := make(chan string)
	go func() {
		r, err := b.client.AcceptNextSessionForQueue(b.ctx, "sessions", nil)
		for lost(err) { // with the time for the first, the SDK may have given up the connection
			r, err = b.client.AcceptNextSessionForQueue(b.ctx, "sessions", nil)
		}
		if err != nil {
			accepted <- err.Error()
			return
		}
		accepted <- r.SessionID()
	}()
	b.sendSession("late", "a")
	if got := <-accepted; got != "late" {
		t.Errorf("accepted %q, want the session late", got)
	}
}

// lost says that the client has lost its connection, and dials again when next asked.
func lost(err error) bool {
	var e *azservicebus.Error
	return errors.As(err, &e) && e.Code == azservicebus.CodeConnectionLost
}

func TestSessionStateAndLock(t *testing.T) {
	b := start(t, servicebus.Options{})
	r := b.accept("s")
	state, err := r.GetSessionState(b.ctx, nil)
	if b.must(err); state != nil {
		t.Errorf("state %q of a new session, want none", state)
	}
	b.must(r.SetSessionState(b.ctx, []byte("half way"), nil))
	before := r.LockedUntil()
	b.bus.FastForward(30 * time.Second)
	b.must(r.RenewSessionLock(b.ctx, nil))
	if longer := r.LockedUntil().Sub(before); longer < 29*time.Second {
		t.Errorf("the renewal made the lock %v longer, want 30 s", longer)
	}
	b.must(r.Close(b.ctx))

	r = b.accept("s")
	if state, err = r.GetSessionState(b.ctx, nil); string(state) != "half way" {
		t.Errorf("state %q (%v) after accepting again, want half way", state, err)
	}
	b.must(r.SetSessionState(b.ctx, nil, nil))
	if state, err = r.GetSessionState(b.ctx, nil); state != nil || err != nil {
		t.Errorf("state %q (%v) after it was cleared", state, err)
	}
}

func TestSessionLockExpires(t *testing.T) {
	b := start(t, servicebus.Options{})
	b.sendSession("s", "a")
	r := b.accept("s")
	m := b.receiveOne(r, "a")
	b.bus.FastForward(61 * time.Second)
	ctx, cancel := context.WithTimeout(b.ctx, 100*time.Millisecond) // the client would try for a minute
	defer cancel()
	if err := r.CompleteMessage(ctx, m, nil); err == nil {
		t.Error("a message was completed after its session's lock was lost")
	}
	_ = r.Close(b.ctx) // reports the loss once more
	if m = b.receiveOne(b.accept("s"), "a"); m.DeliveryCount != 2 {
		t.Errorf("delivery count %d after the session's lock expired, want 2", m.DeliveryCount)
	}
}

func TestListSessions(t *testing.T) {
	b := start(t, servicebus.Options{})
	list := func(after *time.Time) []string {
		t.Helper()
		var all []string
		pager := b.client.NewListSessionsForQueuePager("sessions", &azservicebus.ListSessionsOptions{SessionStateUpdatedAfter: after})
		for pager.More() {
			page, err := pager.NextPage(b.ctx)
			b.must(err)
			all = append(all, page.Sessions...)
		}
		return all
	}
	if got := list(nil); len(got) > 0 {
		t.Errorf("sessions %v of an empty queue", got)
	}
	start := b.bus.Now().Add(-time.Second)
	b.sendSession("messages", "a")
	r := b.accept("state")
	b.must(r.SetSessionState(b.ctx, []byte("x"), nil))
	b.must(r.Close(b.ctx))
	if got := list(nil); !cmp.Equal(got, []string{"messages", "state"}) {
		t.Errorf("sessions %v, want messages and state", got)
	}
	if got := list(&start); !cmp.Equal(got, []string{"state"}) {
		t.Errorf("sessions with a state since then %v, want state", got)
	}
}

func TestSessionRules(t *testing.T) {
	b := start(t, servicebus.Options{})
	if err := b.sender("sessions").SendMessage(b.ctx, message("a"), nil); err == nil {
		t.Error("a message without a session id was taken by a queue that requires sessions")
	}
	if _, err := b.receiver("sessions", nil).ReceiveMessages(b.ctx, 1, nil); err == nil {
		t.Error("a receiver without a session received from a queue that requires sessions")
	}
	if _, err := b.client.AcceptSessionForQueue(b.ctx, "queue", "s", nil); err == nil {
		t.Error("a session of a queue without sessions was accepted")
	}
	b.sendSession("s", "b") // its dead-letter queue needs no session
	r := b.accept("s")
	b.must(r.DeadLetterMessage(b.ctx, b.receiveOne(r, "b"), nil))
	b.receiveOne(b.deadLetters("sessions"), "b")
}
