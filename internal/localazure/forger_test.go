package localazure_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"

	"goldmint/emulator/arm"
	"goldmint/emulator/servicebus"
	"goldmint/internal/build"
	"goldmint/internal/event"
	"goldmint/internal/localazure"
	"goldmint/internal/message"
	"goldmint/internal/request"
	"goldmint/internal/vmevent"
)

// forger is a client with its rights and its knowledge: it knows the victim's whole request. With
// Listen on the history it also knows the run and the digest of the build.
type forger struct {
	t      *testing.T
	client *azservicebus.Client
	victim request.Request
	run    int64
	digest string
}

// attack is a message of a forger, with its expected outcome in the queue of requests.
type attack struct {
	name string
	make func(f *forger) message.Outgoing
	want string // the reason of its dead letter, or what its answer is
}

const (
	repeat  = "no second build"    // it is the victim's own request
	another = "a build of its own" // it asks for an image, as anybody with Send may
)

var attacks = []attack{
	{"end the build as failed", func(f *forger) message.Outgoing {
		b := f.build()
		b.Failure = &build.Failure{Error: event.Error{Code: "Forged"}, Final: true}
		return f.continuation(b, message.FirstID(b.Key()))
	}, "InvalidContinuation"},
	{"the same under the next link's MessageId", func(f *forger) message.Outgoing {
		b := f.build()
		b.Failure = &build.Failure{Error: event.Error{Code: "Forged"}, Final: true}
		return f.continuation(b, message.NextID(b.Key(), 2, 2))
	}, "InvalidContinuation"},
	{"go to the front of the line", func(f *forger) message.Outgoing {
		b := f.build()
		b.Number = 1
		return f.continuation(b, "first-in-line")
	}, "InvalidContinuation"},
	{"work on a VM", func(f *forger) message.Outgoing {
		vm, err := vmevent.ParseID(*f.victim.Image.Properties.SourceVirtualMachine.ID)
		f.must(err)
		work := vmevent.New(vmevent.Event{ID: "forged", Operation: vmevent.Generalize, VM: vm, Time: time.Now()}, time.Now())
		out, err := message.Envelope[vmevent.Work]{Type: message.VMWorkType, Data: work}.Outgoing(message.FirstID(work.Key()), "")
		f.must(err)
		return out
	}, "InvalidContinuation"},
	{"take the MessageId of the build's first message", func(f *forger) message.Outgoing {
		return message.Outgoing{ID: message.FirstID(f.build().Key()), Body: []byte("squatted")}
	}, "InvalidJSON"},
	{"reject under the build's id and digest", func(f *forger) message.Outgoing {
		return message.Outgoing{ID: request.Key(f.victim.ID, f.digest), Body: []byte("squatted")}
	}, "InvalidJSON"},
	{"take the id of a VM's build", func(f *forger) message.Outgoing {
		r := f.victim
		r.ID = "vm-0f8fad5b-d9cb-469f-a165-70867728950e"
		return f.request(r)
	}, "ReservedID"},
	{"send the request again", func(f *forger) message.Outgoing { return f.request(f.victim) }, repeat},
	{"another request under the same id", func(f *forger) message.Outgoing {
		r := f.victim
		r.Name = "image-of-the-forger"
		return f.request(r)
	}, another},
}

func (f *forger) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

// build is the victim's build as the handler would write it, as far as the forger knows.
func (f *forger) build() build.Build {
	b := build.New(f.victim, localazure.SubscriptionID, time.Now())
	b.Run, b.Seq = max(f.run, 1), 2
	return b
}

func (f *forger) continuation(b build.Build, id string) message.Outgoing {
	f.t.Helper()
	out, err := message.Envelope[build.Build]{Type: message.BuildType, Data: b}.Outgoing(id, b.Request.ID)
	f.must(err)
	return out
}

func (f *forger) request(r request.Request) message.Outgoing {
	f.t.Helper()
	body, err := json.Marshal(r)
	f.must(err)
	return message.Outgoing{ID: "forger", Body: body}
}

// send sends an attack to a queue, marked with its name, and returns what Service Bus says.
func (f *forger) send(queue string, a attack) error {
	s, err := f.client.NewSender(queue, nil)
	f.must(err)
	defer func() { _ = s.Close(context.Background()) }()
	out := a.make(f)
	return s.SendMessage(f.t.Context(), &azservicebus.Message{Body: out.Body, MessageID: &out.ID, ApplicationProperties: map[string]any{"attack": a.name}}, nil)
}

