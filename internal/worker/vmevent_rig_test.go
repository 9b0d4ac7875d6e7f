package worker_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/google/uuid"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"goldmint/emulator/arm"
	"goldmint/emulator/servicebus"
	"goldmint/internal/azure"
	"goldmint/internal/build"
	"goldmint/internal/event"
	"goldmint/internal/history"
	"goldmint/internal/localazure"
	"goldmint/internal/message"
	"goldmint/internal/vmevent"
	"goldmint/internal/worker"
)

const (
	subscription = "11111111-1111-4111-8111-111111111111"
	providers    = "/providers/Microsoft.Compute/"
	group        = "/subscriptions/" + subscription + "/resourceGroups/golden" + providers
)

// rig is the real worker with the real clients between the local Service Bus and the local Resource
// Manager.
type rig struct {
	*testing.T
	bus      *servicebus.Server
	arm      *arm.Server
	worker   *worker.Worker
	logs     *observer.ObservedLogs
	sender   *azservicebus.Sender
	queues   []queue // in the order in which they are drained
	history  *history.Reader
	parallel int  // messages handled at once
	pauses   bool // the clocks are turned by the pause before an error is answered

	mu        sync.Mutex
	actions   []arm.Action // reported and not sent
	intercept func(*http.Request) http.Handler
	crash     *crash
	events    []string
}

// bearer is a credential that returns a fixed token.
type bearer struct{}

func (bearer) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: "token", ExpiresOn: time.Now().Add(24 * time.Hour)}, nil
}

func newRig(t *testing.T, change func(*vmevent.Policy)) *rig {
	t.Helper()
	r := &rig{T: t, parallel: 1, crash: &crash{}}
	r.bus = servicebus.Start(t, servicebus.Options{Config: localazure.Entities()})
	r.arm = arm.Start(t, arm.Options{OnAction: r.acted, Intercept: r.interceptor})
	client := check(azure.Namespace{ConnectionString: r.bus.ConnectionString()}.Dial())(t)
	t.Cleanup(func() { _ = client.Close(context.Background()) })
	r.sender = check(client.NewSender(localazure.Requests, nil))(t)
	r.history = check(history.Open(client, localazure.Topic, history.Subscription))(t)
	manager := check(azure.NewARM(r.arm.Endpoint(), "https://management.azure.com", bearer{}, nil))(t)
	core, logs := observer.New(zapcore.DebugLevel)
	r.logs = logs
	p := vmevent.Policy{Mode: vmevent.ModeTagged, MaxWait: 24 * time.Hour}
	if change != nil {
		change(&p)
	}
	r.worker = &worker.Worker{
		Bus: crashingBus{check(azure.NewBus(client, azure.Entities{Requests: localazure.Requests, Builds: localazure.Builds, Events: localazure.Topic}))(t), r.crash}, ARM: manager, Policy: build.DefaultPolicy(),
		VMs: crashingVMs{manager, r.crash}, VMPolicy: p, Now: r.bus.Now, Log: zap.New(core),
		Rules: worker.Rules{DefaultSubscription: subscription, EventSource: "/goldmint", PoisonDelivery: 5},
		Probe: func(context.Context, message.Received) error { return nil },
	}
	r.queues = []queue{
		{localazure.Requests, check(client.NewReceiverForQueue(localazure.Requests, nil))(t), r.worker.TakeRequest},
		{localazure.Builds, check(client.NewReceiverForQueue(localazure.Builds, nil))(t), r.worker.BuildImage},
	}
	return r
}

// queue is a queue with the function that handles its messages.
type queue struct {
	name     string
	receiver *azservicebus.Receiver
	function func(context.Context, message.Received) error
}

func check[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func (r *rig) acted(a arm.Action) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.actions = append(r.actions, a)
}

func (r *rig) interceptor(q *http.Request) http.Handler {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.intercept == nil {
		return nil
	}
	return r.intercept(q)
}

// forward turns both clocks.
func (r *rig) forward(d time.Duration) {
	r.arm.FastForward(d)
	r.bus.FastForward(d)
}

// send puts a message into the queue as Event Grid does.
func (r *rig) send(id string, body []byte) {
	r.Helper()
	if err := r.sender.SendMessage(r.Context(), &azservicebus.Message{Body: body, MessageID: &id}, nil); err != nil {
		r.Fatal(err)
	}
}

// drain handles messages, r.parallel at once, until none is left, turning time to the scheduled
// ones.
func (r *rig) drain() {
	r.Helper()
	for range 20_000 {
		waiting := 0
		for _, q := range r.queues {
			active, scheduled, _, _ := r.bus.Counts(q.name)
			waiting += active + scheduled
			if active > 0 {
				r.handleSome(q)
			}
		}
		if waiting == 0 {
			r.collect()
			return
		}
		if active, _, _, _ := r.bus.Counts(localazure.Builds); active == 0 {
			r.forward(2 * time.Second)
		}
	}
	r.Fatal("the queue does not come to rest")
}

// handleSome handles what the queue delivers, r.parallel messages at once.
func (r *rig) handleSome(q queue) {
	r.Helper()
	ctx, cancel := context.WithTimeout(r.Context(), 10*time.Second)
	messages, err := q.receiver.ReceiveMessages(ctx, r.parallel, nil)
	cancel()
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		r.Fatal(err)
	}
	var all sync.WaitGroup
	for _, m := range messages {
		all.Go(func() { r.handle(q, m) })
	}
	all.Wait()
}

