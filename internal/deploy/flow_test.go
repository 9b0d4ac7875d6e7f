package deploy_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"

	"goldmint"
	"goldmint/emulator/arm"
	"goldmint/internal/build"
	"goldmint/internal/localazure"
	"goldmint/internal/message"
	"goldmint/internal/request"
	"goldmint/internal/worker"

	// What the handler binary is made of: go test must not take a result from its cache when that
	// has changed.
	_ "goldmint/internal/azure"
	_ "goldmint/internal/config"
)

// TestFlow runs builds from end to end with no more rights than the custom roles grant, through
// everything that is logged and everything that is asked of Resource Manager, and compares both
// with what the deployment says about them.
func TestFlow(t *testing.T) {
	handler := buildHandler(t)
	flows := []func(*testing.T, string) []arm.Call{flowOfEveryEvent, flowOfFailures, flowOfGalleryVersions}
	calls := make([][]arm.Call, len(flows))
	t.Run("flows", func(t *testing.T) {
		for i, flow := range flows {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				calls[i] = flow(t, handler)
			})
		}
	})
	t.Run("role", func(t *testing.T) {
		roleFits(t, slices.Concat(calls...))
		printCalls(t, slices.Concat(calls...))
	})
}

// flowOfEveryEvent provokes every log event: a success, a throttled one, a replacement, a VM's
// image, a VM that is ignored, one that is looked at again, a rejection, a message that the builds
// queue should not hold, and a poisoned one, whose build is tried once more.
func flowOfEveryEvent(t *testing.T, handler string) []arm.Call {
	t.Helper()
	var intercept once
	f := startFlow(t, localazure.Options{
		Handler:  handler,
		Settings: map[string]string{"POISON_DELIVERY": "2", "INVOCATION_TIMEOUT": "PT10S"},
		ARM:      arm.Options{Intercept: intercept.request},
	})
	f.sendAbandoned("poison")

	f.submit("first", func(*request.Request) {})
	intercept.answer(http.MethodPut, "/images/throttled", http.StatusTooManyRequests)
	f.submit("throttled", func(r *request.Request) { r.Name = "throttled" })
	f.send("rejected", []byte(`{"name": "x"}`))
	f.sendTo(localazure.Builds, "unknown", []byte(`{"name": "x"}`))

	capture := map[string]string{"goldmint": "capture", "goldmint-generalize": "true"}
	f.deallocated("captured", capture)
	f.deallocated("untagged", nil)
	intercept.answer(http.MethodGet, "/virtualMachines/slow", http.StatusServiceUnavailable)
	f.deallocated("slow", capture)

	// The host reports enqueued times in whole seconds, so a replaced image must be a second older.
	// Being throttled takes more.
	f.until("the throttled image", func() bool { return f.ended("first") && f.ended("throttled") })
	f.submit("second", func(r *request.Request) { r.IfExists = request.Replace })

	// The poisoned one gets another attempt later, for which this test does not wait.
	unpoisoned := func() map[string]string {
		ends := f.outcomes()
		delete(ends, "poison")
		return ends
	}
	f.until("every log event and five ends", func() bool { return len(f.unseen()) == 0 && len(unpoisoned()) == 5 })
	for id, outcome := range unpoisoned() {
		if outcome != "succeeded" {
			t.Errorf("%s %s", id, outcome)
		}
	}
	f.checkLines()
	return f.azure.ARM.Calls()
}

