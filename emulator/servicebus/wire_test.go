package servicebus_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/Azure/go-amqp"

	"goldmint/emulator/servicebus"
)

// Clients of other languages name an entity by its whole URI.
func TestAddressesAsURI(t *testing.T) {
	b := start(t, servicebus.Options{})
	session := b.session()
	s, err := session.NewSender(b.ctx, "amqps://localhost/QUEUE", nil)
	b.must(err)
	b.must(s.Send(b.ctx, amqp.NewMessage([]byte("a")), nil))
	r, err := session.NewReceiver(b.ctx, "amqp://localhost:5672/queue/", &amqp.ReceiverOptions{SettlementMode: amqp.ReceiverSettleModeSecond.Ptr()})
	b.must(err)
	m, err := r.Receive(b.ctx, nil)
	b.must(err)
	b.must(r.AcceptMessage(b.ctx, m))
	b.counts("queue", 0, 0, 0, 0)
}

func TestOutcomesAreConfirmed(t *testing.T) {
	b := start(t, servicebus.Options{})
	b.send("queue", "a")
	r, err := b.session().NewReceiver(b.ctx, "queue", &amqp.ReceiverOptions{SettlementMode: amqp.ReceiverSettleModeSecond.Ptr()})
	b.must(err)
	next := func() *amqp.Message {
		t.Helper()
		m, err := r.Receive(b.ctx, nil)
		b.must(err)
		return m
	}
	m := next()
	b.must(r.ReleaseMessage(b.ctx, m))
	m = next()
	if m.Header.DeliveryCount != 0 {
		t.Errorf("delivery count %d after release, want 0: nobody looked at the message", m.Header.DeliveryCount)
	}
	b.must(r.ModifyMessage(b.ctx, m, &amqp.ModifyMessageOptions{DeliveryFailed: true}))
	m = next()
	if m.Header.DeliveryCount != 1 {
		t.Errorf("delivery count %d after modify, want 1", m.Header.DeliveryCount)
	}
	b.must(r.RejectMessage(b.ctx, m, &amqp.Error{Condition: "com.microsoft:dead-letter", Info: map[string]any{"DeadLetterReason": "R"}}))
	b.counts("queue", 0, 0, 1, 0)

	b.send("queue", "b")
	m = next()
	b.bus.FastForward(2 * time.Minute)
	var e *amqp.Error
	if err := r.AcceptMessage(b.ctx, m); !errors.As(err, &e) || e.Condition != "com.microsoft:message-lock-lost" {
		t.Errorf("settling after the lock: %v, want com.microsoft:message-lock-lost", err)
	}
}

func TestDrain(t *testing.T) {
	b := start(t, servicebus.Options{})
	b.send("queue", "a")
	r, err := b.session().NewReceiver(b.ctx, "queue", &amqp.ReceiverOptions{Credit: -1})
	b.must(err)
	b.must(r.IssueCredit(5))
	m, err := r.Receive(b.ctx, nil)
	b.must(err)
	b.must(r.AcceptMessage(b.ctx, m))
	b.must(r.DrainCredit(b.ctx, nil))
	b.send("queue", "b")
	b.must(r.IssueCredit(1))
	if m, err = r.Receive(b.ctx, nil); err != nil || string(m.GetData()) != "b" {
		t.Errorf("after the drain received %v (%v), want b", m, err)
	}
}

// A receiver that drained its credit must not keep a message from one that waits.
func TestDrainedReceiverTakesNoCall(t *testing.T) {
	b := start(t, servicebus.Options{})
	session := b.session()
	drained, err := session.NewReceiver(b.ctx, "queue", &amqp.ReceiverOptions{Credit: -1})
	b.must(err)
	for range 20 {
		b.must(drained.IssueCredit(1))
		b.must(drained.DrainCredit(b.ctx, nil))
		b.send("queue", "a")
		b.must(b.completeOne(session))
	}
}

func (b *bench) completeOne(session *amqp.Session) error {
	r, err := session.NewReceiver(b.ctx, "queue", nil)
	if err != nil {
		return err
	}
	m, err := r.Receive(b.ctx, nil)
	if err != nil {
		return err
	}
	return errors.Join(r.AcceptMessage(b.ctx, m), r.Close(b.ctx))
}

