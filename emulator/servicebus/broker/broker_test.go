package broker_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"goldmint/emulator/servicebus/amqp"
	"goldmint/emulator/servicebus/broker"
)

// turnable is a clock that stands still until it is turned.
type turnable struct{ now time.Time }

func (c *turnable) Now() time.Time { return c.now }

func fresh(s broker.Settings) (*broker.Queue, *turnable, *broker.Broker) {
	c := &turnable{time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	b := broker.New(c.Now, nil)
	q, err := b.AddQueue("q", s)
	if err != nil {
		panic(err)
	}
	return q, c, b
}

func message(id string) *amqp.Message {
	m := &amqp.Message{Body: amqp.ValueBody(id)}
	m.Properties[amqp.PropMessageID] = id
	return m
}

// An hour at once does what an hour in steps does, as of the times it was due.
func TestTimeTurnedAtOnce(t *testing.T) {
	q, c, b := fresh(broker.Settings{TimeToLive: 10 * time.Minute, DeadLetterOnExpiry: true})
	m := message("a")
	at := c.now.Add(20 * time.Minute)
	m.Annotations = amqp.Map{{Key: amqp.Symbol(broker.AnnotationScheduled), Value: at}}
	if _, err := q.Send(m); err != nil {
		t.Fatal(err)
	}
	c.now = c.now.Add(time.Hour)
	if next, ok := b.Advance(); ok {
		t.Errorf("something is due at %v, want nothing", next)
	}
	dead, err := b.Lookup("Q/$deadletterqueue")
	if err != nil {
		t.Fatal(err)
	}
	got := dead.Receive(10, nil)
	if len(got) != 1 || !got[0].EnqueuedAt.Equal(at) {
		t.Errorf("dead letters %+v, want the message enqueued at %v", got, at)
	}
}

func TestAdvanceTellsWhatIsNext(t *testing.T) {
	q, c, b := fresh(broker.Settings{})
	if _, ok := b.Advance(); ok {
		t.Error("something is due in an empty queue")
	}
	if _, err := q.Send(message("a")); err != nil {
		t.Fatal(err)
	}
	q.Receive(1, nil)
	if next, ok := b.Advance(); !ok || !next.Equal(c.now.Add(time.Minute)) {
		t.Errorf("next is %v (%t), want the end of the lock", next, ok)
	}
}

func TestWaitersAreServedInTurn(t *testing.T) {
	q, _, _ := fresh(broker.Settings{})
	var calls []string
	waiter := func(name string) *broker.Waiter {
		w := &broker.Waiter{Wake: func() { calls = append(calls, name) }}
		q.Receive(1, w)
		return w
	}
	waiter("first")
	second := waiter("second")
	waiter("third")
	q.Leave(second)
	for _, id := range []string{"a", "b", "c"} {
		if _, err := q.Send(message(id)); err != nil {
			t.Fatal(err)
		}
	}
	if got := fmt.Sprint(calls); got != "[first third]" {
		t.Errorf("woken %s, want first and third", got)
	}
}

// A receiver that is woken and leaves passes the message's call on.
func TestLeavingPassesTheCallOn(t *testing.T) {
	q, _, _ := fresh(broker.Settings{})
	woken := ""
	first := &broker.Waiter{Wake: func() { woken += "1" }}
	second := &broker.Waiter{Wake: func() { woken += "2" }}
	q.Receive(1, first)
	q.Receive(1, second)
	if _, err := q.Send(message("a")); err != nil {
		t.Fatal(err)
	}
	q.Leave(first)
	if woken != "12" {
		t.Errorf("woken %q, want 1 and then 2", woken)
	}
}

func TestForwardingInACircleEnds(t *testing.T) {
	c := &turnable{time.Unix(0, 0)}
	b := broker.New(c.Now, nil)
	first, err := b.AddQueue("first", broker.Settings{ForwardTo: "second"})
	if err != nil {
		t.Fatal(err)
	}
	second, err := b.AddQueue("second", broker.Settings{ForwardTo: "first"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := first.Send(message("a")); err != nil {
		t.Fatal(err)
	}
	if n := first.Counts().DeadLettered + second.Counts().DeadLettered; n != 1 {
		t.Errorf("%d dead letters, want the message that went in a circle", n)
	}
}

// model is what a queue must hold, kept in the simplest way there is.
type model struct {
	state map[string]string // id: active, locked, deferred, dead
	count map[string]int
	token map[string]amqp.UUID
}

// TestQueueAgainstModel plays random operations on a queue and on the model.
func TestQueueAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q, c, _ := fresh(broker.Settings{MaxDeliveryCount: 3, DetectDuplicates: true, DuplicateWindow: 1000 * time.Hour})
		m := model{map[string]string{}, map[string]int{}, map[string]amqp.UUID{}}
		t.Repeat(map[string]func(*rapid.T){
			"send":    func(t *rapid.T) { m.send(t, q) },
			"receive": func(t *rapid.T) { m.receive(t, q) },
			"settle":  func(t *rapid.T) { m.settle(t, q) },
			"wait": func(*rapid.T) { // every lock ends
				c.now = c.now.Add(2 * time.Minute)
				for id, state := range m.state {
					if state == "locked" {
						m.failed(id)
					}
				}
			},
			"": func(t *rapid.T) { m.compare(t, q) },
		})
	})
}

