package servicebus_test

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"

	"goldmint/emulator/servicebus"
)

// fill sends messages in batches of a hundred.
func (b *bench) fill(entity string, count, size int) {
	b.Helper()
	s := b.sender(entity)
	for sent := 0; sent < count; {
		batch, err := s.NewMessageBatch(b.ctx, nil)
		b.must(err)
		for range 100 {
			b.must(batch.AddMessage(&azservicebus.Message{Body: make([]byte, size), MessageID: new(fmt.Sprint(entity, sent))}, nil))
			sent++
		}
		b.must(s.SendMessageBatch(b.ctx, batch, nil))
	}
}

// empty receives and completes messages with several receivers until none is left.
func (b *bench) empty(queue string, receivers int) map[string]int {
	b.Helper()
	ctx, cancel := context.WithCancel(b.ctx)
	defer cancel()
	var wg sync.WaitGroup
	var mu sync.Mutex
	seen := map[string]int{}
	for range receivers {
		r := b.receiver(queue, nil)
		wg.Go(func() {
			for ctx.Err() == nil {
				some, _ := r.ReceiveMessages(ctx, 100, nil) // an error shows in the count at the end
				for _, m := range some {
					if err := r.CompleteMessage(b.ctx, m, nil); err != nil {
						b.Errorf("complete: %v", err)
					}
					mu.Lock()
					seen[m.MessageID]++
					mu.Unlock()
				}
				if active, _, _, _ := b.bus.Counts(queue); active == 0 {
					cancel()
				}
			}
		})
	}
	wg.Wait()
	return seen
}

func TestThousandsOfMessages(t *testing.T) {
	b := start(t, servicebus.Options{})
	const senders, each = 10, 500
	var wg sync.WaitGroup
	for i := range senders {
		s := b.sender("queue")
		wg.Go(func() {
			for j := range each {
				if err := s.SendMessage(b.ctx, message(fmt.Sprintf("%d-%d", i, j)), nil); err != nil {
					t.Errorf("send: %v", err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.counts("queue", senders*each, 0, 0, 0)
	seen := b.empty("queue", 4)
	if len(seen) != senders*each {
		t.Errorf("received %d different messages, want %d", len(seen), senders*each)
	}
	for id, n := range seen {
		if n != 1 {
			t.Errorf("message %s came %d times", id, n)
		}
	}
}

func TestFiftyConnectionsPeek(t *testing.T) {
	b := start(t, servicebus.Options{})
	const messages = 1000
	b.fill("topic", messages, 10)
	var wg sync.WaitGroup
	for range 50 {
		r, err := b.connect(b.bus.ConnectionString()).NewReceiverForSubscription("topic", "all", nil)
		b.must(err)
		wg.Go(func() {
			for count := 0; ; {
				some, err := r.PeekMessages(b.ctx, 500, nil)
				if err != nil || len(some) == 0 {
					if count != messages || err != nil {
						t.Errorf("peeked %d messages (%v), want %d", count, err, messages)
					}
					return
				}
				count += len(some)
			}
		})
	}
	wg.Wait()
	b.counts("topic/Subscriptions/all", messages, 0, 0, 0)
}

// What was completed is gone from memory, whichever way it was settled.
func TestMemoryDoesNotGrowWithCompletedMessages(t *testing.T) {
	b := start(t, servicebus.Options{})
	work := func() {
		b.client = b.connect(b.bus.ConnectionString())
		b.fill("queue", 1000, 2000)
		b.empty("queue", 2)
		b.fill("queue", 500, 2000)
		r, other := b.receiver("queue", nil), b.receiver("queue", nil)
		for done := 0; done < 500; done += 100 { // received on one link, settled by token
			for _, m := range b.receive(r, 100) {
				b.must(other.CompleteMessage(b.ctx, &azservicebus.ReceivedMessage{LockToken: m.LockToken}, nil))
			}
		}
		b.must(b.client.Close(b.ctx)) // so that what the client holds does not count
	}
	work()
	before := heap()
	for range 3 {
		work() // 9 MB of messages
	}
	if grown := int64(heap()) - int64(before); grown > 1<<20 {
		t.Errorf("the heap grew by %d bytes over 4,500 completed messages", grown)
	}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
