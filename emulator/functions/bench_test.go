package functions

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// bench is a host with the test handler and a fake queue.
type bench struct {
	*Host
	t        *testing.T
	queue    *fakeQueue // image-builds
	requests *fakeQueue // image-requests, of a second function
	*lines
}

// lines are what the handler and the host print.
type lines struct {
	mu   sync.Mutex
	list []string
	more chan struct{}
}

func newLines() *lines { return &lines{more: make(chan struct{})} }

func (l *lines) add(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, line)
	close(l.more)
	l.more = make(chan struct{})
}

func (l *lines) count(part string) (int, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, line := range l.list {
		if strings.Contains(line, part) {
			n++
		}
	}
	return n, l.more
}

// await waits until n lines contain the part.
func (l *lines) await(t *testing.T, n int, part string) {
	t.Helper()
	for {
		got, more := l.count(part)
		if got >= n {
			return
		}
		select {
		case <-more:
		case <-t.Context().Done():
			t.Fatal("the test ended")
		case <-time.After(2 * time.Minute):
			t.Fatalf("only %d lines contain %q in\n%s", got, part, strings.Join(l.list, "\n"))
		}
	}
}

// quick are times for tests: nothing here waits for them to pass but where a
// test is about a limit.
var quick = Timing{ReadyInterval: 5 * time.Millisecond}

// edit changes the app's files before the host reads them.
type edit func(host, function map[string]any)

func functionTimeout(d string) edit {
	return func(host, _ map[string]any) { host["functionTimeout"] = d }
}

func startBench(t *testing.T, timing Timing, settings map[string]string, edits ...edit) *bench {
	t.Helper()
	b, err := tryBench(t, timing, settings, edits...)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func tryBench(t *testing.T, timing Timing, settings map[string]string, edits ...edit) (*bench, error) {
	t.Helper()
	b := &bench{t: t, queue: newFakeQueue(), requests: newFakeQueue(), lines: newLines()}
	return b, b.start(timing, settings, func(fn function, _ retryOptions) (queue, func(context.Context), error) {
		q := b.queue
		if fn.queue == "image-requests" {
			q = b.requests
		}
		return q, func(context.Context) { b.add("queue closed") }, nil
	}, edits...)
}

func (b *bench) start(timing Timing, settings map[string]string, open opener, edits ...edit) error {
	b.t.Helper()
	root := appRoot(b.t, edits...)
	if settings[twoFunctions] != "" {
		function := readMap(b.t, filepath.Join(root, "build-image", "function.json"))
		trigger(function)["queueName"] = "%REQUEST_QUEUE%"
		addFunction(b.t, root, "take-request", function)
	}
	h, err := start(b.t.Context(), Options{
		AppRoot:  root,
		Settings: testSettings(settings),
		Timing:   timing,
		Output:   func(line string, stderr bool) { b.add(fmt.Sprintf("out(%t) %s", stderr, line)) },
		Log:      func(line string) { b.add("log " + line) },
	}, open)
	b.Host = h
	if err == nil {
		b.t.Cleanup(func() {
			ctx, cancel := context.WithCancel(context.Background())
			cancel() // no invocation that a test left behind matters
			_ = h.Stop(ctx)
		})
	}
	return err
}

// twoFunctions is the setting that adds the function take-request to the app:
// the same function.json but for its queue.
const twoFunctions = "TEST_TWO_FUNCTIONS"

func testSettings(more map[string]string) map[string]string {
	settings := map[string]string{
		"TEST_HANDLER":         "serve",
		"BUILD_QUEUE":          "image-builds",
		"REQUEST_QUEUE":        "image-requests",
		"ServiceBusConnection": "Endpoint=sb://127.0.0.1:5672;SharedAccessKeyName=k;SharedAccessKey=s;UseDevelopmentEmulator=true",
	}
	for name, value := range more {
		settings[name] = value
	}
	return settings
}

// appRoot lays out an app as `make package` does, with this repository's own
// files and the test binary as the handler.
func appRoot(t *testing.T, edits ...edit) string {
	t.Helper()
	root := t.TempDir()
	host, function := readMap(t, "../../host.json"), readMap(t, "../../function.json")
	trigger(function)["queueName"] = "%BUILD_QUEUE%"
	for _, e := range edits {
		e(host, function)
	}
	writeMap(t, filepath.Join(root, "host.json"), host)
	addFunction(t, root, "build-image", function)
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(binary, filepath.Join(root, "handler")); err != nil {
		t.Fatal(err)
	}
	return root
}

// trigger is the one binding of a function.json.
func trigger(function map[string]any) map[string]any {
	return function["bindings"].([]any)[0].(map[string]any)
}

func addFunction(t *testing.T, root, name string, function map[string]any) {
	t.Helper()
	if err := os.Mkdir(filepath.Join(root, name), 0o755); err != nil {
		t.Fatal(err)
	}
	writeMap(t, filepath.Join(root, name, "function.json"), function)
}

func readMap(t *testing.T, path string) map[string]any {
	t.Helper()
	var m map[string]any
	if err := readJSON(path, path, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func writeMap(t *testing.T, path string, m map[string]any) {
	t.Helper()
	data, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// settlements waits for the next n of image-builds.
func (b *bench) settlements(n int) []settlement {
	b.t.Helper()
	return b.settlementsOf(b.queue, n)
}

func (b *bench) settlementsOf(q *fakeQueue, n int) []settlement {
	b.t.Helper()
	var list []settlement
	for range n {
		select {
		case s := <-q.settled:
			list = append(list, s)
		case <-time.After(2 * time.Minute):
			b.t.Fatalf("got %d settlements, want %d: %v", len(list), n, list)
		}
	}
	return list
}

// awaitSettled waits for settlements among others.
func (b *bench) awaitSettled(wanted ...settlement) {
	b.t.Helper()
	for len(wanted) > 0 {
		got := b.settlements(1)[0]
		wanted = slices.DeleteFunc(wanted, func(s settlement) bool { return s == got })
	}
}

// ended waits for the host's end.
func (b *bench) ended() {
	b.t.Helper()
	select {
	case <-b.Done():
	case <-time.After(2 * time.Minute):
		b.t.Fatal("the host goes on")
	}
}

// release ends the slow invocations of the running handler.
func (b *bench) release() {
	b.t.Helper()
	p, err := b.workers.ready(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	response, err := http.Get(p.url("release"))
	if err != nil {
		b.t.Fatal(err)
	}
	_ = response.Body.Close()
}

func (b *bench) wantCounts(want Counts) {
	b.t.Helper()
	if got := b.Invocations(); got != want {
		b.t.Errorf("invocations are %+v, want %+v", got, want)
	}
}
