package localazure_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"

	"goldmint"
	"goldmint/emulator/arm"
	"goldmint/internal/event"
	"goldmint/internal/history"
	"goldmint/internal/localazure"
	"goldmint/internal/request"

	// What the handler binary is made of: go test must not take a result from its cache when that
	// has changed.
	_ "goldmint/internal/azure"
	_ "goldmint/internal/config"
	_ "goldmint/internal/worker"
)

// handlerBinary is the deployed handler, built once for all tests.
var handlerBinary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "goldmint-handler-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "handler")
	build := exec.Command("go", "build", "-trimpath", "-o", path, "goldmint/handler")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return path, nil
})

// quick are settings that fit a local Resource Manager with quick operations.
var quick = map[string]string{
	"LOOK_AT": "PT0.3S", "LOOK_MIN": "PT0.1S", "LOOK_MAX": "PT1S", "LOG_LEVEL": "debug",
}

// azure is a local Azure with what a test needs to talk to it.
type azure struct {
	*localazure.Azure
	t       *testing.T
	client  *azservicebus.Client
	sender  *azservicebus.Sender
	history *history.Reader

	mu      sync.Mutex
	logs    []string // of the host and the handler
	console []string // of the handler alone
}

func start(t *testing.T, o localazure.Options) *azure {
	t.Helper()
	handler, err := handlerBinary()
	if err != nil {
		t.Fatal(err)
	}
	a := &azure{t: t}
	if o.FunctionJSON = goldmint.FunctionJSON; o.Handler == "" {
		o.Handler, o.HostJSON = handler, goldmint.HostJSON
	}
	if o.Settings == nil {
		o.Settings = quick
	}
	if o.ARM.ImageDuration == 0 {
		o.ARM.ImageDuration = 200 * time.Millisecond
	}
	o.Console = func(line string, _ bool) {
		a.log(line)
		a.mu.Lock()
		defer a.mu.Unlock()
		a.console = append(a.console, line)
	}
	o.Log = a.log
	if a.Azure, err = localazure.Start(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		if t.Failed() {
			a.mu.Lock()
			defer a.mu.Unlock()
			t.Log(strings.Join(a.logs, "\n"))
		}
	})
	if a.client, err = azservicebus.NewClientFromConnectionString(a.ServiceBus.ConnectionString(), &azservicebus.ClientOptions{
		RetryOptions: azservicebus.RetryOptions{MaxRetries: 5, RetryDelay: 20 * time.Millisecond, MaxRetryDelay: 500 * time.Millisecond},
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.client.Close(context.Background()) })
	if a.sender, err = a.client.NewSender(localazure.Requests, nil); err != nil {
		t.Fatal(err)
	}
	if a.history, err = history.Open(a.client, localazure.Topic, history.Subscription); err != nil {
		t.Fatal(err)
	}
	return a
}

func (a *azure) log(line string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.logs = append(a.logs, line)
}

// send sends a message to the build queue.
func (a *azure) send(messageID string, body []byte) {
	a.t.Helper()
	if err := a.sender.SendMessage(a.t.Context(), &azservicebus.Message{Body: body, MessageID: &messageID}, nil); err != nil {
		a.t.Fatal(err)
	}
}

// events follows the history until enough says so, and returns all that was published.
func (a *azure) events(enough func([]event.Event) bool) []event.Event {
	a.t.Helper()
	ctx, cancel := context.WithTimeout(a.t.Context(), 5*time.Minute)
	defer cancel()
	var all []event.Event
	err := a.history.Follow(ctx, history.Following{
		Interval: 20 * time.Millisecond,
		OnError:  func(error, time.Duration) error { return nil }, // until the context ends
		Each: func(entries []history.Entry, _ bool) bool {
			for _, e := range entries {
				all = append(all, e.Event)
			}
			return len(entries) > 0 && enough(all)
		},
	})
	if err != nil {
		a.t.Fatalf("after %d events: %v", len(all), err)
	}
	return all
}

// ended says that n builds have ended or were rejected.
func ended(n int) func([]event.Event) bool {
	return func(all []event.Event) bool {
		ends := 0
		for _, e := range all {
			if e.Answers() {
				ends++
			}
		}
		return ends >= n
	}
}

// deadLetters reads the dead-letter queue without changing it.
func (a *azure) deadLetters(n int) []*azservicebus.ReceivedMessage {
	a.t.Helper()
	r, err := a.client.NewReceiverForQueue(localazure.Requests, &azservicebus.ReceiverOptions{SubQueue: azservicebus.SubQueueDeadLetter})
	if err != nil {
		a.t.Fatal(err)
	}
	defer func() { _ = r.Close(context.Background()) }()
	ctx, cancel := context.WithTimeout(a.t.Context(), 5*time.Minute)
	defer cancel()
	for {
		from := int64(0)
		messages, err := r.PeekMessages(ctx, 100, &azservicebus.PeekMessagesOptions{FromSequenceNumber: &from})
		if err != nil {
			a.t.Fatalf("waiting for %d dead letters: %v", n, err)
		}
		if len(messages) >= n {
			return messages
		}
	}
}

func example(t *testing.T, file string) request.Request {
	t.Helper()
	body, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	r, err := request.Decode(body)
	if err != nil {
		t.Fatal(err)
	}
	return r.WithIdentity(strings.TrimSuffix(filepath.Base(file), ".json"), 0)
}

func examples(t *testing.T) []request.Request {
	t.Helper()
	files, err := filepath.Glob("../../examples/requests/*.json")
	if err != nil || len(files) != 10 {
		t.Fatalf("%d examples, want 10 (%v)", len(files), err)
	}
	all := make([]request.Request, len(files))
	for i, f := range files {
		all[i] = example(t, f)
	}
	return all
}

