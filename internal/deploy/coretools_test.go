package deploy_test

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"

	"goldmint/emulator/functions"
	"goldmint/internal/event"
	"goldmint/internal/history"
)

// TestCoreTools follows "With Core Tools" of docs/local.md: the package,
// local.settings.example.json and the three emulators as processes of their own. The Functions host
// is Goldmint's own here; `func start` takes its place.
func TestCoreTools(t *testing.T) {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		t.Skipf("the package's handler runs on linux/amd64, this is %s/%s", runtime.GOOS, runtime.GOARCH)
	}
	dist, goldmint := filepath.Join(t.TempDir(), "dist"), filepath.Join(t.TempDir(), "goldmint")
	build := goCommand("run", "-trimpath", "./internal/deploy/package", "-out", dist)
	build.Dir = ".."
	run(t, build)
	run(t, goCommand("build", "-trimpath", "-o", goldmint, "goldmint/cmd/goldmint"))

	bus := startEmulator(t, goldmint, "servicebus")
	resourceManager := startEmulator(t, goldmint, "arm", "--image-duration", "1s")
	identity := startEmulator(t, goldmint, "identity")
	settings := localSettings(t)
	for name, value := range map[string]any{
		"ServiceBusConnection": bus["connectionString"],
		"ARM_ENDPOINT":         resourceManager["endpoint"],
		"IDENTITY_ENDPOINT":    identity["endpoint"],
		"IDENTITY_HEADER":      identity["secret"],
	} {
		text, ok := value.(string)
		if !ok || settings[name] == "" {
			t.Fatalf("no emulator printed %s, or the example lacks it", name)
		}
		settings[name] = text
	}
	askTheDoctor(t, goldmint, settings)
	host, err := functions.Start(t.Context(), functions.Options{AppRoot: dist, Settings: settings, Output: func(line string, _ bool) { t.Log(line) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = host.Stop(context.Background()) })
	if got := buildFromBlob(t, settings); got.Type != event.Succeeded {
		t.Errorf("the build ended %s: %+v", got.Type, got.Data.Error)
	}
}

// askTheDoctor lets `goldmint doctor` look at the settings and what they lead to.
func askTheDoctor(t *testing.T, goldmint string, settings map[string]string) {
	t.Helper()
	text, err := json.Marshal(map[string]any{"Values": settings})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "local.settings.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	group := "/subscriptions/" + settings["AZURE_SUBSCRIPTION_ID"] + "/resourceGroups/golden-images"
	run(t, exec.Command(goldmint, "doctor", "--settings", file, "--resource-group", group))
}

// buildFromBlob submits an example and returns the event that ends it.
func buildFromBlob(t *testing.T, settings map[string]string) event.Event {
	t.Helper()
	client, err := azservicebus.NewClientFromConnectionString(settings["ServiceBusConnection"], nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close(context.Background()) }()
	sender, err := client.NewSender(settings["REQUEST_QUEUE"], nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := os.ReadFile("../examples/requests/from-blob.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := sender.SendMessage(t.Context(), &azservicebus.Message{Body: body}, nil); err != nil {
		t.Fatal(err)
	}
	reader, err := history.Open(client, settings["EVENT_TOPIC"], history.Subscription)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var last event.Event
	err = reader.Follow(ctx, history.Following{Interval: 50 * time.Millisecond, Each: func(entries []history.Entry, _ bool) bool {
		for _, e := range entries {
			last = e.Event
		}
		return last.Answers()
	}})
	if err != nil {
		t.Fatal(err)
	}
	return last
}

// startEmulator runs one emulator and returns its ready line.
func startEmulator(t *testing.T, goldmint, name string, arguments ...string) map[string]any {
	t.Helper()
	command := exec.Command(goldmint, append([]string{"emulator", name}, arguments...)...)
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var problems strings.Builder
	command.Stderr = &problems
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Signal(syscall.SIGTERM)
		if err := command.Wait(); err != nil {
			t.Errorf("emulator %s: %v\n%s", name, err, problems.String())
		}
	})
	var ready map[string]any
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil || json.Unmarshal(line, &ready) != nil || ready["ready"] != true {
		t.Fatalf("emulator %s says %q, %v", name, line, err)
	}
	return ready
}

func run(tb testing.TB, command *exec.Cmd) {
	tb.Helper()
	if out, err := command.CombinedOutput(); err != nil {
		tb.Fatalf("%s: %v\n%s", command, err, out)
	}
}
