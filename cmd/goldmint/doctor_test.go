package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"goldmint/cmd/goldmint/internal/doctor"
	"goldmint/emulator/arm"
	"goldmint/emulator/identity"
	"goldmint/emulator/servicebus"
	"goldmint/internal/localazure"
)

// patients are a healthy deployment and broken ones. What the doctor says of each is in docs/doctor.md, word for word.
var patients = []struct {
	name   string // the paragraph that leads to the text
	status int
	ail    func(settings map[string]string, bus *servicebus.Server, manager *arm.Options)
}{
	{"healthy", exitOK, func(map[string]string, *servicebus.Server, *arm.Options) {}},
	{"a setting that cannot be used", exitUsage, func(s map[string]string, _ *servicebus.Server, _ *arm.Options) {
		s["MAX_WAIT"] = "24h"
		s["VM_EVENTS"] = "some"
	}},
	{"a key that is not current", exitFailed, func(s map[string]string, bus *servicebus.Server, _ *arm.Options) {
		s["ServiceBusConnection"] = strings.Replace(bus.ConnectionString(), "SharedAccessKey=", "SharedAccessKey=OLD", 1)
	}},
	{"a queue of another name", exitFailed, func(s map[string]string, _ *servicebus.Server, _ *arm.Options) { s["BUILD_QUEUE"] = "builds" }},
	{"no Service Bus", exitUnreachable, func(_ map[string]string, bus *servicebus.Server, _ *arm.Options) { _ = bus.Close() }},
	{"a role with too little in it", exitFailed, func(_ map[string]string, _ *servicebus.Server, o *arm.Options) {
		o.Role = []string{"*/read", "Microsoft.Compute/images/write"}
	}},
	{"an identity that is not assigned", exitFailed, func(s map[string]string, _ *servicebus.Server, _ *arm.Options) {
		s["AZURE_CLIENT_ID"] = "00000000-0000-0000-0000-00000000dead"
	}},
}

func TestDoctor(t *testing.T) {
	docs, err := os.ReadFile("../../docs/doctor.md")
	if err != nil {
		t.Fatal(err)
	}
	// One for all: the SDK keeps a process's tokens for an identity, whoever gave them.
	msi := identity.Start(t, identity.Options{ClientIDs: []string{localazure.ClientID}})
	for _, p := range patients {
		t.Run(p.name, func(t *testing.T) {
			got, status := visit(t, msi, "text", p.ail)
			if status != p.status {
				t.Errorf("exit status %d, want %d", status, p.status)
			}
			compareWithDocs(t, docs, p.name, got)
		})
		t.Run(p.name+" in JSON", func(t *testing.T) {
			text, status := visit(t, msi, "json", p.ail)
			var got struct {
				Healthy bool
				Checks  []doctor.Finding
			}
			if err := json.Unmarshal([]byte(text), &got); err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
			if got.Healthy != (status == exitOK) || status != p.status || len(got.Checks) == 0 || got.Checks[0].Check != "settings" {
				t.Errorf("exit status %d, %+v", status, got)
			}
		})
	}
}

// compareWithDocs holds a text against the block below the paragraph that begins with its name.
func compareWithDocs(t *testing.T, docs []byte, name, got string) {
	t.Helper()
	want := regexp.MustCompile("(?s)\n\\*\\*" + name + "\\*\\*[^`]*\n```text\n(.*?)```\n").FindSubmatch(docs)
	if want == nil {
		t.Fatalf("docs/doctor.md has no text for %s; it is\n%s", name, got)
	}
	if diff := cmp.Diff(string(want[1]), got); diff != "" {
		t.Errorf("docs/doctor.md says otherwise (-docs +got):\n%s\n%s", diff, got)
	}
}

// visit runs the doctor on a local deployment with an ailment, and makes its addresses those of a real one.
func visit(t *testing.T, msi *identity.Server, output string, ail func(map[string]string, *servicebus.Server, *arm.Options)) (text string, status int) {
	t.Helper()
	bus := servicebus.Start(t, servicebus.Options{Config: localazure.Entities()})
	settings := map[string]string{
		"ServiceBusConnection": bus.ConnectionString(), "AZURE_CLIENT_ID": localazure.ClientID,
		"AZURE_SUBSCRIPTION_ID": localazure.SubscriptionID, "ALLOWED_RESOURCE_GROUPS": "rg-images",
		"IDENTITY_ENDPOINT": msi.Endpoint(), "IDENTITY_HEADER": msi.Secret(),
	}
	options := arm.Options{Authorize: func(token string) bool { return msi.Valid(token, "https://management.azure.com") }}
	ail(settings, bus, &options)
	settings["ARM_ENDPOINT"] = arm.Start(t, options).Endpoint()
	t.Setenv("IDENTITY_ENDPOINT", "")
	t.Setenv("IDENTITY_HEADER", "")
	file := filepath.Join(t.TempDir(), "local.settings.json")
	content, err := json.Marshal(map[string]any{"Values": settings})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	root := newRoot()
	root.SetOut(&out)
	root.SetArgs([]string{"doctor", "--settings", file, "--output", output})
	status = exitOK
	if err := root.ExecuteContext(t.Context()); err != nil {
		var e *exitError
		if !errors.As(err, &e) {
			t.Fatal(err)
		}
		status = e.status
	}
	return strings.NewReplacer(bus.Addr(), "sb-goldmint-dev-1a2b3c.servicebus.windows.net", msi.Endpoint(), "http://127.0.0.1:8081/msi/token").Replace(out.String()), status
}
