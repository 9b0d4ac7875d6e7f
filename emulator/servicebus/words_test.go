package servicebus_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/go-amqp"
	"github.com/google/go-cmp/cmp"

	"goldmint/emulator/servicebus"
	wire "goldmint/emulator/servicebus/amqp"
)

// TestTheServicesWords: programs match these texts, so the server says them as the service does.
func TestTheServicesWords(t *testing.T) {
	b := start(t, servicebus.Options{SharedAccessKey: "key"})
	as := func(r servicebus.Rights) *azservicebus.Client {
		return b.connect(b.bus.Authorize(map[string]servicebus.Rights{"": r}))
	}
	b.send("queue", "a", "b")
	r := b.receiver("queue", nil)
	late := b.receive(r, 2)
	byToken := &azservicebus.ReceivedMessage{LockToken: late[1].LockToken}
	b.bus.FastForward(2 * time.Minute)
	old := servicebus.SignForTest("key", "localhost", "946684800", "RootManageSharedAccessKey")
	expired := b.connect(fmt.Sprintf("Endpoint=sb://%s;SharedAccessSignature=%s;UseDevelopmentEmulator=true", b.bus.Addr(), old))
	const (
		lockLost = "The lock supplied is invalid. Either the lock expired, or the message has already been removed from the queue"
		noSend   = "Unauthorized access. 'Send' claim(s) are required to perform this operation"
		noListen = "Unauthorized access. 'Listen' claim(s) are required to perform this operation"
	)
	for what, c := range map[string]struct {
		err  error
		code azservicebus.Code
		text string
	}{
		"a lock that is over":           {r.CompleteMessage(b.ctx, late[0], nil), azservicebus.CodeLockLost, lockLost},
		"a lock that is over, by token": {r.CompleteMessage(b.ctx, byToken, nil), azservicebus.CodeLockLost, lockLost},
		"no session": {
			receiveFrom(b, b.client, "sessions"), "", "It is not possible for an entity that requires sessions to create a non-sessionful message receiver.",
		},
		"an expired token": {receiveFrom(b, expired, "queue"), azservicebus.CodeUnauthorizedAccess, "ExpiredToken: The token is expired. Expiration time: 2000-01-01T00:00:00Z"},
		"a listener sends": {sendAs(b, as(servicebus.RightListen)), azservicebus.CodeUnauthorizedAccess, noSend},
		"a listener schedules": {
			scheduleAs(b, as(servicebus.RightListen)), azservicebus.CodeUnauthorizedAccess, noSend,
		},
		"a sender receives": {receiveFrom(b, as(servicebus.RightSend), "queue"), azservicebus.CodeUnauthorizedAccess, noListen},
		"a sender peeks":    {peekAs(b, as(servicebus.RightSend)), azservicebus.CodeUnauthorizedAccess, noListen},
	} {
		var e *azservicebus.Error
		if errors.As(c.err, &e); c.err == nil || !strings.Contains(c.err.Error(), c.text) || c.code != "" && (e == nil || e.Code != c.code) {
			t.Errorf("%s: %v, want the code %q and %q", what, c.err, c.code, c.text)
		}
	}
	b.must(sendAs(b, as(servicebus.RightSend)))
	b.must(peekAs(b, as(servicebus.RightListen)))
}

func receiveFrom(b *bench, client *azservicebus.Client, queue string) error {
	r, err := client.NewReceiverForQueue(queue, nil)
	b.must(err)
	_, err = r.ReceiveMessages(b.ctx, 1, nil)
	return err
}

func peekAs(b *bench, client *azservicebus.Client) error {
	r, err := client.NewReceiverForQueue("queue", nil)
	b.must(err)
	_, err = r.PeekMessages(b.ctx, 1, nil)
	return err
}

func sendAs(b *bench, client *azservicebus.Client) error {
	s, err := client.NewSender("queue", nil)
	b.must(err)
	return s.SendMessage(b.ctx, message("a"), nil)
}

func scheduleAs(b *bench, client *azservicebus.Client) error {
	s, err := client.NewSender("queue", nil)
	b.must(err)
	_, err = s.ScheduleMessages(b.ctx, []*azservicebus.Message{message("a")}, b.bus.Now().Add(time.Hour), nil)
	return err
}