// TestForger plays each attack against both queues while the victim's image is being created, with
// the rights that a sender has, and with Listen on the requests and the history beside them. The
// victim's build ends once, as it would have alone.
func TestForger(t *testing.T) {
	t.Parallel()
	for name, rights := range map[string]map[string]servicebus.Rights{
		"Send":            {localazure.Requests: servicebus.RightSend},
		"Send and Listen": {localazure.Requests: servicebus.RightSend | servicebus.RightListen, localazure.Topic: servicebus.RightListen},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := start(t, localazure.Options{ARM: arm.Options{ImageDuration: 3 * time.Second}})
			client, err := azservicebus.NewClientFromConnectionString(a.ServiceBus.Authorize(rights), &azservicebus.ClientOptions{
				RetryOptions: azservicebus.RetryOptions{MaxRetries: -1},
			})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = client.Close(context.Background()) }()
			f := &forger{t: t, client: client, victim: example(t, "../../examples/requests/from-vm.json")}
			f.digest = f.victim.Digest()
			a.submit(f.victim)
			all := a.events(func(all []event.Event) bool { return all[len(all)-1].Type == event.Started })
			f.listen(rights)
			rejected := 0
			for _, attack := range attacks {
				refused := f.send(localazure.Builds, attack)
				var unauthorized *azservicebus.Error
				if !errors.As(refused, &unauthorized) || unauthorized.Code != azservicebus.CodeUnauthorizedAccess {
					t.Errorf("%s, sent to the builds: %v, want it refused for want of a right", attack.name, refused)
				}
				if err := f.send(localazure.Requests, attack); err != nil {
					t.Errorf("%s, sent to the requests: %v", attack.name, err)
				}
				if attack.want != repeat && attack.want != another {
					rejected++
				}
			}
			all = append(all, a.events(ended(rejected+2))...) // with the victim's and the forger's own build
			a.drained()
			a.checkVictim(f, all)
			t.Logf("with %s on %s (each is refused on %s):\n%s", name, localazure.Requests, localazure.Builds, a.checkAttacks(a.deadLetters(rejected)))
		})
	}
}

// listen reads what the rights show: the victim's run and digest. Without them it is refused.
func (f *forger) listen(rights map[string]servicebus.Rights) {
	f.t.Helper()
	r, err := f.client.NewReceiverForSubscription(localazure.Topic, "history", nil)
	f.must(err)
	defer func() { _ = r.Close(context.Background()) }()
	messages, err := r.PeekMessages(f.t.Context(), 10, nil)
	if may := rights[localazure.Topic] != 0; may != (err == nil) {
		f.t.Fatalf("reading the history: %v", err)
	}
	for _, m := range messages {
		e, err := event.Parse(m.Body)
		f.must(err)
		f.run, f.digest = e.Data.Run, e.Data.Digest
	}
}

// checkVictim checks that the victim's build began once and succeeded once, and that nothing else
// was made but the forger's own image.
func (a *azure) checkVictim(f *forger, all []event.Event) {
	a.t.Helper()
	var own []string
	for _, e := range all {
		if e.Data.Digest == f.victim.Digest() && e.Data.BuildID == f.victim.ID && e.Type != event.Rejected {
			own = append(own, e.Type)
		}
	}
	if got := strings.Join(own, " "); got != event.Queued+" "+event.Asked+" "+event.Started+" "+event.Succeeded || a.ARM.Images() != 2 {
		a.t.Errorf("the victim's build gave %q, and there are %d images, want the victim's and the forger's", got, a.ARM.Images())
	}
}

// checkAttacks checks that each attack which is not a request is in the dead-letter queue with its
// reason, and returns the outcome of each.
func (a *azure) checkAttacks(letters []*azservicebus.ReceivedMessage) string {
	a.t.Helper()
	became := map[string]string{}
	for _, m := range letters {
		became[m.ApplicationProperties["attack"].(string)] = *m.DeadLetterReason
	}
	var rows strings.Builder
	for _, attack := range attacks {
		got := became[attack.name]
		switch {
		case attack.want == repeat || attack.want == another:
			got += "taken: " + attack.want
		case got != attack.want:
			a.t.Errorf("%s: dead-lettered as %q, want %q", attack.name, got, attack.want)
		}
		fmt.Fprintf(&rows, "%-48s %s\n", attack.name, got)
	}
	if len(letters) != len(became) {
		a.t.Errorf("%d dead letters for %d attacks", len(letters), len(became))
	}
	return rows.String()
}