func (a *azure) submit(r request.Request) {
	a.t.Helper()
	a.MakeSources(r)
	body, err := json.Marshal(r)
	if err != nil {
		a.t.Fatal(err)
	}
	a.send(request.Key(r.ID, r.Digest()), body)
}

// TestTenExamples: ten requests, ten images, ten succeeded events with their ids; nothing is left
// in the queue.
func TestTenExamples(t *testing.T) {
	t.Parallel()
	a := start(t, localazure.Options{})
	want := map[string]string{}
	for _, r := range examples(t) {
		want[r.ID] = r.ResourceID("")
		a.submit(r)
	}
	for _, e := range a.events(ended(10)) {
		if !e.Answers() {
			continue
		}
		if e.Type != event.Succeeded || !strings.EqualFold(e.Data.ImageID, want[e.Data.BuildID]) {
			t.Errorf("%s: %s %s %+v", e.Data.BuildID, e.Type, e.Data.ImageID, e.Data.Error)
		}
		if _, ok := a.ARM.Image(e.Data.ImageID); !ok {
			t.Errorf("%s: no image %s", e.Data.BuildID, e.Data.ImageID)
		}
		delete(want, e.Data.BuildID)
	}
	if len(want) > 0 || a.ARM.Images() != 10 {
		t.Errorf("%d images; no event for %v", a.ARM.Images(), want)
	}
}

// TestBadInput: each leads to one rejected event and one dead-lettered message that name the
// problem, and the queue continues.
func TestBadInput(t *testing.T) {
	t.Parallel()
	a := start(t, localazure.Options{})
	good := example(t, "../../examples/requests/from-vm.json")
	text, err := json.Marshal(good)
	if err != nil {
		t.Fatal(err)
	}
	with := func(old, replacement string) []byte {
		changed := strings.Replace(string(text), old, replacement, 1)
		if changed == string(text) {
			t.Fatalf("the example holds no %q", old)
		}
		return []byte(changed)
	}
	bad := map[string]struct {
		body []byte
		want string // of reason or description
	}{
		"not-json":      {[]byte("please build web"), "JSON"},
		"unknown-field": {with(`"name"`, `"colour":"x","name"`), "colour"},
		"two-sources":   {with(`"sourceVirtualMachine"`, `"storageProfile":{"osDisk":{"osType":"Linux","osState":"Generalized","blobUri":"https://a.blob.core.windows.net/c/b.vhd"}},"sourceVirtualMachine"`), "sourceVirtualMachine"},
		"path-in-name":  {with(`"name":"image-from-vm"`, `"name":"../../x"`), "name"},
		"200-kb":        {with(`"name"`, `"metadata":{"x":"`+strings.Repeat("y", 200_000)+`"},"name"`), "65536"},
		"placeholder":   {with(`6b3f8f1e-52d4-4c6c-9d55-0e1f8f6f2a41`, `{subscription-id}`), "{subscription-id}"},
		"empty":         {nil, "empty"},
		"latin-1":       {with(`"name"`, "\"metadata\":{\"city\":\"Z\xfcrich\"},\"name\""), "UTF-8"},
	}
	for id, b := range bad {
		a.send(id, b.body)
	}
	a.submit(good)
	outcomes := map[string]int{}
	for _, e := range a.events(ended(len(bad) + 1)) {
		outcomes[e.Type]++
		if e.Type == event.Rejected && (e.Data.Error == nil || e.Data.Error.Message == "") {
			t.Errorf("%s: a rejection without a reason", e.Data.BuildID)
		}
	}
	if outcomes[event.Rejected] != len(bad) || outcomes[event.Succeeded] != 1 {
		t.Errorf("events: %v", outcomes)
	}
	for _, m := range a.deadLetters(len(bad)) {
		said := *m.DeadLetterReason + ": " + *m.DeadLetterErrorDescription
		if want := bad[m.MessageID].want; want == "" || !strings.Contains(said, want) {
			t.Errorf("%s: %q does not name %q", m.MessageID, said, want)
		}
	}
}

// TestKilledHandlerLosesNothing: the handler dies in the midst of ten builds, and each still ends
// once.
func TestKilledHandlerLosesNothing(t *testing.T) {
	t.Parallel()
	a := start(t, localazure.Options{ARM: arm.Options{PutLatency: 300 * time.Millisecond, ImageDuration: 500 * time.Millisecond}, Settings: killable()})
	for _, r := range examples(t) {
		a.submit(r)
	}
	killed := false
	all := a.events(func(all []event.Event) bool {
		if !killed {
			killed = true
			if err := a.Host.KillHandler(); err != nil {
				t.Error(err)
			}
		}
		return ended(10)(all)
	})
	ends := map[string]int{}
	for _, e := range all {
		if e.Type == event.Succeeded {
			ends[e.Data.BuildID]++
		}
	}
	for id, n := range ends {
		if n != 1 {
			t.Errorf("%s ended %d times", id, n)
		}
	}
	if len(ends) != 10 || a.Host.Starts() < 2 {
		t.Errorf("%d builds succeeded, the handler was started %d times", len(ends), a.Host.Starts())
	}
}

// killable shortens the time that a redelivered message waits for its earlier delivery.
func killable() map[string]string {
	settings := map[string]string{"INVOCATION_TIMEOUT": "PT10S"}
	for k, v := range quick {
		settings[k] = v
	}
	return settings
}
