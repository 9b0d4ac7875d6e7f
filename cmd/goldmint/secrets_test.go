package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"goldmint/cmd/goldmint/internal/namespace"
	"goldmint/emulator/servicebus"
	"goldmint/internal/localazure"
)

// What opens a door, in the forms in which people paste it into the wrong place.
const hunter2 = "hunter2hunter2"

var doorOpeners = []string{
	"Endpoint=sb://sb.example.net/;SharedAccessKeyName=Root;SharedAccessKey=" + hunter2 + "=",
	"DefaultEndpointsProtocol=https;AccountName=a;AccountKey=" + hunter2 + ";EndpointSuffix=core.windows.net",
	"https://user:" + hunter2 + "@sb.example.net/x",
	"https://a.blob.core.windows.net/c/x.vhd?sv=2025-01-05&sig=" + hunter2,
	"SharedAccessSignature sr=x&sig=" + hunter2 + "&se=1&skn=k",
}

// examples are arguments with which a command gets as far as to look at its flags.
var examples = map[string][]string{
	"wait": {"web-1"}, "status": {"web-1"}, "show": {"1"}, "resubmit": {"1"}, "discard": {"1"}, "promote": {"1.0.0"},
	"submit": {"testdata/web.yaml"}, "validate": {"testdata/web.yaml"}, "new": {"vm"}, "schema": {"event"},
}

// No flag, argument, variable or setting is repeated when it holds a key, a signature or a
// password.
func TestSecretsAreNotRepeated(t *testing.T) {
	bus := servicebus.Start(t, servicebus.Options{Config: localazure.Entities()})
	t.Setenv(namespace.EnvConnectionString, bus.ConnectionString())
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	tried := 0
	try := func(where, secret string, args ...string) {
		tried++
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		var out, errOut strings.Builder
		execute(ctx, args, strings.NewReader(""), &out, &errOut)
		if text := out.String() + errOut.String(); strings.Contains(text, hunter2) {
			t.Errorf("%s %s of %q is repeated:\n%s", strings.Join(args[:1], " "), where, secret[:20], text)
		}
	}
	for _, c := range leaves(newRoot()) {
		path := slices.Concat(strings.Fields(c.CommandPath())[1:], examples[c.Name()])
		for _, secret := range doorOpeners {
			c.InheritedFlags() // merges them
			c.Flags().VisitAll(func(f *pflag.Flag) {
				if f.Value.Type() != "bool" {
					try("--"+f.Name, secret, append(path, "--"+f.Name, secret)...)
				}
			})
			try("argument", secret, append(path, secret)...)
		}
	}
	for _, name := range []string{
		namespace.EnvConnectionString, namespace.EnvNamespace, namespace.AppConnectionString, namespace.AppNamespace,
		"REQUEST_QUEUE", "BUILD_QUEUE", "EVENT_TOPIC", "ARM_ENDPOINT", "ARM_AUDIENCE", "AZURE_SUBSCRIPTION_ID", "RATE_LIMIT_STORE",
	} {
		for _, secret := range doorOpeners {
			t.Run(name, func(t *testing.T) {
				t.Setenv(namespace.EnvConnectionString, "")
				t.Setenv(name, secret)
				for _, command := range []string{"submit testdata/web.yaml", "dead-letters list", "list", "doctor", "images -g golden"} {
					try("with "+name, secret, strings.Fields(command)...)
				}
				settings, err := json.Marshal(map[string]any{"Values": map[string]string{name: secret, "BUILD_QUEUE": "b", "REQUEST_QUEUE": "a"}})
				if err != nil {
					t.Fatal(err)
				}
				file := filepath.Join(t.TempDir(), "settings.json")
				if err := os.WriteFile(file, settings, 0o600); err != nil {
					t.Fatal(err)
				}
				try("with setting "+name, secret, "doctor", "--settings", file)
			})
		}
	}
	t.Logf("%d calls", tried)
}

// leaves are the commands that have no others below them, but for those of cobra's own and those
// that serve.
func leaves(c *cobra.Command) (all []*cobra.Command) {
	if !c.HasSubCommands() {
		return []*cobra.Command{c}
	}
	for _, sub := range c.Commands() {
		if sub.Name() != "help" && sub.Name() != "completion" {
			all = append(all, leaves(sub)...)
		}
	}
	return all
}