func (m *model) send(t *rapid.T, q *broker.Queue) {
	id := fmt.Sprint(rapid.IntRange(0, 50).Draw(t, "id"))
	if _, err := q.Send(message(id)); err != nil {
		t.Fatal(err)
	}
	if _, known := m.count[id]; !known { // else a duplicate, whatever became of the first
		m.state[id], m.count[id] = "active", 0
	}
}

func (m *model) receive(t *rapid.T, q *broker.Queue) {
	for _, d := range q.Receive(rapid.IntRange(1, 3).Draw(t, "limit"), nil) {
		id, _ := d.Message.Properties.Text(amqp.PropMessageID)
		if m.state[id] != "active" || int(d.DeliveryCount) != m.count[id] {
			t.Fatalf("received %s with count %d, which is %q with %d", id, d.DeliveryCount, m.state[id], m.count[id])
		}
		m.state[id], m.token[id] = "locked", d.LockToken
	}
}

func (m *model) settle(t *rapid.T, q *broker.Queue) {
	if len(m.token) == 0 {
		t.Skip("nothing was received yet")
	}
	id := rapid.SampledFrom(sorted(m.token)).Draw(t, "id")
	verdict := rapid.SampledFrom([]broker.Verdict{broker.Complete, broker.Abandon, broker.Release, broker.Defer, broker.DeadLetter}).Draw(t, "verdict")
	err := q.Settle(m.token[id], broker.Settlement{Verdict: verdict})
	if m.state[id] != "locked" {
		if !errors.Is(err, &broker.Error{Condition: broker.LockLost}) {
			t.Fatalf("settling %s, which is %q: %v", id, m.state[id], err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	switch verdict {
	case broker.Complete:
		delete(m.state, id)
	case broker.Abandon:
		m.failed(id)
	case broker.Release:
		m.state[id] = "active"
	case broker.Defer:
		m.state[id] = "deferred"
	case broker.DeadLetter:
		m.state[id] = "dead"
	}
}

func (m *model) failed(id string) {
	m.count[id]++
	m.state[id] = "active"
	if m.count[id] == 3 {
		m.state[id] = "dead"
	}
}

func (m *model) compare(t *rapid.T, q *broker.Queue) {
	var want broker.Counts
	for _, state := range m.state {
		switch state {
		case "active", "locked":
			want.Active++
		case "deferred":
			want.Deferred++
		case "dead":
			want.DeadLettered++
		}
	}
	if got := q.Counts(); got != want {
		t.Fatalf("counts %+v, want %+v", got, want)
	}
	last := int64(0)
	for _, d := range q.Peek(0, 1000, nil) {
		if d.SequenceNumber <= last {
			t.Fatalf("sequence number %d after %d", d.SequenceNumber, last)
		}
		last = d.SequenceNumber
	}
}

func sorted(m map[string]amqp.UUID) []string {
	var out []string
	for i := range 51 {
		if _, ok := m[fmt.Sprint(i)]; ok {
			out = append(out, fmt.Sprint(i))
		}
	}
	return out
}
