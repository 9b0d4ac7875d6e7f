package localazure_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"

	"goldmint/emulator/arm"
	"goldmint/internal/build"
	"goldmint/internal/event"
	"goldmint/internal/localazure"
	"goldmint/internal/request"
)

// faultyBuilds is the number of builds.
const faultyBuilds = 200

// seed is GOLDMINT_SEED, else 4: one whose unluckiest build is soon done. A seed decides which
// requests Resource Manager refuses, waits double with each refusal in a row, and where five meet,
// as in 1, one build takes minutes.
func seed(t *testing.T) uint64 {
	t.Helper()
	text := os.Getenv("GOLDMINT_SEED")
	if text == "" {
		return 4
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("GOLDMINT_SEED: %v", err)
	}
	return n
}

// TestEverythingFails: two hundred builds while the handler is killed, the host restarted, Service
// Bus cut and Resource Manager throttles, fails, forgets and loses its answers. Each build ends
// once, and what was published about it is true.
func TestEverythingFails(t *testing.T) {
	t.Parallel()
	seed := seed(t)
	t.Cleanup(func() { // runs after start's, which prints the handler's log
		if t.Failed() {
			t.Logf("replay with GOLDMINT_SEED=%d go test ./internal/localazure -run TestEverythingFails; the handler's log is above", seed)
		}
	})
	f, err := localazure.ParseFaults("throttle=0.03,error=0.02,conflict=0.02,reset=0.02,lost-reply=0.03,fail=0.1,slow=0.03,vanish=0.03,"+
		"drop=0.002,duplicate=0.02,busy=0.01,kill=3s,restart=8s,cut=7s", seed)
	if err != nil {
		t.Fatal(err)
	}
	f.ARM.RetryAfter = time.Second
	settings := killable()
	settings["BUILD_ATTEMPTS"] = "2" // so that some builds fail for good
	a := start(t, localazure.Options{Faults: f, Settings: settings, ARM: arm.Options{PutLatency: 50 * time.Millisecond}})
	behave := a.misbehave()
	builds := a.submitMany(faultyBuilds)
	history := &peeking{}
	a.collect(history, faultyBuilds)
	a.drained()
	behave()
	history.read(a)
	check(t, a, builds, history.all)
	t.Logf("seed %d: %d builds, %v, %d requests to Resource Manager, the handler was started %d times",
		seed, len(builds), outcomes(history.all), len(a.ARM.Calls()), a.Starts())
}

// misbehave runs the faults of processes and connections until the function that it returns is
// called, or the test ends.
func (a *azure) misbehave() (behave func()) {
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := a.Misbehave(ctx); err != nil {
			a.t.Error(err)
		}
	})
	behave = func() { stop(); running.Wait() }
	a.t.Cleanup(behave)
	return behave
}

// submitMany sends n builds, each of an image and a VM of its own, and gives their tags by build
// id.
func (a *azure) submitMany(n int) map[string]build.Build {
	a.t.Helper()
	builds := map[string]build.Build{}
	template, err := os.ReadFile("../../examples/requests/from-vm.json")
	if err != nil {
		a.t.Fatal(err)
	}
	for i := range n {
		id := fmt.Sprintf("b%03d", i)
		body := strings.NewReplacer("image-from-vm", "image-"+id, "myVM", "vm-"+id).Replace(string(template))
		r, err := request.Decode([]byte(body))
		if err != nil {
			a.t.Fatal(err)
		}
		r = r.WithIdentity(id, 0)
		a.MakeSources(r)
		text, err := json.Marshal(r)
		if err != nil {
			a.t.Fatal(err)
		}
		a.surely("send", func(ctx context.Context) error {
			key := request.Key(r.ID, r.Digest())
			return a.sender.SendMessage(ctx, &azservicebus.Message{Body: text, MessageID: &key}, nil)
		})
		builds[id] = build.New(r, localazure.SubscriptionID, time.Time{})
	}
	return builds
}

// surely calls until it works: the tests' own client meets the same faults as everyone.
func (a *azure) surely(what string, call func(context.Context) error) {
	a.t.Helper()
	var err error
	for range 20 {
		ctx, cancel := context.WithTimeout(a.t.Context(), 5*time.Second)
		err = call(ctx)
		cancel()
		if err == nil {
			return
		}
	}
	a.t.Fatalf("%s: %v", what, err)
}