// TestAnnotations: a sender's own stay, of the message and of the delivery, and the service's say
// nothing where there is nothing to say.
func TestAnnotations(t *testing.T) {
	b := start(t, servicebus.Options{})
	session := b.session()
	s, err := session.NewSender(b.ctx, "queue", nil)
	b.must(err)
	own := amqp.NewMessage([]byte("a"))
	own.Annotations = amqp.Annotations{"x-opt-own": "a", "x-opt-sequence-number": int64(99), "x-opt-message-state": int32(1)}
	own.DeliveryAnnotations = amqp.Annotations{"x-opt-mine": "d", "x-opt-lock-token": amqp.UUID{9}}
	b.must(s.Send(b.ctx, own, nil))
	r, err := session.NewReceiver(b.ctx, "queue", nil)
	b.must(err)
	m, err := r.Receive(b.ctx, nil)
	b.must(err)
	want := []string{"x-opt-enqueued-time", "x-opt-locked-until", "x-opt-own", "x-opt-sequence-number"}
	if got := names(m.Annotations); !cmp.Equal(got, want) || m.Annotations["x-opt-own"] != "a" || m.Annotations["x-opt-sequence-number"] != int64(1) {
		t.Errorf("annotations %v, want %v, the sender's own and the service's number", m.Annotations, want)
	}
	if d := m.DeliveryAnnotations; !cmp.Equal(names(d), []string{"x-opt-lock-token", "x-opt-mine"}) || d["x-opt-mine"] != "d" || d["x-opt-lock-token"] == (amqp.UUID{9}) {
		t.Errorf("delivery annotations %v, want the sender's and the lock token", d)
	}
	b.must(r.AcceptMessage(b.ctx, m))

	for name, c := range map[string]struct {
		entity string
		at     time.Time
		want   []string
	}{
		"scheduled":         {"unique", b.bus.Now().Add(time.Hour), []string{"x-opt-enqueued-time", "x-opt-message-state", "x-opt-scheduled-enqueue-time", "x-opt-sequence-number"}},
		"of a subscription": {"topic", time.Time{}, []string{"x-opt-enqueue-sequence-number", "x-opt-enqueued-time", "x-opt-sequence-number"}},
	} {
		msg := message(name)
		if !c.at.IsZero() {
			msg.ScheduledEnqueueTime = &c.at
		}
		b.must(b.sender(c.entity).SendMessage(b.ctx, msg, nil))
		from := b.subscriber("all")
		if c.entity != "topic" {
			from = b.receiver(c.entity, nil)
		}
		peeked, err := from.PeekMessages(b.ctx, 1, nil)
		b.must(err)
		if got := names(peeked[0].RawAMQPMessage.MessageAnnotations); !cmp.Equal(got, c.want) {
			t.Errorf("%s: annotations %v, want %v", name, got, c.want)
		}
	}
}

func names(annotations map[any]any) []string {
	var list []string
	for name := range annotations {
		list = append(list, fmt.Sprint(name))
	}
	slices.Sort(list)
	return list
}

// TestADecimalIsPassedOn: clients of other languages send decimal numbers, which the Go client
// cannot read.
func TestADecimalIsPassedOn(t *testing.T) {
	b := start(t, servicebus.Options{})
	price, _, err := wire.Decode(append([]byte{0x94}, "0123456789abcdef"...))
	b.must(err)
	encoded := (&wire.Message{Application: wire.Map{{Key: "price", Value: price}}, Body: []byte("\x00Su\xa0\x01a")}).Append(nil)
	session := b.session()
	s, err := session.NewSender(b.ctx, "queue", nil)
	b.must(err)
	b.must(s.Send(b.ctx, &amqp.Message{Format: 0x80013700, Data: [][]byte{encoded}}, nil))
	b.request(session, "queue/$management", &amqp.Message{
		ApplicationProperties: map[string]any{"operation": "com.microsoft:schedule-message"},
		Value:                 map[string]any{"messages": []any{map[string]any{"message": encoded}}},
	})
	b.counts("queue", 2, 0, 0, 0)
	answer := b.request(session, "queue/$management", &amqp.Message{
		ApplicationProperties: map[string]any{"operation": "com.microsoft:peek-message"},
		Value:                 map[string]any{"from-sequence-number": int64(0), "message-count": int32(2)},
	})
	peeked, _ := answer.Value.(map[string]any)["messages"].([]any)
	if len(peeked) != 2 {
		t.Fatalf("peeked %v", answer.Value)
	}
	for _, item := range peeked {
		m, err := wire.ReadMessage(item.(map[string]any)["message"].([]byte))
		b.must(err)
		if got, _ := m.Application.Get("price"); got != price {
			t.Errorf("the property came as %v, want %v", got, price)
		}
	}
}
