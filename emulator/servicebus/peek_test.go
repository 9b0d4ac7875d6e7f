package servicebus_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/google/go-cmp/cmp"

	"goldmint/emulator/servicebus"
)

func TestPeekShowsEveryStateAndChangesNothing(t *testing.T) {
	b := start(t, servicebus.Options{})
	r := b.receiver("queue", nil)
	b.send("queue", "deferred", "locked", "active")
	b.must(r.DeferMessage(b.ctx, b.receiveOne(r, "deferred"), nil))
	b.receiveOne(r, "locked")
	_, err := b.sender("queue").ScheduleMessages(b.ctx, []*azservicebus.Message{message("scheduled")}, b.bus.Now().Add(time.Hour), nil)
	b.must(err)
	for range 2 {
		from := int64(0)
		peeked, err := r.PeekMessages(b.ctx, 10, &azservicebus.PeekMessagesOptions{FromSequenceNumber: &from})
		b.must(err)
		if got := bodies(peeked); !cmp.Equal(got, []string{"deferred", "locked", "active", "scheduled"}) {
			t.Fatalf("peeked %v", got)
		}
		states := []azservicebus.MessageState{peeked[0].State, peeked[1].State, peeked[2].State, peeked[3].State}
		if !cmp.Equal(states, []azservicebus.MessageState{azservicebus.MessageStateDeferred, 0, 0, azservicebus.MessageStateScheduled}) {
			t.Errorf("states %v", states)
		}
		if peeked[0].LockToken != [16]byte{} || peeked[0].LockedUntil != nil || peeked[2].DeliveryCount != 1 {
			t.Errorf("a peeked message shows a lock or a count: %v %v %d", peeked[0].LockToken, peeked[0].LockedUntil, peeked[2].DeliveryCount)
		}
	}
	b.counts("queue", 2, 1, 0, 1)
}

func TestPeekFromASequenceNumber(t *testing.T) {
	b := start(t, servicebus.Options{})
	b.send("queue", "1", "2", "3", "4", "5")
	r := b.receiver("queue", nil)
	for _, want := range [][]string{{"1", "2"}, {"3", "4"}, {"5"}, nil} { // the client goes on where it ended
		peeked, err := r.PeekMessages(b.ctx, 2, nil)
		b.must(err)
		if got := bodies(peeked); !cmp.Equal(got, want) {
			t.Errorf("peeked %v, want %v", got, want)
		}
	}
	from := int64(4)
	peeked, err := r.PeekMessages(b.ctx, 10, &azservicebus.PeekMessagesOptions{FromSequenceNumber: &from})
	b.must(err)
	if got := bodies(peeked); !cmp.Equal(got, []string{"4", "5"}) {
		t.Errorf("peeked %v from 4 on", got)
	}
}

func TestPeekSubscriptionAndDeadLetters(t *testing.T) {
	b := start(t, servicebus.Options{})
	b.send("topic", "a", "b")
	r := b.subscriber("all")
	b.must(r.DeadLetterMessage(b.ctx, b.receiveOne(r, "a"), nil))
	dead, err := b.client.NewReceiverForSubscription("topic", "all", &azservicebus.ReceiverOptions{SubQueue: azservicebus.SubQueueDeadLetter})
	b.must(err)
	for want, r := range map[string]*azservicebus.Receiver{"a": dead, "b": r} {
		peeked, err := r.PeekMessages(b.ctx, 10, nil)
		b.must(err)
		if got := bodies(peeked); !cmp.Equal(got, []string{want}) {
			t.Errorf("peeked %v, want %s", got, want)
		}
		if *peeked[0].EnqueuedSequenceNumber == 0 {
			t.Error("a subscription's message does not tell the topic's sequence number")
		}
	}
}

// Answers are bounded by size, so that many large messages take several.
func TestPeekLargeMessages(t *testing.T) {
	b := start(t, servicebus.Options{})
	s := b.sender("queue")
	for i := range 5 {
		b.must(s.SendMessage(b.ctx, &azservicebus.Message{Body: make([]byte, 200<<10), MessageID: new(fmt.Sprint(i))}, nil))
	}
	r := b.receiver("queue", nil)
	var ids []string
	for range 5 {
		peeked, err := r.PeekMessages(b.ctx, 100, nil)
		b.must(err)
		for _, m := range peeked {
			ids = append(ids, m.MessageID)
		}
	}
	if !cmp.Equal(ids, []string{"0", "1", "2", "3", "4"}) {
		t.Errorf("peeked %v, want each message once", ids)
	}
}

// TestPeekMany: an answer full of small messages stays within what the client takes, their places
// in it included.
func TestPeekMany(t *testing.T) {
	b := start(t, servicebus.Options{})
	s := b.sender("queue")
	const sent = 400
	for i := range sent {
		b.must(s.SendMessage(b.ctx, &azservicebus.Message{Body: make([]byte, 1000), MessageID: new(fmt.Sprint(i))}, nil))
	}
	r := b.receiver("queue", nil)
	peeked := 0
	for peeked < sent {
		messages, err := r.PeekMessages(b.ctx, sent, nil)
		b.must(err)
		peeked += len(messages)
	}
	if peeked != sent {
		t.Errorf("peeked %d messages, want %d", peeked, sent)
	}
}
