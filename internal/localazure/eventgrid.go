package localazure

import (
	"context"
	"fmt"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"

	"goldmint/emulator/arm"
)

// eventGrid sends what happens to VMs to the queue, like the Event Grid subscription of infra/:
// every action that ended, as a CloudEvent whose id is the MessageId.
type eventGrid struct {
	log    func(string)
	client *azservicebus.Client
	sender *azservicebus.Sender
}

// subscribe opens the queue, before the first action.
func (g *eventGrid) subscribe(connection string) (err error) {
	if g.client, err = azservicebus.NewClientFromConnectionString(connection, nil); err != nil {
		return err
	}
	g.sender, err = g.client.NewSender(Requests, nil)
	return err
}

// deliver sends one event. Event Grid retries for a day. Here one attempt is enough, because a
// queue in this process either accepts it or is gone.
func (g *eventGrid) deliver(a arm.Action) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	contentType := "application/cloudevents+json; charset=utf-8"
	err := g.sender.SendMessage(ctx, &azservicebus.Message{
		Body: a.CloudEvent(), MessageID: &a.ID, ContentType: &contentType,
		ApplicationProperties: map[string]any{
			"aeg-event-type": "Notification", "aeg-subscription-name": "GOLDMINT", "aeg-delivery-count": "0", "aeg-metadata-version": "1",
		},
	}, nil)
	if err != nil && g.log != nil {
		g.log(fmt.Sprintf("event grid: %s of %s could not be delivered: %v", a.Operation, a.ResourceID, err))
	}
}

func (g *eventGrid) close() error {
	if g.client == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return g.client.Close(ctx)
}
