package servicebus_test

import (
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"

	"goldmint/emulator/servicebus"
)

func TestScheduledMessages(t *testing.T) {
	b := start(t, servicebus.Options{})
	s, r := b.sender("queue"), b.receiver("queue", nil)
	at := b.bus.Now().Add(time.Hour).UTC().Truncate(time.Millisecond)
	numbers, err := s.ScheduleMessages(b.ctx, []*azservicebus.Message{message("a"), message("b")}, at, nil)
	b.must(err)
	c := message("c")
	c.ScheduledEnqueueTime = &at
	b.must(s.SendMessage(b.ctx, c, nil))
	b.counts("queue", 0, 3, 0, 0)

	b.must(s.CancelScheduledMessages(b.ctx, numbers[:1], nil))
	wantCode(t, s.CancelScheduledMessages(b.ctx, numbers[:1], nil), azservicebus.CodeNotFound)
	peeked, err := r.PeekMessages(b.ctx, 10, nil)
	b.must(err)
	if len(peeked) != 2 || peeked[0].State != azservicebus.MessageStateScheduled || *peeked[0].SequenceNumber != numbers[1] {
		t.Fatalf("peeked %v, want the two scheduled messages", bodies(peeked))
	}

	b.bus.FastForward(59 * time.Minute)
	b.counts("queue", 0, 2, 0, 0)
	b.bus.FastForward(time.Minute)
	for _, m := range b.receive(r, 2) {
		if *m.SequenceNumber <= numbers[1]+1 || !m.EnqueuedTime.Equal(at) || !m.ScheduledEnqueueTime.Equal(at) {
			t.Errorf("%s: sequence number %d, enqueued %v, scheduled for %v", m.Body, *m.SequenceNumber, m.EnqueuedTime, m.ScheduledEnqueueTime)
		}
		b.must(r.CompleteMessage(b.ctx, m, nil))
	}
	b.counts("queue", 0, 0, 0, 0)
}

func TestDuplicateDetection(t *testing.T) {
	b := start(t, servicebus.Options{})
	b.send("unique", "a", "a", "b")
	b.counts("unique", 2, 0, 0, 0)
	_, err := b.sender("unique").ScheduleMessages(b.ctx, []*azservicebus.Message{message("a"), message("c")}, b.bus.Now().Add(time.Hour), nil)
	b.must(err)
	b.send("unique", "c")
	b.counts("unique", 2, 1, 0, 0)
	b.bus.FastForward(9 * time.Minute)
	b.send("unique", "a")
	b.counts("unique", 2, 1, 0, 0)
	b.bus.FastForward(time.Minute)
	b.send("unique", "a")
	b.counts("unique", 3, 1, 0, 0)
}

func TestTopicFansOut(t *testing.T) {
	b := start(t, servicebus.Options{})
	s := b.sender("topic")
	for id, subject := range map[string]string{"1": "succeeded", "2": "failed", "3": "failing"} {
		m := message(id)
		m.Subject = &subject
		m.ApplicationProperties = map[string]any{"attempt": 3}
		b.must(s.SendMessage(b.ctx, m, nil))
	}
	b.send("topic", "1") // a duplicate
	b.counts("topic/Subscriptions/all", 3, 0, 0, 0)
	b.counts("topic/Subscriptions/none", 0, 0, 0, 0)
	b.counts("topic/Subscriptions/failed", 1, 0, 0, 0)
	b.counts("topic/Subscriptions/sql", 2, 0, 0, 0)
	r := b.subscriber("failed")
	b.must(r.CompleteMessage(b.ctx, b.receiveOne(r, "2"), nil))
	b.counts("topic/subscriptions/FAILED", 0, 0, 0, 0)
	b.counts("topic/Subscriptions/all", 3, 0, 0, 0)
}