// flowOfFailures lets ARM fail: the builds' own failed image and failed version are deleted.
func flowOfFailures(t *testing.T, handler string) []arm.Call {
	t.Helper()
	f := startFlow(t, localazure.Options{
		Handler:  handler,
		Settings: map[string]string{"BUILD_ATTEMPTS": "1"},
		Faults:   localazure.Faults{ARM: arm.Faults{FailOperation: 1}},
		ARM:      arm.Options{Speed: fastVersions},
	})
	f.submit("failing", func(*request.Request) {})
	f.submitExample("../examples/requests-gallery/from-vm.json", "failing-version")
	f.until("both failures", func() bool { return f.ended("failing") && f.ended("failing-version") })
	for id, outcome := range f.outcomes() {
		if outcome != "failed" {
			t.Errorf("%s %s, want failed", id, outcome)
		}
	}
	calls := f.azure.ARM.Calls()
	for _, action := range []string{"images/delete", "galleries/images/versions/delete"} {
		if !slices.ContainsFunc(calls, func(c arm.Call) bool {
			return c.Action == "Microsoft.Compute/"+action && c.Status == http.StatusAccepted
		}) {
			t.Errorf("nothing was deleted by %s; logged:\n%s", action, f.text())
		}
	}
	f.checkLines()
	return calls
}

// fastVersions shortens a version's minutes to parts of a second.
const fastVersions = 1000

// flowOfGalleryVersions publishes every example of a gallery image version that the deployment's
// roles allow: no role grants a storage account's keys, so none is from a VHD.
func flowOfGalleryVersions(t *testing.T, handler string) []arm.Call {
	t.Helper()
	f := startFlow(t, localazure.Options{Handler: handler, Settings: map[string]string{}, ARM: arm.Options{Speed: fastVersions}})
	examples, err := filepath.Glob("../examples/requests-gallery/*.json")
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, path := range examples {
		if text, err := os.ReadFile(path); err != nil || strings.Contains(string(text), "storageAccountId") {
			continue
		}
		id := strings.TrimSuffix(filepath.Base(path), ".json")
		f.submitExample(path, id)
		ids = append(ids, id)
	}
	f.azure.ARM.AddDefinition(arm.Definition{
		ID:       "/subscriptions/" + localazure.SubscriptionID + "/resourceGroups/golden-images/providers/Microsoft.Compute/galleries/corp/images/web",
		Location: "westeurope", HyperVGeneration: "V1",
	})
	f.deallocated("captured", map[string]string{"goldmint": "capture", "goldmint-generalize": "true", "goldmint-gallery-image": "corp/web"})
	ids = append(ids, "of the VM")
	f.until("every version", func() bool { return len(f.outcomes()) == len(ids) })
	for id, outcome := range f.outcomes() {
		if outcome != "succeeded" {
			t.Errorf("%s %s; logged:\n%s", id, outcome, f.text())
		}
	}
	if len(ids) < 8 {
		t.Errorf("only %d examples of versions were published: %v", len(ids), ids)
	}
	f.checkLines()
	return f.azure.ARM.Calls()
}

// flow is a local Azure whose handler has the custom role, and the lines that the handler logs.
type flow struct {
	t      testing.TB
	azure  *localazure.Azure
	client *azservicebus.Client
	queue  *azservicebus.Sender

	mu      sync.Mutex
	lines   []map[string]any
	changed chan struct{}
	limit   time.Duration // of waiting
}

// startFlow starts one whose images and looks take parts of a second.
func startFlow(t *testing.T, o localazure.Options) *flow {
	t.Helper()
	for name, value := range map[string]string{
		"LOOK_AT": "PT0.3S", "VERSION_LOOK_AT": "PT0.3S", "VERSION_LOOK_TICK": "PT0.1S", "LOOK_MIN": "PT0.1S", "LOOK_MAX": "PT1S", "LOG_LEVEL": "info",
	} {
		o.Settings[name] = value
	}
	o.ARM.Role = slices.Collect(maps.Keys(deployedActions(t, everyRole()...)))
	o.ARM.ImageDuration = 200 * time.Millisecond
	return openFlow(t, o)
}

