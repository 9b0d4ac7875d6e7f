package servicebus_test

import (
	"errors"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/google/go-cmp/cmp"

	"goldmint/emulator/servicebus"
)

func TestMessageArrivesWhole(t *testing.T) {
	b := start(t, servicebus.Options{})
	text := func(s string) *string { return &s }
	sent := &azservicebus.Message{
		Body: []byte("body"), MessageID: text("id"), ContentType: text("application/json"), CorrelationID: text("correlation"),
		Subject: text("subject"), To: text("to"), ReplyTo: text("reply"), ReplyToSessionID: text("reply-session"), PartitionKey: text("key"),
		ApplicationProperties: map[string]any{"text": "t", "int": int64(-7), "float": 1.5, "yes": true, "at": time.UnixMilli(1e12).UTC()},
	}
	b.must(b.sender("queue").SendMessage(b.ctx, sent, nil))
	got := b.receiveOne(b.receiver("queue", nil), "body")
	back := got.Message()
	back.TimeToLive = nil // the client makes a zero of what is not there
	if diff := cmp.Diff(sent, back); diff != "" {
		t.Errorf("sent and received differ (-sent +received):\n%s", diff)
	}
	if got.DeliveryCount != 1 || *got.SequenceNumber != 1 || got.State != azservicebus.MessageStateActive {
		t.Errorf("delivery count %d, sequence number %d, state %d; want 1, 1, 0", got.DeliveryCount, *got.SequenceNumber, got.State)
	}
	if until := got.LockedUntil.Sub(*got.EnqueuedTime); until < time.Minute {
		t.Errorf("locked until %v after it came, want a minute and more", until)
	}
}

func TestSettlingOnTheLink(t *testing.T) {
	b := start(t, servicebus.Options{})
	r := b.receiver("queue", nil)
	b.send("queue", "a")

	m := b.receiveOne(r, "a")
	b.must(r.AbandonMessage(b.ctx, m, &azservicebus.AbandonMessageOptions{PropertiesToModify: map[string]any{"tried": "once"}}))
	m = b.receiveOne(r, "a")
	if m.DeliveryCount != 2 || m.ApplicationProperties["tried"] != "once" {
		t.Errorf("after abandon: delivery count %d, properties %v; want 2 and tried=once", m.DeliveryCount, m.ApplicationProperties)
	}
	b.must(r.CompleteMessage(b.ctx, m, nil))
	b.counts("queue", 0, 0, 0, 0)

	b.send("queue", "b")
	reason, description := "TooOld", "it came last week"
	m = b.receiveOne(r, "b")
	b.must(r.DeadLetterMessage(b.ctx, m, &azservicebus.DeadLetterOptions{
		Reason: &reason, ErrorDescription: &description, PropertiesToModify: map[string]any{"by": "test"},
	}))
	b.counts("queue", 0, 0, 1, 0)
	dead := b.receiveOne(b.deadLetters("queue"), "b")
	if *dead.DeadLetterReason != reason || *dead.DeadLetterErrorDescription != description || dead.ApplicationProperties["by"] != "test" {
		t.Errorf("dead-lettered with %v", dead.ApplicationProperties)
	}
	if *dead.SequenceNumber != *m.SequenceNumber || !dead.EnqueuedTime.Equal(*m.EnqueuedTime) || *dead.DeadLetterSource != "queue" {
		t.Errorf("dead-lettering changed the sequence number, the time or the source: %v %v %v", *dead.SequenceNumber, dead.EnqueuedTime, *dead.DeadLetterSource)
	}
}

func TestSettlingByLockTokenFromAnotherConnection(t *testing.T) {
	b := start(t, servicebus.Options{})
	first := b.receiver("queue", nil)
	other, err := b.connect(b.bus.ConnectionString()).NewReceiverForQueue("queue", nil)
	b.must(err)
	reason := "Rejected"
	for _, c := range []struct {
		name   string
		settle func(*azservicebus.ReceivedMessage) error
		counts [4]int
	}{
		{"complete", func(m *azservicebus.ReceivedMessage) error { return other.CompleteMessage(b.ctx, m, nil) }, [4]int{}},
		{"defer", func(m *azservicebus.ReceivedMessage) error { return other.DeferMessage(b.ctx, m, nil) }, [4]int{0, 0, 0, 1}},
		{"dead-letter", func(m *azservicebus.ReceivedMessage) error {
			return other.DeadLetterMessage(b.ctx, m, &azservicebus.DeadLetterOptions{Reason: &reason})
		}, [4]int{0, 0, 1, 1}},
		{"abandon", func(m *azservicebus.ReceivedMessage) error { return other.AbandonMessage(b.ctx, m, nil) }, [4]int{1, 0, 1, 1}},
	} {
		b.send("queue", c.name)
		token := b.receiveOne(first, c.name).LockToken
		b.must(other.RenewMessageLock(b.ctx, &azservicebus.ReceivedMessage{LockToken: token}, nil))
		b.must(c.settle(&azservicebus.ReceivedMessage{LockToken: token}))
		b.counts("queue", c.counts[0], c.counts[1], c.counts[2], c.counts[3])
		wantCode(t, c.settle(&azservicebus.ReceivedMessage{LockToken: token}), azservicebus.CodeLockLost)
	}
}

func TestLockExpires(t *testing.T) {
	b := start(t, servicebus.Options{})
	r := b.receiver("queue", nil)
	b.send("queue", "a")
	m := b.receiveOne(r, "a")
	b.bus.FastForward(40 * time.Second)
	b.must(r.RenewMessageLock(b.ctx, m, nil))
	b.bus.FastForward(40 * time.Second)
	b.must(r.RenewMessageLock(b.ctx, m, nil))
	b.bus.FastForward(61 * time.Second)
	wantCode(t, r.CompleteMessage(b.ctx, m, nil), azservicebus.CodeLockLost)
	wantCode(t, r.RenewMessageLock(b.ctx, m, nil), azservicebus.CodeLockLost)
	if m = b.receiveOne(r, "a"); m.DeliveryCount != 2 {
		t.Errorf("delivery count %d after an expired lock, want 2", m.DeliveryCount)
	}
	b.must(r.CompleteMessage(b.ctx, m, nil))
}

func TestMaxDeliveryCount(t *testing.T) {
	b := start(t, servicebus.Options{})
	r := b.receiver("queue", nil)
	b.send("queue", "a")
	for range 3 {
		b.must(r.AbandonMessage(b.ctx, b.receiveOne(r, "a"), nil))
	}
	b.counts("queue", 0, 0, 1, 0)
	dead := b.deadLetters("queue")
	for range 3 { // the dead-letter queue keeps message and count
		m := b.receiveOne(dead, "a")
		if *m.DeadLetterReason != "MaxDeliveryCountExceeded" || m.DeliveryCount != 4 {
			t.Errorf("dead letter: reason %q, delivery count %d", *m.DeadLetterReason, m.DeliveryCount)
		}
		b.must(dead.AbandonMessage(b.ctx, m, nil))
	}
	b.must(dead.CompleteMessage(b.ctx, b.receiveOne(dead, "a"), nil))
	b.counts("queue", 0, 0, 0, 0)
}

func wantCode(t *testing.T, err error, code azservicebus.Code) {
	t.Helper()
	var e *azservicebus.Error
	if !errors.As(err, &e) || e.Code != code {
		t.Errorf("error %v, want code %s", err, code)
	}
}
