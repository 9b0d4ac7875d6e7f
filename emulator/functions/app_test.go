package functions

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
)

// TestTheRepositorysFilesAreWhatProductionWants reads the very files that are
// deployed.
func TestTheRepositorysFilesAreWhatProductionWants(t *testing.T) {
	a, err := readApp(appRoot(t), testSettings(nil))
	if err != nil {
		t.Fatal(err)
	}
	if a.timeout != 5*time.Minute || a.renewal != 5*time.Minute || a.calls != 16 {
		t.Errorf("timeout %v, renewal %v, %d calls", a.timeout, a.renewal, a.calls)
	}
	if want := filepath.Join(a.root, "handler"); a.command.path != want || a.command.dir != a.root || len(a.command.arguments) != 0 {
		t.Errorf("the command is %+v", a.command)
	}
	fn := a.functions[0] // its queue is the bench's choice
	if fn.function != "build-image" || fn.queue != "image-builds" || fn.name != "message" || !fn.binary || fn.namespace != "127.0.0.1" {
		t.Errorf("the function is %+v", fn)
	}
	host, function := readMap(t, "../../host.json"), readMap(t, "../../function.json")
	for _, unwanted := range []string{"retry", "concurrency"} {
		if host[unwanted] != nil || function[unwanted] != nil {
			t.Errorf("%s is set, which does not go with this trigger", unwanted)
		}
	}
}

func TestErrorsNameTheFileAndTheMember(t *testing.T) {
	const function = `{"bindings":[{"name":"m","type":"serviceBusTrigger","direction":"in","queueName":"q","connection":"ServiceBusConnection"}]}`
	const host = `{"version":"2.0","extensionBundle":{"id":"b"},"customHandler":{"description":{"defaultExecutablePath":"handler"}}}`
	withHost := func(members string) string { return strings.TrimSuffix(host, "}") + "," + members + "}" }
	withBinding := func(old, new string) string { return strings.Replace(function, old, new, 1) }
	for _, c := range []struct{ host, function, want string }{
		{"", function, "host.json: not found"},
		{"{\n  \"version\": ,\n}", function, "host.json: line 2: "},
		{`{"version":2}`, function, "host.json: Version: a number where a string belongs"},
		{`{"version":"1.0"}`, function, `host.json: version: "1.0", must be "2.0"`},
		{`{"version":"2.0"}`, function, "host.json: extensionBundle: missing"},
		{`{"version":"2.0","extensionBundle":{"id":"b"}}`, function, "host.json: customHandler.description.defaultExecutablePath: missing"},
		{withHost(`"functionTimeout":"5m"`), function, `host.json: functionTimeout: "5m" is not a time span`},
		{withHost(`"functionTimeout":"00:00:00"`), function, "host.json: functionTimeout: must be longer than zero"},
		{withHost(`"concurrency":{"dynamicConcurrencyEnabled":true}`), function, "host.json: concurrency.dynamicConcurrencyEnabled: must be off"},
		{withHost(`"extensions":{"serviceBus":{"autoCompleteMessages":false}}`), function, "host.json: extensions.serviceBus.autoCompleteMessages: "},
		{withHost(`"extensions":{"serviceBus":{"maxConcurrentCalls":0}}`), function, "host.json: extensions.serviceBus.maxConcurrentCalls: 0"},
		{withHost(`"extensions":{"serviceBus":{"maxConcurrentCalls":"9"}}`), function, "a string where a int belongs"},
		{withHost(`"extensions":{"serviceBus":{"maxAutoLockRenewalDuration":"25:00:00"}}`), function, "maxAutoLockRenewalDuration: \"25:00:00\" is not a time span"},
		{host, "", "no functions: "},
		{host, "at the root: " + function, "no functions: "},
		{host, "{]", "build-image/function.json: line 1: "},
		{host, `{}`, "build-image/function.json: bindings: 0 of them"},
		{host, withBinding("serviceBusTrigger", "timerTrigger"), `bindings[0].type: "timerTrigger"`},
		{host, withBinding(`"m"`, `""`), "bindings[0].name: missing"},
		{host, withBinding(`"in"`, `"out"`), `bindings[0].direction: "out"`},
		{host, withBinding(`"q"`, `"q","cardinality":"many"`), `bindings[0].cardinality: "many"`},
		{host, withBinding(`"q"`, `"q","isSessionsEnabled":true`), "bindings[0].isSessionsEnabled: "},
		{host, withBinding(`"q"`, `"%NO_QUEUE%"`), "bindings[0].queueName: %NO_QUEUE% names no app setting"},
		{host, withBinding(`"q"`, `""`), "bindings[0].queueName: empty"},
		{host, withBinding(`"ServiceBusConnection"`, `"Other"`), `bindings[0].connection: app setting "Other": holds no connection string`},
	} {
		_, err := readApp(appOf(t, c.host, c.function), testSettings(nil))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("host.json %s and function.json %s give the error\n%v, want\n%s", c.host, c.function, err, c.want)
		}
	}
}

