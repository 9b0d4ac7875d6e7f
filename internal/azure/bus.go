package azure

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"

	"goldmint/internal/event"
	"goldmint/internal/message"
)

// Bus is a client of the two queues and the event topic of one Service Bus namespace.
type Bus struct {
	client *azservicebus.Client
	builds *azservicebus.Sender
	topic  *azservicebus.Sender

	// settlers receive nothing: they settle messages that the host has received, by lock token.
	settlers map[message.Queue]*azservicebus.Receiver
}

// Entities are the names of the queues and the topic.
type Entities struct {
	Requests string // queue
	Builds   string // queue
	Events   string // topic
}

// busRetry waits briefly, because an invocation has a minute and the SDK's defaults take a third of
// that after a connection was cut.
var busRetry = azservicebus.RetryOptions{MaxRetries: 4, RetryDelay: 100 * time.Millisecond, MaxRetryDelay: 2 * time.Second}

// NewBus opens the queues and the topic. Nothing is sent before the first message.
func NewBus(client *azservicebus.Client, e Entities) (*Bus, error) {
	b := &Bus{client: client, settlers: map[message.Queue]*azservicebus.Receiver{}}
	var err error
	if b.builds, err = client.NewSender(e.Builds, nil); err != nil {
		return nil, fmt.Errorf("queue %q: %w", e.Builds, err)
	}
	if b.topic, err = client.NewSender(e.Events, nil); err != nil {
		return nil, fmt.Errorf("topic %q: %w", e.Events, err)
	}
	for queue, name := range map[message.Queue]string{message.Requests: e.Requests, message.Builds: e.Builds} {
		if b.settlers[queue], err = client.NewReceiverForQueue(name, nil); err != nil {
			return nil, fmt.Errorf("queue %q: %w", name, err)
		}
	}
	return b, nil
}

// Publish sends the event to the topic. Its id is the MessageId, so that duplicate detection drops
// a repeated event.
func (b *Bus) Publish(ctx context.Context, e event.Event) error {
	body, err := e.MarshalJSON()
	if err != nil {
		return fmt.Errorf("encode event %s: %w", e.ID, err)
	}
	return twice(ctx, func(ctx context.Context) error {
		return b.topic.SendMessage(ctx, &azservicebus.Message{
			Body: body, ContentType: to.Ptr(event.ContentType), MessageID: &e.ID, Subject: to.Ptr(e.Type),
			SessionID: &e.Data.BuildID, CorrelationID: &e.Data.BuildID, ApplicationProperties: e.Properties(),
		}, nil)
	})
}

// Enqueue sends a message to the builds queue, to be delivered at m.At or later.
func (b *Bus) Enqueue(ctx context.Context, m message.Outgoing) error {
	out := &azservicebus.Message{
		Body: m.Body, ContentType: &m.ContentType, MessageID: &m.ID, Subject: &m.Subject, CorrelationID: &m.CorrelationID,
	}
	if !m.At.IsZero() {
		out.ScheduledEnqueueTime = to.Ptr(m.At.UTC())
	}
	return twice(ctx, func(ctx context.Context) error { return b.builds.SendMessage(ctx, out, nil) })
}

// DeadLetter moves a message that the host has received from the queue to its dead-letter queue, by
// its lock token (a GUID).
func (b *Bus) DeadLetter(ctx context.Context, q message.Queue, lockToken, reason, description string) error {
	token, err := parseLockToken(lockToken)
	if err != nil {
		return err
	}
	options := &azservicebus.DeadLetterOptions{
		Reason: to.Ptr(event.Cut(reason, event.MaxDeadLetter)), ErrorDescription: to.Ptr(event.Cut(description, event.MaxDeadLetter)),
	}
	return twice(ctx, func(ctx context.Context) error {
		// A message that has nothing but its lock token is settled over the management link, so the
		// state of the host's own link does not matter.
		return b.settlers[q].DeadLetterMessage(ctx, &azservicebus.ReceivedMessage{LockToken: token}, options)
	})
}

// Close ends the connection.
func (b *Bus) Close(ctx context.Context) error { return b.client.Close(ctx) }

// twice runs a call with a timeout of ten seconds, and once more when it fails: after a cut
// connection the first call of the client can hang.
func twice(ctx context.Context, call func(context.Context) error) error {
	const limit = 10 * time.Second
	try := func() error {
		ctx, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		return call(ctx)
	}
	err := try()
	var refused *azservicebus.Error
	if err == nil || errors.As(err, &refused) && refused.Code == azservicebus.CodeLockLost || ctx.Err() != nil {
		return err
	}
	return try()
}

func parseLockToken(s string) ([16]byte, error) {
	var token [16]byte
	n, err := hex.Decode(token[:], []byte(strings.ReplaceAll(s, "-", "")))
	if err != nil || n != len(token) {
		return token, fmt.Errorf("lock token %q is not a GUID", s)
	}
	return token, nil
}

// Identity is the managed identity of the function app: the user-assigned one of the client id,
// otherwise the system-assigned one.
func Identity(clientID string) (azcore.TokenCredential, error) {
	options := &azidentity.ManagedIdentityCredentialOptions{}
	if clientID != "" {
		options.ID = azidentity.ClientID(clientID)
	}
	c, err := azidentity.NewManagedIdentityCredential(options)
	if err != nil {
		return nil, fmt.Errorf("managed identity: %w", err)
	}
	return c, nil
}

// Namespace is a Service Bus namespace and the way to sign in: with a connection string, or with
// its name and the managed identity.
type Namespace struct {
	ConnectionString string
	Name             string // NAME.servicebus.windows.net
	ClientID         string // of the user-assigned identity; empty for the system-assigned one
}

// Dial makes a client. The client connects when its first link is opened.
func (n Namespace) Dial() (*azservicebus.Client, error) {
	options := &azservicebus.ClientOptions{ApplicationID: "goldmint", RetryOptions: busRetry}
	if n.ConnectionString != "" {
		client, err := azservicebus.NewClientFromConnectionString(n.ConnectionString, options)
		if err != nil {
			return nil, fmt.Errorf("ServiceBusConnection: %w", err)
		}
		return client, nil
	}
	credential, err := Identity(n.ClientID)
	if err != nil {
		return nil, err
	}
	return azservicebus.NewClient(n.Name, credential, options)
}