// collect reads the history until n builds have ended.
func (a *azure) collect(h *peeking, n int) {
	a.t.Helper()
	deadline := time.After(5 * time.Minute)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for enough := ended(n); !enough(h.all); {
		h.read(a)
		select {
		case <-tick.C:
		case <-deadline:
			active, scheduled, dead, _ := a.ServiceBus.Counts(localazure.Requests)
			a.t.Fatalf("after five minutes: %v; in the queue %d active, %d scheduled, %d dead", outcomes(h.all), active, scheduled, dead)
		}
	}
}

// peeking reads the history through connections that break.
type peeking struct {
	receiver *azservicebus.Receiver
	next     int64
	all      []event.Event
}

// read reads on to the end of what is there now.
func (h *peeking) read(a *azure) {
	a.t.Helper()
	a.surely("peek the history", func(ctx context.Context) (err error) {
		for {
			if h.receiver == nil {
				if h.receiver, err = a.client.NewReceiverForSubscription(localazure.Topic, localazure.History, nil); err != nil {
					return err
				}
			}
			messages, err := h.receiver.PeekMessages(ctx, 250, &azservicebus.PeekMessagesOptions{FromSequenceNumber: &h.next})
			if err != nil {
				h.receiver = nil // its link may be broken for good
			}
			if err != nil || len(messages) == 0 {
				return err
			}
			for _, m := range messages {
				e, err := event.Parse(m.Body)
				if err != nil {
					a.t.Fatal(err)
				}
				h.all, h.next = append(h.all, e), *m.SequenceNumber+1
			}
		}
	})
}

// drained waits until nothing is left in the queues: all continuations are handled too.
func (a *azure) drained() {
	a.t.Helper()
	deadline := time.After(5 * time.Minute)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		active, scheduled, _, _ := a.ServiceBus.Counts(localazure.Builds)
		requests, _, _, _ := a.ServiceBus.Counts(localazure.Requests)
		if active += requests; active+scheduled == 0 {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			a.t.Fatalf("five minutes after the last build has ended, %d messages are active and %d are scheduled", active, scheduled)
		}
	}
}

// check compares what was published with what exists.
func check(t *testing.T, a *azure, builds map[string]build.Build, all []event.Event) {
	t.Helper()
	ends := map[string][]event.Event{}
	for _, e := range all {
		if e.Answers() {
			ends[e.Data.BuildID] = append(ends[e.Data.BuildID], e)
		}
	}
	for id, b := range builds {
		if n := len(ends[id]); n != 1 {
			t.Errorf("%s ended %d times: %+v", id, n, ends[id])
			continue
		}
		e := ends[id][0]
		state, tag := a.image(b.ImageID())
		switch {
		case e.Type == event.Succeeded && (state != "Succeeded" || tag != b.Tag()):
			t.Errorf("%s succeeded, but its image is %q with the tag %q, want %q", id, state, tag, b.Tag())
		case e.Type == event.Failed && (e.Data.Error == nil || e.Data.Error.Code == "" || e.Data.Error.Message == ""):
			t.Errorf("%s failed without a reason: %+v", id, e.Data.Error)
		case e.Type == event.Failed && state == "Succeeded":
			t.Errorf("%s failed with %s, but its image is there", id, e.Data.Error.Code)
		case e.Type == event.Rejected:
			t.Errorf("%s was rejected: %+v", id, e.Data.Error)
		}
	}
}

// image is an image's state and the tag that says whose it is.
func (a *azure) image(id string) (state, tag string) {
	body, ok := a.ARM.Image(id)
	if !ok {
		return "", ""
	}
	var i struct {
		Tags       map[string]string
		Properties struct{ ProvisioningState string }
	}
	if err := json.Unmarshal(body, &i); err != nil {
		a.t.Fatal(err)
	}
	return i.Properties.ProvisioningState, i.Tags[build.TagBuildID]
}

// outcomes counts the events by type, and the failed ones by their code.
func outcomes(all []event.Event) map[string]int {
	n := map[string]int{}
	for _, e := range all {
		n[e.Type]++
		if e.Type == event.Failed && e.Data.Error != nil {
			n[e.Data.Error.Code]++
		}
	}
	return n
}
