package deadletter_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/google/go-cmp/cmp"

	"goldmint/cmd/goldmint/internal/deadletter"
	"goldmint/emulator/servicebus"
	"goldmint/internal/localazure"
)

// stage is a queue whose messages go straight to its dead-letter queue.
type stage struct {
	*testing.T
	ctx    context.Context
	client *azservicebus.Client
	queue  *deadletter.Queue
}

func newStage(t *testing.T) *stage {
	t.Helper()
	bus := servicebus.Start(t, servicebus.Options{Config: localazure.Entities()})
	return dial(t, bus.ConnectionString())
}

func dial(t *testing.T, connectionString string) *stage {
	t.Helper()
	client, err := azservicebus.NewClientFromConnectionString(connectionString, &azservicebus.ClientOptions{RetryOptions: azservicebus.RetryOptions{MaxRetries: -1}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	t.Cleanup(func() {
		_ = client.Close(context.WithoutCancel(ctx))
		cancel()
	})
	return &stage{t, ctx, client, deadletter.New(client, localazure.Requests)}
}

// bury sends messages and dead-letters each of them.
func (s *stage) bury(messages ...*azservicebus.Message) []deadletter.Letter {
	s.Helper()
	sender, err := s.client.NewSender(localazure.Requests, nil)
	s.check(err)
	receiver, err := s.client.NewReceiverForQueue(localazure.Requests, nil)
	s.check(err)
	for _, m := range messages {
		s.check(sender.SendMessage(s.ctx, m, nil))
	}
	for n := 0; n < len(messages); {
		got, err := receiver.ReceiveMessages(s.ctx, len(messages)-n, nil)
		s.check(err)
		for _, m := range got {
			reason, text := "InvalidRequest", "name: is missing"
			s.check(receiver.DeadLetterMessage(s.ctx, m, &azservicebus.DeadLetterOptions{Reason: &reason, ErrorDescription: &text}))
		}
		n += len(got)
	}
	s.check(receiver.Close(s.ctx))
	return s.list()
}

func (s *stage) list() []deadletter.Letter {
	s.Helper()
	all, err := s.queue.List(s.ctx)
	s.check(err)
	return all
}

func (s *stage) check(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func message(id, body string) *azservicebus.Message {
	return &azservicebus.Message{MessageID: &id, Body: []byte(body)}
}

// Two of many are removed; all others can be removed right afterwards: nobody holds a lock on them.
func TestRemoveTwoOfMany(t *testing.T) {
	s := newStage(t)
	var messages []*azservicebus.Message
	for i := range 250 {
		messages = append(messages, message(fmt.Sprintf("m-%d", i), "x"))
	}
	before := s.bury(messages...)
	if len(before) != 250 {
		t.Fatalf("%d dead letters", len(before))
	}
	some := []int64{before[4].SequenceNumber, before[230].SequenceNumber}
	var given []int64
	n, err := s.queue.Remove(s.ctx, some, func(_ context.Context, l deadletter.Letter) error {
		given = append(given, l.SequenceNumber)
		return nil
	})
	if n != 2 || err != nil || !slices.Equal(given, some) {
		t.Fatalf("removed %d %v, %v", n, given, err)
	}
	var rest []int64
	for _, l := range s.list() {
		rest = append(rest, l.SequenceNumber)
	}
	if n, err := s.queue.Remove(s.ctx, rest, nothing); n != 248 || err != nil {
		t.Errorf("removed %d, %v", n, err)
	}
	if left := s.list(); len(left) != 0 {
		t.Errorf("%d are left", len(left))
	}
}

// What could not be sent again stays, and can be tried again.
func TestRemoveFails(t *testing.T) {
	s := newStage(t)
	number := s.bury(message("m", "x"))[0].SequenceNumber
	n, err := s.queue.Remove(s.ctx, []int64{number}, func(context.Context, deadletter.Letter) error { return errors.New("not today") })
	if n != 0 || err == nil || !strings.Contains(err.Error(), fmt.Sprintf("message %d: not today", number)) {
		t.Errorf("removed %d, %v", n, err)
	}
	if n, err := s.queue.Remove(s.ctx, []int64{number}, nothing); n != 1 || err != nil {
		t.Errorf("removed %d, %v", n, err)
	}
	if n, err := s.queue.Remove(s.ctx, []int64{number}, nothing); n != 0 || err == nil {
		t.Errorf("removed %d, %v", n, err)
	}
}

const continuation = `{"specversion":"1.0","id":"web-1/9f1c4d2be07a/3/aa","type":"goldmint.build.continuation","data":{"token":"SECRET",
	"request":{"id":"web-1","resourceGroup":"golden","name":"web","image":{"location":"westeurope","properties":{"sourceVirtualMachine":{"id":
	"/subscriptions/5f2b1c9e-7d34-4e0a-9c41-2a6d8e1b7f03/resourceGroups/golden/providers/Microsoft.Compute/virtualMachines/web"}}}}}}`

func TestKinds(t *testing.T) {
	s := newStage(t)
	letters := s.bury(
		message("request-1", `{"name":"web"}`),
		message("request-2", `{"id":"own-id","name":"web"}`),
		message("an id with blanks", `hello`),
		message("web-1/9f1c4d2be07a/3/aa", continuation),
		message("event-1", `{"specversion":"1.0","id":"x","type":"Microsoft.Resources.ResourceActionSuccess"}`),
		message("event-2", `[{"id":"x","eventType":"Microsoft.Resources.ResourceActionSuccess"}]`),
		message("", ""),
	)
	var got []string
	for _, l := range letters {
		got = append(got, fmt.Sprintf("%s %s", l.Kind, l.BuildID))
		if l.Reason != "InvalidRequest" || l.Description != "name: is missing" || l.EnqueuedAt.IsZero() || l.DeliveryCount == 0 {
			t.Errorf("%+v", l)
		}
	}
	want := []string{
		"request request-1", "request own-id", "", "continuation web-1", "event ", "event ", "request sn-7",
	}
	want[2] = got[2] // a hash
	if !strings.HasPrefix(got[2], "request mid-") {
		t.Errorf("got %s", got[2])
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// The token of a continuation opens somebody's operation: it is not for people to see.
func TestBodyHidesTheToken(t *testing.T) {
	s := newStage(t)
	l := s.bury(message("web-1/9f1c4d2be07a/3/aa", continuation))[0]
	if body := string(l.Body()); strings.Contains(body, "SECRET") || !strings.Contains(body, `"name":"web"`) {
		t.Errorf("got %s", body)
	}
	if !strings.Contains(string(l.Again().Body), "SECRET") {
		t.Error("sent again it lacks its token")
	}
	if r, err := l.Request(); err != nil || !strings.Contains(string(r), `"id":"web-1"`) {
		t.Errorf("request %s, %v", r, err)
	}
}

// AMQP has bodies of two more kinds than bytes, and other clients send them: a value is shown, and
// sent again, as its text or its JSON.
func TestValues(t *testing.T) {
	s := newStage(t)
	sender, err := s.client.NewSender(localazure.Requests, nil)
	s.check(err)
	for id, value := range map[string]any{"text": `{"name":"web"}`, "map": map[string]any{"name": "web"}, "bytes": []byte(`{"name":"web"}`)} {
		properties := &azservicebus.AMQPAnnotatedMessageProperties{MessageID: id}
		s.check(sender.SendAMQPAnnotatedMessage(s.ctx, &azservicebus.AMQPAnnotatedMessage{Body: azservicebus.AMQPAnnotatedMessageBody{Value: value}, Properties: properties}, nil))
	}
	receiver, err := s.client.NewReceiverForQueue(localazure.Requests, nil)
	s.check(err)
	for n := 0; n < 3; {
		got, err := receiver.ReceiveMessages(s.ctx, 3-n, nil)
		s.check(err)
		for _, m := range got {
			s.check(receiver.DeadLetterMessage(s.ctx, m, nil))
		}
		n += len(got)
	}
	for _, l := range s.list() {
		text, err := l.Request()
		if want := `{"name":"web"}`; string(l.Body()) != want || string(l.Again().Body) != want || string(text) != want || err != nil {
			t.Errorf("%s: %s, again %s, request %s, %v", l.MessageID, l.Body(), l.Again().Body, text, err)
		}
	}
}

// Sent again a message has a new MessageId: always the same for one dead letter, another when it
// comes back.
func TestAgain(t *testing.T) {
	s := newStage(t)
	long := strings.Repeat("x", 128)
	letters := s.bury(message(long, "x"), message("short", "x"))
	seen := map[string]bool{}
	for _, l := range append(letters, s.list()...) {
		m := l.Again()
		seen[*m.MessageID] = true
		if len(*m.MessageID) > 128 || *m.MessageID == l.MessageID || m.ApplicationProperties["DeadLetterReason"] != nil {
			t.Errorf("%s again: %+v", l.MessageID, m)
		}
	}
	for _, l := range s.bury(letters[0].Again(), letters[1].Again()) {
		seen[*l.Again().MessageID] = true
	}
	if len(seen) != 4 {
		t.Errorf("%d MessageIds, want 4: %v", len(seen), seen)
	}
}

func nothing(context.Context, deadletter.Letter) error { return nil }
