package servicebus_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"

	"goldmint/emulator/servicebus"
)

func TestMessageSizeLimit(t *testing.T) {
	b := start(t, servicebus.Options{})
	s, r := b.sender("queue"), b.receiver("queue", nil)
	fits := strings.Repeat("x", 255<<10)
	b.must(s.SendMessage(b.ctx, &azservicebus.Message{Body: []byte(fits)}, nil))
	if m := b.receive(r, 1)[0]; string(m.Body) != fits {
		t.Errorf("a message of several frames came with %d bytes, want %d", len(m.Body), len(fits))
	}
	err := s.SendMessage(b.ctx, &azservicebus.Message{Body: make([]byte, 256<<10)}, nil)
	if !errors.Is(err, azservicebus.ErrMessageTooLarge) {
		t.Errorf("error %v for a message above 256 KB, want ErrMessageTooLarge", err)
	}
}

func TestRefusedSends(t *testing.T) {
	b := start(t, servicebus.Options{})
	for name, m := range map[string]*azservicebus.Message{
		"a message id of 129 characters": message(strings.Repeat("i", 129)),
		"properties above 64 KB":         {ApplicationProperties: map[string]any{"p": strings.Repeat("x", 64<<10)}},
	} {
		if err := b.sender("queue").SendMessage(b.ctx, m, nil); err == nil {
			t.Errorf("%s: the message was taken", name)
		}
	}
	b.send("queue", strings.Repeat("i", 128)) // the queue goes on
	b.counts("queue", 1, 0, 0, 0)
}

func TestBatches(t *testing.T) {
	b := start(t, servicebus.Options{})
	s, r := b.sender("unique"), b.receiver("unique", nil)
	batch, err := s.NewMessageBatch(b.ctx, nil)
	b.must(err)
	for _, id := range []string{"a", "b", "a", "c"} {
		m := message(id)
		m.ApplicationProperties = map[string]any{"id": id}
		b.must(batch.AddMessage(m, nil))
	}
	if err := batch.AddMessage(&azservicebus.Message{Body: make([]byte, 256<<10)}, nil); !errors.Is(err, azservicebus.ErrMessageTooLarge) {
		t.Errorf("a batch above 256 KB: %v", err)
	}
	b.must(s.SendMessageBatch(b.ctx, batch, nil))
	b.counts("unique", 3, 0, 0, 0)
	for i, m := range b.receive(r, 3) {
		want := string("abc"[i])
		if string(m.Body) != want || m.MessageID != want || m.ApplicationProperties["id"] != want {
			t.Errorf("message %d is %q with %v, want %s", i, m.Body, m.ApplicationProperties, want)
		}
	}
}

func TestReceiveAndDelete(t *testing.T) {
	b := start(t, servicebus.Options{})
	b.send("queue", "a", "b")
	r := b.receiver("queue", &azservicebus.ReceiverOptions{ReceiveMode: azservicebus.ReceiveModeReceiveAndDelete})
	b.receive(r, 2)
	b.counts("queue", 0, 0, 0, 0)
}

func TestDeferredMessages(t *testing.T) {
	b := start(t, servicebus.Options{})
	r := b.receiver("queue", nil)
	b.send("queue", "a", "b")
	var numbers []int64
	for _, m := range b.receive(r, 2) {
		b.must(r.DeferMessage(b.ctx, m, nil))
		numbers = append(numbers, *m.SequenceNumber)
	}
	b.counts("queue", 0, 0, 0, 2)
	got, err := r.ReceiveDeferredMessages(b.ctx, numbers, nil)
	b.must(err)
	if len(got) != 2 || string(got[0].Body) != "a" || got[0].State != azservicebus.MessageStateDeferred {
		t.Fatalf("received %v by sequence number", bodies(got))
	}
	_, err = r.ReceiveDeferredMessages(b.ctx, numbers[:1], nil)
	wantCode(t, err, azservicebus.CodeNotFound) // it is locked
	b.must(r.AbandonMessage(b.ctx, got[0], nil))
	b.must(r.CompleteMessage(b.ctx, got[1], nil))
	b.counts("queue", 0, 0, 0, 1) // abandoned, it is deferred as before

	deleting := b.receiver("queue", &azservicebus.ReceiverOptions{ReceiveMode: azservicebus.ReceiveModeReceiveAndDelete})
	got, err = deleting.ReceiveDeferredMessages(b.ctx, numbers[:1], nil)
	if b.must(err); len(got) != 1 {
		t.Errorf("received and deleted %d deferred messages, want 1", len(got))
	}
	b.counts("queue", 0, 0, 0, 0)
}
