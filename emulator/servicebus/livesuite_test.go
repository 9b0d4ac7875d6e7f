package servicebus_test

import (
	"bufio"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"goldmint/emulator/servicebus"
)

// timed passes on a machine that is slow enough.
const timed = "TestReceiveWithDifferentWaitTime"

// notPassing are the tests of Microsoft's suite that the emulator does not pass, and why.
var notPassing = map[string]string{
	"TestNewClientWithWebsockets": "the emulator has no AMQP over WebSockets",
	timed:                         "it wants a service that takes longer than 20 ms for 1,000 messages",
	"TestSessionReceiver_Detach":  "it wants links that end a while after the answer to the change that ends them, so that a message comes before",
}

// TestMicrosoftsLiveSuite runs the tests that azservicebus has for the real service, from the copy
// of its sources that interop/servicebus-live.sh makes. Those are the ones that the suite skips
// when it plays recordings.
func TestMicrosoftsLiveSuite(t *testing.T) {
	dir := os.Getenv("AZSERVICEBUS_SUITE")
	if dir == "" {
		t.Skip("interop/servicebus-live.sh runs it: it compiles another module")
	}
	live := suite{t, dir, []string{"AZURE_RECORD_MODE=playback"}}.run(".")["skip"]
	server := servicebus.Start(t, servicebus.Options{
		VerifyToken: func(string) error { return nil }, // the front's own
		Config: servicebus.Config{UserConfig: servicebus.UserConfig{Namespaces: []servicebus.Namespace{{Queues: []servicebus.Queue{
			{Name: "testQueue"}, {Name: "testQueueWithSessions", Properties: servicebus.QueueProperties{RequiresSession: true}},
		}}}}},
	})
	f := startFront(t, server)
	connection := func(rights servicebus.Rights) string {
		direct, _ := strings.CutSuffix(server.Authorize(map[string]servicebus.Rights{"": rights}), ";UseDevelopmentEmulator=true")
		return strings.Replace(direct, server.Addr(), f.address, 1)
	}
	all := connection(servicebus.RightAll)
	got := suite{t, dir, []string{
		"AZURE_RECORD_MODE=live", "SSL_CERT_FILE=" + f.rootFile,
		"AZURE_TOKEN_CREDENTIALS=ManagedIdentityCredential", "IDENTITY_ENDPOINT=https://" + f.address + "/msi/token", "IDENTITY_HEADER=x",
		"SERVICEBUS_ENDPOINT=" + f.address, "SERVICEBUS_ENDPOINT_PREMIUM=" + f.address,
		"SERVICEBUS_CONNECTION_STRING=" + all, "SERVICEBUS_CONNECTION_STRING_PREMIUM=" + all,
		"SERVICEBUS_CONNECTION_STRING_NO_MANAGE=" + connection(servicebus.RightSend|servicebus.RightListen),
		"SERVICEBUS_CONNECTION_STRING_SEND_ONLY=" + connection(servicebus.RightSend),
		"SERVICEBUS_CONNECTION_STRING_LISTEN_ONLY=" + connection(servicebus.RightListen),
	}}.run("^(" + strings.Join(live, "|") + ")$")
	t.Logf("of %d tests for the real service %d pass, %d fail, %d are skipped", len(live), len(got["pass"]), len(got["fail"]), len(got["skip"]))
	for _, name := range got["pass"] {
		t.Logf("passed: %s", name)
	}
	for _, name := range slices.Concat(got["fail"], got["skip"]) {
		if reason := notPassing[name]; reason != "" {
			t.Logf("not passed: %s: %s", name, reason)
		} else {
			t.Errorf("not passed: %s, without a reason", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(notPassing)) {
		if name != timed && slices.Contains(got["pass"], name) {
			t.Errorf("passed: %s, although it should not: %s", name, notPassing[name])
		}
	}
	if n := len(got["pass"]) + len(got["fail"]) + len(got["skip"]); n != len(live) {
		t.Errorf("%d of %d tests ended", n, len(live))
	}
}

// suite is the copy of a module's tests.
type suite struct {
	*testing.T
	dir string
	env []string
}

// run runs the tests that match and returns their names by how they ended. Their output goes into a
// file beside them.
func (s suite) run(pattern string) map[string][]string {
	s.Helper()
	cmd := exec.CommandContext(s.Context(), "go", "test", "-json", "-count", "1", "-timeout", "25m", "-run", pattern, ".")
	cmd.Dir, cmd.Env = s.dir, append(os.Environ(), s.env...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		s.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		s.Fatal(err)
	}
	log, err := os.Create(s.dir + "/output.txt")
	if err != nil {
		s.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	ends := map[string][]string{}
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 10<<20)
	for lines.Scan() {
		var event struct{ Action, Test, Output string }
		if err := json.Unmarshal(lines.Bytes(), &event); err != nil {
			continue // what the compiler says
		}
		_, _ = log.WriteString(event.Output)
		if event.Test != "" && !strings.Contains(event.Test, "/") && slices.Contains([]string{"pass", "fail", "skip"}, event.Action) {
			ends[event.Action] = append(ends[event.Action], event.Test)
		}
	}
	_ = cmd.Wait() // a test that fails is an end like any other
	return ends
}
