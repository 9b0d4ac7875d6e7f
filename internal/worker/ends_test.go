package worker_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"

	"goldmint/emulator/arm"
	"goldmint/emulator/servicebus"
	"goldmint/internal/build"
	"goldmint/internal/localazure"
	"goldmint/internal/message"
	"goldmint/internal/worker"
)

// TestEveryEndIsPublished runs every possible end of a request, with the real clients and virtual
// clocks. Each end is published.
func TestEveryEndIsPublished(t *testing.T) {
	succeeded := []string{"queued web", "asked web", "started web", "succeeded web"}
	for _, c := range []struct {
		name   string
		play   func(*rig)
		events []string
		dead   []string
	}{
		{"nothing goes wrong", drain, succeeded, nil},
		{"three hours without a right to send to the builds queue", func(r *rig) { r.refuse(localazure.Builds, servicebus.NoRight, 3*time.Hour); drain(r) }, succeeded, nil},
		{"the builds queue is full for an hour", func(r *rig) { r.refuse(localazure.Builds, servicebus.Full, time.Hour); drain(r) }, succeeded, nil},
		{"an hour without a right to send to the topic", func(r *rig) { r.refuse(localazure.Topic, servicebus.NoRight, time.Hour); drain(r) }, []string{"succeeded web"}, nil},
		{"the topic is full for an hour", func(r *rig) { r.refuse(localazure.Topic, servicebus.Full, time.Hour); drain(r) }, []string{"succeeded web"}, nil},
		{"the identity is lost", func(r *rig) {
			r.intercept = func(*http.Request) http.Handler { return answer(http.StatusUnauthorized, "AuthenticationFailed") }
			drain(r)
		}, []string{"queued web", "delayed web", "failed AuthenticationFailed"}, nil},
		{"an allow-list is narrowed while ARM works", func(r *rig) {
			handleOne(r)
			r.worker.Rules.AllowedResourceGroups = []string{"other"}
			drain(r)
		}, []string{"queued web", "asked web", "started web", "failed ResourceGroupNotAllowed"}, nil},
		{"an allow-list is narrowed before", func(r *rig) {
			r.handleSome(r.queues[0])
			r.worker.Rules.AllowedResourceGroups = []string{"other"}
			drain(r)
		}, []string{"queued web", "rejected ResourceGroupNotAllowed"}, []string{"ResourceGroupNotAllowed"}},
		{"the process dies of the build", func(r *rig) { r.worker.ARM = dyingARM{}; drain(r) }, []string{"queued web", "failed PoisonMessage"}, []string{"PoisonMessage", "PoisonMessage"}},
		{"the process dies of the request", func(r *rig) {
			take := r.queues[0].function
			r.queues[0].function = func(ctx context.Context, m message.Received) error {
				if m.DeliveryCount < 5 {
					panic(errCrash)
				}
				return take(ctx, m)
			}
			r.worker.Probe = func(context.Context, message.Received) error { return worker.ErrKilled }
			drain(r)
		}, []string{"rejected PoisonMessage"}, []string{"PoisonMessage"}},
		{"a dead letter is sent again", func(r *rig) {
			healthy := r.worker.ARM
			r.worker.ARM = dyingARM{}
			drain(r)
			r.worker.ARM = healthy
			r.resubmit()
			drain(r)
		}, append([]string{"queued web", "failed PoisonMessage"}, succeeded[1:]...), []string{"PoisonMessage", "PoisonMessage"}},
		{"the request is sent again within a week", func(r *rig) {
			drain(r)
			r.send("again", webRequest())
			drain(r)
		}, succeeded, nil},
		{"the request is sent again on day 8", func(r *rig) {
			drain(r)
			r.forward(8 * 24 * time.Hour)
			r.send("again", webRequest())
			drain(r)
		}, append(slices.Clone(succeeded), "queued web", "succeeded web"), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, nil)
			r.pauses = true
			r.arm.PutDisk(arm.Disk{ID: group + "disks/os", Location: "westeurope"})
			r.send("web", webRequest())
			c.play(r)
			compare(t, "events", c.events, r.events)
			compare(t, "dead letters", c.dead, r.deadLetters())
			t.Logf("%v", r.events)
		})
	}
}

func webRequest() []byte {
	return fmt.Appendf(nil, `{"id":"web","resourceGroup":"golden","name":"web","image":{"location":"westeurope","properties":{"storageProfile":
		{"osDisk":{"osType":"Linux","osState":"Generalized","managedDisk":{"id":%q}}}}}}`, group+"disks/os")
}

func (r *rig) refuse(entity string, why servicebus.Refusal, d time.Duration) {
	r.Helper()
	if err := r.bus.Refuse(entity, why, d); err != nil {
		r.Fatal(err)
	}
}

// resubmit sends the dead letter of the builds queue again under a MessageId of its own, as a
// person does.
func (r *rig) resubmit() {
	r.Helper()
	client := check(azservicebus.NewClientFromConnectionString(r.bus.ConnectionString(), nil))(r.T)
	r.Cleanup(func() { _ = client.Close(context.Background()) })
	dead := check(client.NewReceiverForQueue(localazure.Builds, &azservicebus.ReceiverOptions{SubQueue: azservicebus.SubQueueDeadLetter}))(r.T)
	letters := check(dead.PeekMessages(r.Context(), 1, nil))(r.T)
	if len(letters) != 1 {
		r.Fatalf("%d dead letters", len(letters))
	}
	id := letters[0].MessageID + "/again/1"
	sender := check(client.NewSender(localazure.Builds, nil))(r.T)
	if err := sender.SendMessage(r.Context(), &azservicebus.Message{Body: letters[0].Body, MessageID: &id}, nil); err != nil {
		r.Fatal(err)
	}
}

// dyingARM kills the process at the first look.
type dyingARM struct{ worker.ARM }

func (dyingARM) Image(context.Context, string) (build.Image, error) { panic(errCrash) }