// handle does what the Functions host does with one message.
func (r *rig) handle(q queue, m *azservicebus.ReceivedMessage) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	err := r.invoke(ctx, q, message.Received{
		Body: m.Body, ID: m.MessageID, LockToken: uuid.UUID(m.LockToken).String(), SequenceNumber: *m.SequenceNumber,
		EnqueuedAt: *m.EnqueuedTime, DeliveryCount: int(m.DeliveryCount),
	})
	if err != nil {
		if r.pauses {
			r.forward(worker.RetryPause(int(m.DeliveryCount)))
		}
		err = q.receiver.AbandonMessage(ctx, m, nil)
	} else {
		err = q.receiver.CompleteMessage(ctx, m, nil)
	}
	var refused *azservicebus.Error
	if err != nil && (!errors.As(err, &refused) || refused.Code != azservicebus.CodeLockLost) { // the worker dead-letters by itself
		r.Errorf("settle: %v", err)
	}
}

func (r *rig) invoke(ctx context.Context, q queue, m message.Received) (err error) {
	defer func() {
		if p := recover(); p != nil {
			died, ok := p.(error)
			if !ok || !errors.Is(died, errCrash) {
				panic(p)
			}
			err = errCrash
		}
	}()
	return q.function(ctx, m)
}

// collect reads the events that were published since, in short.
func (r *rig) collect() {
	r.Helper()
	entries, err := r.history.ReadAll(r.Context())
	if err != nil {
		r.Fatal(err)
	}
	for _, e := range entries {
		r.events = append(r.events, short(e.Event))
	}
}

func short(e event.Event) string {
	s := strings.TrimPrefix(e.Type, "goldmint.build.")
	switch {
	case e.Data.Error != nil:
		return s + " " + e.Data.Error.Code
	default:
		return s + " " + e.Data.Name
	}
}

// images are the names of all images, with their group where that is not the usual one.
func (r *rig) images() []string {
	var names []string
	for _, g := range []string{"golden", "other"} {
		list := struct {
			Value []struct {
				Name       string
				Properties struct{ ProvisioningState string }
			}
		}{}
		r.get("/subscriptions/"+subscription+"/resourceGroups/"+g+providers+"images", &list)
		for _, i := range list.Value {
			name := i.Name
			if g != "golden" {
				name = g + "/" + name
			}
			if i.Properties.ProvisioningState != "Succeeded" {
				name += " " + i.Properties.ProvisioningState
			}
			names = append(names, name)
		}
	}
	return names
}

// ignored are the reasons for which events were ignored, once each.
func (r *rig) ignored() []string {
	var reasons []string
	for _, l := range r.logs.FilterMessage("vm_event_ignored").All() {
		reasons = append(reasons, l.ContextMap()["reason"].(string))
	}
	slices.Sort(reasons)
	return slices.Compact(reasons)
}

// deadLetters are the reasons in the dead-letter queue.
func (r *rig) deadLetters() []string {
	var reasons []string
	for _, l := range r.logs.FilterMessage("dead_lettered").All() {
		reasons = append(reasons, l.ContextMap()["reason"].(string))
	}
	_, _, requests, _ := r.bus.Counts(localazure.Requests)
	_, _, builds, _ := r.bus.Counts(localazure.Builds)
	if dead := requests + builds; dead != len(reasons) {
		r.Errorf("%d messages are dead-lettered, the log tells of %v", dead, reasons)
	}
	return reasons
}

// crash lets the process die once, at the effect of that number, before or after it.
type crash struct {
	mu     sync.Mutex
	at     int // counted from 1; 0 never
	after  bool
	effect int
	fell   bool
}

var errCrash = errors.New("the process died")

func (c *crash) around(effect func() error) error {
	c.mu.Lock()
	c.effect++
	now := c.effect == c.at
	c.fell = c.fell || now
	c.mu.Unlock()
	if now && !c.after {
		panic(errCrash)
	}
	err := effect()
	if now {
		panic(errCrash)
	}
	return err
}

type crashingBus struct {
	worker.Bus
	crash *crash
}

func (b crashingBus) Publish(ctx context.Context, e event.Event) error {
	if e.Type == event.Asked { // from a goroutine of its own: what dies there is caught by nobody, and changes nothing
		return b.Bus.Publish(ctx, e)
	}
	return b.crash.around(func() error { return b.Bus.Publish(ctx, e) })
}

func (b crashingBus) Enqueue(ctx context.Context, m message.Outgoing) error {
	return b.crash.around(func() error { return b.Bus.Enqueue(ctx, m) })
}

type crashingVMs struct {
	worker.VMs
	crash *crash
}

func (v crashingVMs) VM(ctx context.Context, id vmevent.ID) (got vmevent.VM, err error) {
	err = v.crash.around(func() (err error) { got, err = v.VMs.VM(ctx, id); return err })
	return got, err
}

func (v crashingVMs) Generalize(ctx context.Context, id vmevent.ID) error {
	return v.crash.around(func() error { return v.VMs.Generalize(ctx, id) })
}

// answer is a handler with one fixed answer, in ARM's form.
func answer(status int, code string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = bytes.NewBufferString(`{"error":{"code":"` + code + `","message":"The answer is ` + code + `."}}`).WriteTo(w)
	})
}
