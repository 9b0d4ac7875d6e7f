package servicebus_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"

	"goldmint/emulator/servicebus"
)

func twoQueues(t *testing.T, p servicebus.QueueProperties) (*servicebus.Server, *azservicebus.Client) {
	t.Helper()
	server := servicebus.Start(t, servicebus.Options{Config: servicebus.Config{UserConfig: servicebus.UserConfig{
		Namespaces: []servicebus.Namespace{{Name: "sbemulatorns", Queues: []servicebus.Queue{{Name: "first", Properties: p}, {Name: "second"}}}},
	}}})
	client, err := azservicebus.NewClientFromConnectionString(server.ConnectionString(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close(t.Context()) })
	return server, client
}

func sendTo(t *testing.T, client *azservicebus.Client, queue string, m *azservicebus.Message) error {
	t.Helper()
	sender, err := client.NewSender(queue, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sender.Close(t.Context()) }()
	return sender.SendMessage(t.Context(), m, nil)
}

// TestAnAbsentMessageIDIsFilledIn: with a GUID without dashes, another for each message.
func TestAnAbsentMessageIDIsFilledIn(t *testing.T) {
	_, client := twoQueues(t, servicebus.QueueProperties{RequiresDuplicateDetection: true})
	receiver, err := client.NewReceiverForQueue("first", nil)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for range 2 {
		if err := sendTo(t, client, "first", &azservicebus.Message{Body: []byte("x")}); err != nil {
			t.Fatal(err)
		}
		got, err := receiver.ReceiveMessages(t.Context(), 1, nil)
		if err != nil || len(got) != 1 {
			t.Fatal(got, err)
		}
		m := got[0]
		if !regexp.MustCompile("^[0-9a-f]{32}$").MatchString(m.MessageID) || seen[m.MessageID] || m.DeliveryCount != 1 {
			t.Errorf("message id %q, delivery count %d", m.MessageID, m.DeliveryCount)
		}
		seen[m.MessageID] = true
	}
}

// TestAnEntityRefusesForAsLongAsItIsTold: a missing right ends after its time, a full queue with
// the next call of Refuse.
func TestAnEntityRefusesForAsLongAsItIsTold(t *testing.T) {
	server, client := twoQueues(t, servicebus.QueueProperties{})
	send := func(queue string) error { return sendTo(t, client, queue, &azservicebus.Message{Body: []byte("x")}) }
	if err := errors.Join(server.Refuse("first", servicebus.NoRight, 3*time.Hour), server.Refuse("second", servicebus.Full, 0)); err != nil {
		t.Fatal(err)
	}
	if err := send("first"); err == nil || !strings.Contains(err.Error(), "'Send' claim(s) are required") {
		t.Errorf("without a right: %v", err)
	}
	if err := send("second"); err == nil || !strings.Contains(err.Error(), "maximum entity size") {
		t.Errorf("a full queue: %v", err)
	}
	server.FastForward(3*time.Hour + time.Second)
	if err := send("first"); err != nil {
		t.Errorf("after three hours: %v", err)
	}
	if err := send("second"); err == nil {
		t.Error("the full queue took a message")
	}
	if err := server.Resume("second"); err != nil {
		t.Fatal(err)
	}
	if err := send("second"); err != nil {
		t.Errorf("once resumed: %v", err)
	}
	if server.Refuse("third", servicebus.Full, 0) == nil {
		t.Error("a queue that is not there refuses")
	}
}

// TestARefusedSettlementIsTold: the Go client takes amqp:invalid-field for a fault that passes, and
// says that all is well.
func TestARefusedSettlementIsTold(t *testing.T) {
	_, client := twoQueues(t, servicebus.QueueProperties{})
	if err := sendTo(t, client, "first", &azservicebus.Message{Body: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	receiver, err := client.NewReceiverForQueue("first", nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := receiver.ReceiveMessages(t.Context(), 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("x", 5000)
	if err := receiver.DeadLetterMessage(t.Context(), got[0], &azservicebus.DeadLetterOptions{Reason: &long}); err == nil {
		t.Error("a reason of 5,000 characters was taken")
	}
}

func TestForwardingIsCheckedAtTheStart(t *testing.T) {
	_, err := servicebus.Listen(servicebus.Options{Config: servicebus.Config{UserConfig: servicebus.UserConfig{
		Namespaces: []servicebus.Namespace{{
			Name: "sbemulatorns",
			Queues: []servicebus.Queue{
				{Name: "first", Properties: servicebus.QueueProperties{ForwardTo: "nowhere"}},
				{Name: "second", Properties: servicebus.QueueProperties{ForwardDeadLetteredMessagesTo: "topic/Subscriptions/s"}},
				{Name: "third", Properties: servicebus.QueueProperties{ForwardTo: "second", ForwardDeadLetteredMessagesTo: "topic"}},
			},
			Topics: []servicebus.Topic{{Name: "topic", Subscriptions: []servicebus.Subscription{
				{Name: "s", Properties: servicebus.QueueProperties{ForwardTo: "Nowhere"}},
			}}},
		}},
	}}})
	if err == nil {
		t.Fatal("it started")
	}
	for _, want := range []string{
		`queue "first": ForwardTo: there is no queue or topic "nowhere"`,
		`queue "second": ForwardDeadLetteredMessagesTo: there is no queue or topic "topic/Subscriptions/s"`,
		`topic "topic": subscription "s": ForwardTo: there is no queue or topic "Nowhere"`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, want it to say %s", err, want)
		}
	}
	if strings.Contains(err.Error(), "third") {
		t.Errorf("the error is %v, but what the third queue forwards to is there", err)
	}
}