// A session whose window is smaller than a message's frames makes the server
// wait for flow.
func TestSmallWindowsAndFrames(t *testing.T) {
	b := start(t, servicebus.Options{})
	conn, err := amqp.Dial(b.ctx, "amqp://"+b.bus.Addr(), &amqp.ConnOptions{
		SASLType: amqp.SASLTypePlain("RootManageSharedAccessKey", b.key()), MaxFrameSize: 512,
	})
	b.must(err)
	defer func() { _ = conn.Close() }()
	session, err := conn.NewSession(b.ctx, nil)
	b.must(err)
	s, err := session.NewSender(b.ctx, "queue", nil)
	b.must(err)
	r, err := session.NewReceiver(b.ctx, "queue", &amqp.ReceiverOptions{Credit: 10})
	b.must(err)
	body := strings.Repeat("y", 200<<10) // several hundred frames each
	for range 20 {
		b.must(s.Send(b.ctx, amqp.NewMessage([]byte(body)), nil))
	}
	for range 20 {
		m, err := r.Receive(b.ctx, nil)
		b.must(err)
		if string(m.GetData()) != body {
			t.Fatalf("a message of %d bytes came with %d", len(body), len(m.GetData()))
		}
		b.must(r.AcceptMessage(b.ctx, m))
	}
}

// The JavaScript client asks for answers at the name of its link.
func TestAnswersToTheNameOfALink(t *testing.T) {
	b := start(t, servicebus.Options{})
	b.sendSession("s", "a")
	b.accept("s")
	session := b.session()
	s, err := session.NewSender(b.ctx, "sessions/$management", nil)
	b.must(err)
	r, err := session.NewReceiver(b.ctx, "sessions/$management", &amqp.ReceiverOptions{Name: "the-link", TargetAddress: "elsewhere"})
	b.must(err)
	replyTo := "the-link"
	b.must(s.Send(b.ctx, &amqp.Message{
		Properties:            &amqp.MessageProperties{MessageID: "1", ReplyTo: &replyTo},
		ApplicationProperties: map[string]any{"operation": "com.microsoft:renew-session-lock"},
		Value:                 map[string]any{"session-id": "s"},
	}, nil))
	answer, err := r.Receive(b.ctx, nil)
	b.must(err)
	if code := answer.ApplicationProperties["statusCode"]; code != int32(200) {
		t.Errorf("status %v: %v", code, answer.ApplicationProperties["statusDescription"])
	}
}

func TestManagementRefusals(t *testing.T) {
	b := start(t, servicebus.Options{})
	session := b.session()
	for _, c := range []struct {
		operation string
		body      any
		want      int32
	}{
		{"com.microsoft:nonsense", map[string]any{}, 501},
		{"com.microsoft:peek-message", map[string]any{}, 400},
		{"com.microsoft:peek-message", "text", 400},
		{"com.microsoft:peek-message", map[string]any{"from-sequence-number": int64(0), "message-count": int32(1)}, 204},
		{"com.microsoft:renew-lock", map[string]any{"lock-tokens": []amqp.UUID{{1}}}, 410},
		{"com.microsoft:renew-lock", map[string]any{"lock-tokens": "text"}, 400},
		{"com.microsoft:update-disposition", map[string]any{"lock-tokens": []amqp.UUID{{1}}, "disposition-status": "completed"}, 410},
		{"com.microsoft:update-disposition", map[string]any{"lock-tokens": []amqp.UUID{{1}}, "disposition-status": "eaten"}, 400},
		{"com.microsoft:cancel-scheduled-message", map[string]any{"sequence-numbers": []int64{7}}, 404},
		{"com.microsoft:receive-by-sequence-number", map[string]any{"sequence-numbers": []int64{7}, "receiver-settle-mode": uint32(1)}, 404},
		{"com.microsoft:schedule-message", map[string]any{"messages": []any{map[string]any{"message": []byte("junk")}}}, 400},
		{"com.microsoft:renew-session-lock", map[string]any{"session-id": "s"}, 410},
	} {
		answer := b.request(session, "queue/$management", &amqp.Message{
			ApplicationProperties: map[string]any{"operation": c.operation}, Value: c.body,
		})
		if got := answer.ApplicationProperties["statusCode"]; got != c.want {
			t.Errorf("%s %v: status %v, want %d", c.operation, c.body, got, c.want)
		}
	}
}