func openFlow(tb testing.TB, o localazure.Options) *flow {
	tb.Helper()
	f := &flow{t: tb, changed: make(chan struct{}, 1), limit: 5 * time.Minute}
	o.HostJSON, o.FunctionJSON = goldmint.HostJSON, goldmint.FunctionJSON
	o.Console = func(line string, _ bool) { f.log(line) }
	var err error
	if f.azure, err = localazure.Start(tb.Context(), o); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := f.azure.Close(); err != nil {
			tb.Errorf("close: %v", err)
		}
	})
	if f.client, err = azservicebus.NewClientFromConnectionString(f.azure.ServiceBus.ConnectionString(), nil); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = f.client.Close(context.Background()) })
	if f.queue, err = f.client.NewSender(localazure.Requests, nil); err != nil {
		tb.Fatal(err)
	}
	return f
}

func (f *flow) log(line string) {
	var fields map[string]any
	if json.Unmarshal([]byte(line), &fields) != nil {
		return
	}
	f.mu.Lock()
	f.lines = append(f.lines, fields)
	f.mu.Unlock()
	select {
	case f.changed <- struct{}{}:
	default:
	}
}

// until waits for a condition, and checks it after each line of the log.
func (f *flow) until(what string, so func() bool) {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), f.limit)
	defer cancel()
	for !so() {
		select {
		case <-f.changed:
		case <-ctx.Done():
			f.t.Fatalf("waiting for %s; not logged: %v; logged:\n%s", what, f.unseen(), f.text())
		}
	}
}

func (f *flow) text() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all strings.Builder
	for _, line := range f.lines {
		text, _ := json.Marshal(line)
		fmt.Fprintf(&all, "%s\n", text)
	}
	return all.String()
}

// outcomes are those of the ended builds, by id.
func (f *flow) outcomes() map[string]string {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := map[string]string{}
	for _, line := range f.lines {
		if line["msg"] == "build_ended" {
			all[fmt.Sprint(line["buildId"])] = fmt.Sprint(line["outcome"])
		}
	}
	return all
}

func (f *flow) ended(buildID string) bool { return f.outcomes()[buildID] != "" }

// unseen are the declared events that have not been logged yet.
func (f *flow) unseen() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var names []string
	for _, e := range worker.LogEvents() {
		if !slices.ContainsFunc(f.lines, func(line map[string]any) bool { return line["msg"] == e.Name }) {
			names = append(names, e.Name)
		}
	}
	return names
}

// checkLines fails where a line lacks a field that its event promises, or has an event that is not
// declared.
func (f *flow) checkLines() {
	f.t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	logged := loggedEvents()
	undeclared := []any{"ready", "draining", "step", "step failed", "invocation_failed"} // for people: no query may count on them
	for _, line := range f.lines {
		name, _ := line["msg"].(string)
		fields, declared := logged[name]
		if !declared && !slices.Contains(undeclared, line["msg"]) {
			f.t.Errorf("%q is logged and not declared in worker.LogEvents", name)
		}
		for _, field := range fields {
			if _, has := line[field]; !has {
				f.t.Errorf("%s was logged without %q: %v", name, field, line)
			}
		}
	}
}

func (f *flow) send(messageID string, body []byte) {
	f.t.Helper()
	if err := f.queue.SendMessage(f.t.Context(), &azservicebus.Message{Body: body, MessageID: &messageID}, nil); err != nil {
		f.t.Fatal(err)
	}
}

// submit sends the example of a VM's image under an id, changed.
func (f *flow) submit(id string, change func(*request.Request)) {
	f.t.Helper()
	f.send(id, f.request(id, change))
}

// submitExample sends an example's request under an id.
func (f *flow) submitExample(path, id string) {
	f.t.Helper()
	f.send(id, f.example(path, id, func(*request.Request) {}))
}

func (f *flow) request(id string, change func(*request.Request)) []byte {
	f.t.Helper()
	return f.example("../examples/requests/from-vm.json", id, change)
}

func (f *flow) example(path, id string, change func(*request.Request)) []byte {
	f.t.Helper()
	body, err := os.ReadFile(path)
	if err != nil {
		f.t.Fatal(err)
	}
	r, err := request.Decode(body)
	if err != nil {
		f.t.Fatal(err)
	}
	change(&r)
	r.ID = id
	f.azure.MakeSources(r)
	text, err := json.Marshal(r)
	if err != nil {
		f.t.Fatal(err)
	}
	return text
}