func appOf(t *testing.T, host, function string) string {
	t.Helper()
	root := t.TempDir()
	file := "build-image/function.json"
	if root, ok := strings.CutPrefix(function, "at the root: "); ok {
		file, function = "function.json", root
	}
	for path, content := range map[string]string{"host.json": host, file: function} {
		if content == "" {
			continue
		}
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestCommentsAreNoPartOfTheFiles(t *testing.T) {
	text := "\xef\xbb\xbf{ // the host's\n \"version\": \"2.0\", /* two\n lines */ \"extensionBundle\": {\"id\": \"http://x/*y*/ \\\"//\"}\n}"
	var file hostFile
	if err := parseJSON([]byte(text), "host.json", &file); err != nil {
		t.Fatal(err)
	}
	if file.Version != "2.0" || file.ExtensionBundle.ID != `http://x/*y*/ "//` {
		t.Errorf("read %+v", file)
	}
}

func TestDefaultsAreTheHosts(t *testing.T) {
	host := `{"version":"2.0","extensionBundle":{"id":"b"},"functionTimeout":"-1","customHandler":{"description":{"defaultExecutablePath":"sh","arguments":["-c"]}}}`
	function := `{"bindings":[{"name":"m","type":"serviceBusTrigger","queueName":"%A%-%B%","connection":"C"}]}`
	a, err := readApp(appOf(t, host, function), map[string]string{"A": "a", "B": "b", "C": "Endpoint=sb://ns.servicebus.windows.net/;SharedAccessKeyName=k;SharedAccessKey=s"})
	if err != nil {
		t.Fatal(err)
	}
	if a.timeout != 0 || a.renewal != 5*time.Minute || a.calls%16 != 0 {
		t.Errorf("timeout %v, renewal %v, %d calls", a.timeout, a.renewal, a.calls)
	}
	if fn := a.functions[0]; fn.queue != "a-b" || fn.binary || fn.namespace != "ns.servicebus.windows.net" {
		t.Errorf("the function is %+v", fn)
	}
	if a.command.path != "sh" {
		t.Errorf("a command that is not in the app root is %q, want it left to PATH", a.command.path)
	}
	var file hostFile
	if err := parseJSON([]byte(strings.Replace(host, `"functionTimeout":"-1",`, "", 1)), "host.json", &file); err != nil {
		t.Fatal(err)
	}
	if bounded, err := file.app("/app"); err != nil || bounded.timeout != 30*time.Minute {
		t.Errorf("without functionTimeout a function has %v (%v), want 30 minutes", bounded.timeout, err)
	}
}

// TestRetryOptionsAreTheClients: those of host.json, and the extension's where it says nothing.
func TestRetryOptionsAreTheClients(t *testing.T) {
	for file, want := range map[string]azservicebus.RetryOptions{
		`{}`: {MaxRetries: 3, RetryDelay: 800 * time.Millisecond, MaxRetryDelay: time.Minute},
		`{"delay":"00:00:02","maxDelay":"00:00:30","maxRetries":0}`: {MaxRetries: -1, RetryDelay: 2 * time.Second, MaxRetryDelay: 30 * time.Second},
	} {
		var o retryOptions
		if err := parseJSON([]byte(file), "host.json", &o); err != nil {
			t.Fatal(err)
		}
		if got, err := o.clientOptions(); err != nil || got.RetryOptions != want {
			t.Errorf("%s: %+v (%v), want %+v", file, got, err, want)
		}
	}
	wrong := "soon"
	if _, err := (retryOptions{MaxDelay: &wrong}).clientOptions(); err == nil || !strings.Contains(err.Error(), "maxDelay: ") {
		t.Errorf("a delay of %q: %v", wrong, err)
	}
}

func TestTimeSpans(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"00:05:00":         5 * time.Minute,
		"1.02:03:04.5":     26*time.Hour + 3*time.Minute + 4*time.Second + 500*time.Millisecond,
		"00:00:00.0000001": 100 * time.Nanosecond,
		"10:30":            10*time.Hour + 30*time.Minute,
	} {
		var got timeSpan
		if err := got.UnmarshalText([]byte(text)); err != nil || time.Duration(got) != want {
			t.Errorf("%s is %v (%v), want %v", text, time.Duration(got), err, want)
		}
	}
	for _, text := range []string{"", "5", "00:60:00", "24:00:00", "-00:01:00", "00:00:00.12345678", "a:b:c"} {
		var got timeSpan
		if err := got.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is %v", text, time.Duration(got))
		}
	}
}

// FuzzFiles holds that no file makes the reader panic, and that a file without
// comments is read as it stands.
func FuzzFiles(f *testing.F) {
	for _, seed := range []string{`{"version":"2.0"}`, `{"a":"//"} // b`, `/* "`, `"\`, "{\"customHandler\":{\"description\":{}}}"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var host hostFile
		if parseJSON(data, "host.json", &host) == nil {
			_, _ = host.app("/app")
		}
		var function functionFile
		if parseJSON(data, "function.json", &function) == nil {
			_, _ = function.function("build-image", map[string]string{"A": "b"})
		}
		if got := blankComments(data); len(got) != len(data) {
			t.Errorf("%d bytes became %d", len(data), len(got))
		}
	})
}
