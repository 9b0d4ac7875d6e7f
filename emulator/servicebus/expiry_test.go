package servicebus_test

import (
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"

	"goldmint/emulator/servicebus"
)

func TestMessagesExpire(t *testing.T) {
	b := start(t, servicebus.Options{})
	short, long := 10*time.Second, time.Hour
	for _, queue := range []string{"mortal", "forgetful"} {
		s := b.sender(queue)
		b.must(s.SendMessage(b.ctx, &azservicebus.Message{Body: []byte("short"), TimeToLive: &short}, nil))
		b.must(s.SendMessage(b.ctx, &azservicebus.Message{Body: []byte("long"), TimeToLive: &long}, nil)) // cut to a minute
		b.must(s.SendMessage(b.ctx, message("own"), nil))
	}
	b.bus.FastForward(11 * time.Second)
	b.counts("mortal", 2, 0, 1, 0)
	b.counts("forgetful", 2, 0, 0, 0)
	if m := b.receiveOne(b.deadLetters("mortal"), "short"); *m.DeadLetterReason != "TTLExpiredException" {
		t.Errorf("dead-letter reason %q", *m.DeadLetterReason)
	}
	b.bus.FastForward(50 * time.Second)
	b.counts("mortal", 0, 0, 3, 0)
	b.counts("forgetful", 0, 0, 0, 0)
}

func TestLockedAndDeferredMessagesOutliveTheirTime(t *testing.T) {
	b := start(t, servicebus.Options{})
	b.send("mortal", "completed", "deferred", "abandoned")
	r := b.receiver("mortal", nil)
	m := b.receive(r, 3)
	b.must(r.DeferMessage(b.ctx, m[1], nil))
	b.bus.FastForward(40 * time.Second)
	b.must(r.RenewMessageLock(b.ctx, m[0], nil))
	b.must(r.RenewMessageLock(b.ctx, m[2], nil))
	b.bus.FastForward(40 * time.Second)
	b.counts("mortal", 2, 0, 0, 1)
	b.must(r.CompleteMessage(b.ctx, m[0], nil))
	b.must(r.AbandonMessage(b.ctx, m[2], nil))
	b.counts("mortal", 0, 0, 1, 1)
}

func TestScheduledMessageLivesFromItsTimeOn(t *testing.T) {
	b := start(t, servicebus.Options{})
	_, err := b.sender("mortal").ScheduleMessages(b.ctx, []*azservicebus.Message{message("a")}, b.bus.Now().Add(time.Hour), nil)
	b.must(err)
	b.bus.FastForward(time.Hour + 30*time.Second)
	b.counts("mortal", 1, 0, 0, 0)
	b.bus.FastForward(31 * time.Second)
	b.counts("mortal", 0, 0, 1, 0)
}

func TestForwarding(t *testing.T) {
	b := start(t, servicebus.Options{})
	b.send("forwarding", "a")
	b.counts("forwarding", 0, 0, 0, 0)
	b.counts("queue", 1, 0, 0, 0)
	b.send("undertaken", "b")
	r := b.receiver("undertaken", nil)
	b.must(r.DeadLetterMessage(b.ctx, b.receiveOne(r, "b"), nil))
	b.counts("undertaken", 0, 0, 0, 0)
	got := b.receive(b.receiver("queue", nil), 2)
	if string(got[1].Body) != "b" || *got[1].DeadLetterSource != "undertaken" {
		t.Errorf("forwarded dead letter %q from %q", got[1].Body, *got[1].DeadLetterSource)
	}
}
