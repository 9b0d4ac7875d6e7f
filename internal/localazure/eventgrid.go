package localazure

import (
	"context"
	"fmt"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"

	"goldmint/emulator/arm"
)

// eventGrid delivers what happens to VMs into the queue, as the Event Grid subscription of infra/
// does: every action that ended, as a CloudEvent, under a MessageId that is the event's own.
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

// deliver sends one event. Event Grid tries for a day; a queue in this process either takes it or
// is gone.
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
