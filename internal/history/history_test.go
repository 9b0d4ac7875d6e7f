package history_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"goldmint/emulator/servicebus"
	"goldmint/internal/event"
	"goldmint/internal/history"
	"goldmint/internal/localazure"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
)

// stage is a local Service Bus and the real client on it.
type stage struct {
	*testing.T
	bus    *servicebus.Server
	client *azservicebus.Client
	sender *azservicebus.Sender
}

func newStage(t *testing.T, faults servicebus.Faults) *stage {
	t.Helper()
	s := &stage{T: t, bus: servicebus.Start(t, servicebus.Options{Config: localazure.Entities(), Faults: faults})}
	s.client = s.dial()
	var err error
	if s.sender, err = s.client.NewSender(localazure.Topic, nil); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *stage) dial() *azservicebus.Client {
	s.Helper()
	client, err := azservicebus.NewClientFromConnectionString(s.bus.ConnectionString(), &azservicebus.ClientOptions{
		RetryOptions: azservicebus.RetryOptions{MaxRetries: 2, RetryDelay: 50 * time.Millisecond, MaxRetryDelay: time.Second},
	})
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { _ = client.Close(context.Background()) })
	return client
}

func (s *stage) open() *history.Reader {
	s.Helper()
	r, err := history.Open(s.dial(), localazure.Topic, localazure.History)
	if err != nil {
		s.Fatal(err)
	}
	return r
}

// publish sends events in batches, as fast as it goes.
func (s *stage) publish(events ...event.Event) {
	s.Helper()
	ctx := s.Context()
	b, err := s.sender.NewMessageBatch(ctx, nil)
	if err != nil {
		s.Fatal(err)
	}
	for _, e := range events {
		m := message(s.T, e)
		if b.AddMessage(m, nil) == nil {
			continue
		}
		if err := s.sender.SendMessageBatch(ctx, b, nil); err != nil {
			s.Fatal(err)
		}
		if b, err = s.sender.NewMessageBatch(ctx, nil); err != nil {
			s.Fatal(err)
		}
		if err := b.AddMessage(m, nil); err != nil {
			s.Fatal(err)
		}
	}
	if err := s.sender.SendMessageBatch(ctx, b, nil); err != nil {
		s.Fatal(err)
	}
}

func message(t *testing.T, e event.Event) *azservicebus.Message {
	t.Helper()
	body, err := e.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return &azservicebus.Message{Body: body, MessageID: &e.ID, ApplicationProperties: e.Properties()}
}

// An event is found behind thousands of others, and a reader that is done with them sees a new one
// at once.
func TestThousandsOfOthers(t *testing.T) {
	s := newStage(t, servicebus.Faults{})
	var events []event.Event
	for i := range 3000 {
		events = append(events, published(fmt.Sprintf("other-%d", i), digestA, event.Succeeded))
	}
	s.publish(append(events, published("mine", digestA, event.Started))...)
	r := s.open()
	r.BuildIDs = []string{"mine"}
	entries, err := r.Read(t.Context())
	if err != nil || len(entries) != 1 || entries[0].Event.Type != event.Started {
		t.Errorf("got %d events, %v", len(entries), err)
	}
	if entries, err = r.Read(t.Context()); err != nil || len(entries) != 0 {
		t.Errorf("got %d more, %v", len(entries), err)
	}
	s.publish(published("mine", digestA, event.Succeeded))
	entries, err = r.Read(t.Context())
	if err != nil || len(entries) != 1 || entries[0].Event.Type != event.Succeeded {
		t.Errorf("got %d events, %v", len(entries), err)
	}
}

// Messages that are not events, or of a newer kind, do not stop the reader.
func TestPassesOver(t *testing.T) {
	s := newStage(t, servicebus.Faults{})
	for _, body := range []string{"no event", `{"specversion":"1.0"}`, ""} {
		if err := s.sender.SendMessage(t.Context(), &azservicebus.Message{Body: []byte(body)}, nil); err != nil {
			t.Fatal(err)
		}
	}
	s.publish(published("mine", digestA, event.Started))
	entries, err := s.open().ReadAll(t.Context())
	if err != nil || len(entries) != 1 {
		t.Errorf("got %d events, %v", len(entries), err)
	}
}

// A follower whose connection is cut again and again sees every event, once and in order.
func TestFollowSurvives(t *testing.T) {
	s := newStage(t, servicebus.Faults{})
	const n = 20
	seen := make(chan string, 10*n)
	done := make(chan error, 1)
	reader := s.open()
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	go func() {
		done <- reader.Follow(ctx, history.Following{
			Interval: time.Millisecond,
			OnError:  func(error, time.Duration) error { return nil },
			Each: func(entries []history.Entry, _ bool) bool {
				for _, e := range entries {
					seen <- e.Event.Data.BuildID
				}
				return false
			},
		})
	}()
	for i := range n {
		id := fmt.Sprintf("build-%d", i)
		s.publish(published(id, digestA, event.Started))
		select {
		case got := <-seen:
			if got != id {
				t.Fatalf("saw %s, want %s", got, id)
			}
		case err := <-done:
			t.Fatalf("the follower gave up: %v", err)
		}
		if i%4 == 3 {
			s.bus.DropConnections()
		}
	}
	cancel(enough)
	if err := <-done; !errors.Is(err, enough) {
		t.Error(err)
	}
}

func TestFollowEndsWithItsContext(t *testing.T) {
	s := newStage(t, servicebus.Faults{})
	ctx, cancel := context.WithCancelCause(t.Context())
	over := fmt.Errorf("over")
	err := s.open().Follow(ctx, history.Following{Interval: time.Hour, Each: func([]history.Entry, bool) bool {
		cancel(over)
		return false
	}})
	if !errors.Is(err, over) {
		t.Errorf("got %v", err)
	}
}

// Without OnError, and when OnError returns an error, Follow ends with an error.
func TestFollowGivesUp(t *testing.T) {
	s := newStage(t, servicebus.Faults{})
	reader, err := history.Open(s.dial(), localazure.Topic, "no-such-subscription")
	if err != nil {
		t.Fatal(err)
	}
	never := func([]history.Entry, bool) bool { t.Error("it read"); return true }
	if err := reader.Follow(t.Context(), history.Following{Interval: time.Millisecond, Each: never}); err == nil {
		t.Error("the first error is passed over")
	}
	tries := 0
	err = reader.Follow(t.Context(), history.Following{Interval: time.Millisecond, Each: never, OnError: func(err error, _ time.Duration) error {
		if tries++; tries == 3 {
			return err
		}
		return nil
	}})
	if err == nil || tries != 3 {
		t.Errorf("%d tries, %v", tries, err)
	}
}
