package servicebus_test

import (
	"context"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"

	"goldmint/emulator/servicebus"
)

// bench is a server and the real client on it.
type bench struct {
	*testing.T
	bus    *servicebus.Server
	client *azservicebus.Client
	ctx    context.Context
}

// config has one entity of each kind that the tests use.
func config() servicebus.Config {
	minute := servicebus.Duration(time.Minute)
	return servicebus.Config{UserConfig: servicebus.UserConfig{Namespaces: []servicebus.Namespace{{
		Name: "sbemulatorns",
		Queues: []servicebus.Queue{
			{Name: "queue", Properties: servicebus.QueueProperties{LockDuration: minute, MaxDeliveryCount: 3}},
			{Name: "unique", Properties: servicebus.QueueProperties{RequiresDuplicateDetection: true, DuplicateDetectionHistoryTimeWindow: 10 * minute}},
			{Name: "sessions", Properties: servicebus.QueueProperties{LockDuration: minute, RequiresSession: true}},
			{Name: "mortal", Properties: servicebus.QueueProperties{DefaultMessageTimeToLive: minute, DeadLetteringOnMessageExpiration: true}},
			{Name: "forgetful", Properties: servicebus.QueueProperties{DefaultMessageTimeToLive: minute}},
			{Name: "forwarding", Properties: servicebus.QueueProperties{ForwardTo: "queue"}},
			{Name: "undertaken", Properties: servicebus.QueueProperties{ForwardDeadLetteredMessagesTo: "queue"}},
		},
		Topics: []servicebus.Topic{{
			Name:       "topic",
			Properties: servicebus.TopicProperties{RequiresDuplicateDetection: true},
			Subscriptions: []servicebus.Subscription{
				{Name: "all"},
				{Name: "none", Rules: []servicebus.Rule{{Name: "r", Properties: servicebus.RuleProperties{FilterType: "False"}}}},
				{Name: "failed", Rules: []servicebus.Rule{{Name: "r", Properties: servicebus.RuleProperties{
					FilterType: "Correlation", CorrelationFilter: &servicebus.CorrelationFilter{Label: "failed"},
				}}}},
				{Name: "sql", Rules: []servicebus.Rule{{Name: "r", Properties: servicebus.RuleProperties{
					FilterType: "Sql", SQLFilter: &servicebus.SQLFilter{SQLExpression: "sys.Label LIKE 'fail%' AND attempt > 2"},
				}}}},
			},
		}},
	}}}}
}

func start(t *testing.T, opts servicebus.Options) *bench {
	t.Helper()
	if len(opts.Config.UserConfig.Namespaces) == 0 {
		opts.Config = config()
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	t.Cleanup(cancel)
	b := &bench{T: t, bus: servicebus.Start(t, opts), ctx: ctx}
	b.client = b.connect(b.bus.ConnectionString())
	return b
}

func (b *bench) connect(connection string) *azservicebus.Client {
	b.Helper()
	client, err := azservicebus.NewClientFromConnectionString(connection, &azservicebus.ClientOptions{
		RetryOptions: azservicebus.RetryOptions{MaxRetries: 3, RetryDelay: time.Millisecond, MaxRetryDelay: 10 * time.Millisecond},
	})
	b.must(err)
	b.Cleanup(func() { _ = client.Close(context.Background()) })
	return client
}

func (b *bench) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func (b *bench) sender(entity string) *azservicebus.Sender {
	b.Helper()
	s, err := b.client.NewSender(entity, nil)
	b.must(err)
	return s
}

// send sends one message for each body, with the body as its id.
func (b *bench) send(entity string, bodies ...string) {
	b.Helper()
	s := b.sender(entity)
	for _, body := range bodies {
		b.must(s.SendMessage(b.ctx, message(body), nil))
	}
}

func message(body string) *azservicebus.Message {
	return &azservicebus.Message{Body: []byte(body), MessageID: &body}
}

func (b *bench) receiver(queue string, options *azservicebus.ReceiverOptions) *azservicebus.Receiver {
	b.Helper()
	r, err := b.client.NewReceiverForQueue(queue, options)
	b.must(err)
	return r
}

func (b *bench) subscriber(subscription string) *azservicebus.Receiver {
	b.Helper()
	r, err := b.client.NewReceiverForSubscription("topic", subscription, nil)
	b.must(err)
	return r
}

func (b *bench) deadLetters(queue string) *azservicebus.Receiver {
	b.Helper()
	return b.receiver(queue, &azservicebus.ReceiverOptions{SubQueue: azservicebus.SubQueueDeadLetter})
}

// receiving is what receivers of both kinds do.
type receiving interface {
	ReceiveMessages(context.Context, int, *azservicebus.ReceiveMessagesOptions) ([]*azservicebus.ReceivedMessage, error)
}

// receive waits for that many messages.
func (b *bench) receive(r receiving, count int) []*azservicebus.ReceivedMessage {
	b.Helper()
	var all []*azservicebus.ReceivedMessage
	for len(all) < count {
		some, err := r.ReceiveMessages(b.ctx, count-len(all), nil)
		if err != nil {
			b.Fatalf("after %d of %d messages: %v", len(all), count, err)
		}
		all = append(all, some...)
	}
	return all
}

func (b *bench) receiveOne(r receiving, body string) *azservicebus.ReceivedMessage {
	b.Helper()
	m := b.receive(r, 1)[0]
	if string(m.Body) != body {
		b.Fatalf("received %q, want %q", m.Body, body)
	}
	return m
}

// counts checks an entity's messages by state.
func (b *bench) counts(entity string, active, scheduled, deadLettered, deferred int) {
	b.Helper()
	want := [4]int{active, scheduled, deadLettered, deferred}
	var got [4]int
	if got[0], got[1], got[2], got[3] = b.bus.Counts(entity); got != want {
		b.Errorf("%s has (active, scheduled, dead-lettered, deferred) %v, want %v", entity, got, want)
	}
}

func bodies(messages []*azservicebus.ReceivedMessage) []string {
	var out []string
	for _, m := range messages {
		out = append(out, string(m.Body))
	}
	return out
}