// sendAbandoned sends a build whose first delivery is abandoned before the host gets it.
func (f *flow) sendAbandoned(id string) {
	f.t.Helper()
	if err := f.azure.Host.Stop(f.t.Context()); err != nil {
		f.t.Fatal(err)
	}
	r, err := request.Decode(f.request(id, func(r *request.Request) { r.Name = id }))
	if err != nil {
		f.t.Fatal(err)
	}
	b := build.New(r, localazure.SubscriptionID, time.Now())
	envelope := message.Envelope[build.Build]{Source: "/goldmint", Type: message.BuildType, Subject: b.ImageID(), Time: time.Now().UTC(), Data: b}
	out, err := envelope.Outgoing(message.FirstID(id), id)
	if err != nil {
		f.t.Fatal(err)
	}
	f.sendTo(localazure.Builds, out.ID, out.Body)
	receiver, err := f.client.NewReceiverForQueue(localazure.Builds, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	messages, err := receiver.ReceiveMessages(f.t.Context(), 1, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	if err := receiver.AbandonMessage(f.t.Context(), messages[0], nil); err != nil {
		f.t.Fatal(err)
	}
	if err := receiver.Close(f.t.Context()); err != nil {
		f.t.Fatal(err)
	}
	if err := f.azure.StartHost(f.t.Context()); err != nil {
		f.t.Fatal(err)
	}
}

// sendTo sends to a queue that f.queue is not of.
func (f *flow) sendTo(queue, messageID string, body []byte) {
	f.t.Helper()
	sender, err := f.client.NewSender(queue, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	defer func() { _ = sender.Close(context.Background()) }()
	if err := sender.SendMessage(f.t.Context(), &azservicebus.Message{Body: body, MessageID: &messageID}, nil); err != nil {
		f.t.Fatal(err)
	}
}

// deallocated makes a deallocated VM and sends what Event Grid would say of it.
func (f *flow) deallocated(name string, tags map[string]string) {
	f.t.Helper()
	id := "/subscriptions/" + localazure.SubscriptionID + "/resourceGroups/golden-images/providers/Microsoft.Compute/virtualMachines/" + name
	f.azure.ARM.PutVM(arm.VM{ID: id, Location: "westeurope", Power: arm.Deallocated, Tags: tags})
	f.send("event-of-"+name, arm.Action{
		ID: "event-of-" + name, Operation: "Microsoft.Compute/virtualMachines/deallocate/action", ResourceID: id, SubscriptionID: localazure.SubscriptionID,
		Method: http.MethodPost, Status: "Succeeded", Started: time.Now(), Ended: time.Now(),
	}.CloudEvent())
}

// once answers chosen requests in ARM's place, each a single time.
type once struct {
	mu      sync.Mutex
	answers map[string]int // status by method and end of the path
}

func (o *once) answer(method, pathEnd string, status int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.answers == nil {
		o.answers = map[string]int{}
	}
	o.answers[method+" "+pathEnd] = status
}

func (o *once) request(r *http.Request) http.Handler {
	o.mu.Lock()
	defer o.mu.Unlock()
	for key, status := range o.answers {
		method, end, _ := strings.Cut(key, " ")
		if r.Method == method && strings.HasSuffix(strings.ToLower(r.URL.Path), strings.ToLower(end)) {
			delete(o.answers, key)
			return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", "1")
				w.WriteHeader(status)
			})
		}
	}
	return nil
}

func buildHandler(tb testing.TB) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "handler")
	run(tb, goCommand("build", "-trimpath", "-o", path, "goldmint/handler"))
	return path
}

// goCommand compiles as the Makefile does, so that most is in Go's cache.
func goCommand(args ...string) *exec.Cmd {
	c := exec.Command("go", args...)
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	return c
}
