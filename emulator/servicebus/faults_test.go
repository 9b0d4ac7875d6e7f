package servicebus_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"

	"goldmint/emulator/servicebus"
)

// A lock belongs to nobody: it outlives the receiver and the connection.
func TestLocksOutliveTheConnection(t *testing.T) {
	b := start(t, servicebus.Options{})
	b.send("queue", "a", "b")
	r := b.receiver("queue", nil)
	m := b.receive(r, 2)
	b.must(r.Close(b.ctx))
	b.bus.DropConnections()
	b.counts("queue", 2, 0, 0, 0)
	again := b.receiver("queue", nil)
	ctx, cancel := context.WithTimeout(b.ctx, 50*time.Millisecond)
	defer cancel()
	if got, err := again.ReceiveMessages(ctx, 1, nil); err == nil && len(got) > 0 {
		t.Errorf("received %q, which is locked", got[0].Body)
	}
	b.must(again.CompleteMessage(b.ctx, &azservicebus.ReceivedMessage{LockToken: m[0].LockToken}, nil))
	b.counts("queue", 1, 0, 0, 0)
	b.bus.FastForward(61 * time.Second)
	b.receiveOne(again, "b")
}

func TestClientRecoversFromCutConnections(t *testing.T) {
	b := start(t, servicebus.Options{})
	s := b.sender("queue")
	for i := range 5 {
		b.must(s.SendMessage(b.ctx, message(fmt.Sprint(i)), nil))
		b.bus.DropConnections()
	}
	b.counts("queue", 5, 0, 0, 0)
}

func TestDuplicateFaultDeliversAgain(t *testing.T) {
	b := start(t, servicebus.Options{Faults: servicebus.Faults{Seed: 1, Duplicate: 1}})
	b.send("queue", "a")
	r := b.receiver("queue", nil)
	for want := range uint32(3) {
		m := b.receiveOne(r, "a")
		if m.DeliveryCount != want+1 {
			t.Errorf("delivery count %d, want %d", m.DeliveryCount, want+1)
		}
		b.must(r.CompleteMessage(b.ctx, m, nil)) // the client believes it
	}
	b.counts("queue", 0, 0, 1, 0)
}

func TestBusyFaultRefusesSends(t *testing.T) {
	b := start(t, servicebus.Options{Faults: servicebus.Faults{Busy: 0.5}})
	b.send("queue", "a", "b", "c", "d", "e", "f") // the client tries again
	b.counts("queue", 6, 0, 0, 0)
}

// However often the connection is cut, duplicate detection makes each message
// arrive once.
func TestDroppingConnectionsLosesNothing(t *testing.T) {
	b := start(t, servicebus.Options{Faults: servicebus.Faults{Seed: 7, DropEvery: 0.05}})
	s := b.sender("unique")
	const messages = 40
	for i := range messages {
		for b.ctx.Err() == nil && s.SendMessage(b.ctx, message(fmt.Sprint(i)), nil) != nil {
			continue
		}
	}
	b.counts("unique", messages, 0, 0, 0)
}

// The same seed produces the same faults.
func TestFaultsRepeat(t *testing.T) {
	outcome := func() string {
		b := start(t, servicebus.Options{Faults: servicebus.Faults{Seed: 42, Duplicate: 0.5}})
		r, log := b.receiver("queue", nil), ""
		for range 10 {
			b.send("queue", "a")
			m := b.receiveOne(r, "a")
			b.must(r.CompleteMessage(b.ctx, m, nil))
			active, _, _, _ := b.bus.Counts("queue")
			log += fmt.Sprint(active)
		}
		return log
	}
	if a, b := outcome(), outcome(); a != b || a == "0000000000" {
		t.Errorf("two runs with one seed: %s and %s", a, b)
	}
}
