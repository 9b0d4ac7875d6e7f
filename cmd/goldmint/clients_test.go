package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"goldmint/cmd/goldmint/internal/namespace"
)

const clients = "../../examples/clients/"

// The JavaScript client, with Microsoft's own SDK from npm, builds an image on the local Azure, and
// reports a rejection.
func TestJavaScriptClient(t *testing.T) {
	if os.Getenv("GOLDMINT_INTEROP") == "" {
		t.Skip("GOLDMINT_INTEROP is not set: `make interop` runs this, because it installs packages from npm")
	}
	azure, err := startAzure(t.Context(), quick(), t.Cleanup)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(namespace.EnvConnectionString, azure.ServiceBus.ConnectionString())
	example := text(t, "../../examples/requests/from-vm.json")
	if err := makeSources(azure, "from-vm.json", []byte(example)); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, name := range []string{"package.json", "package-lock.json", "submit-and-wait.mjs"} {
		write(t, filepath.Join(dir, name), text(t, clients+name))
	}
	write(t, filepath.Join(dir, "good.json"), example)
	write(t, filepath.Join(dir, "bad.json"), strings.Replace(example, `"location"`, `"place"`, 1))
	_, _ = in(t, dir, "npm", "ci", "--prefer-offline", "--no-audit", "--no-fund", "--ignore-scripts")

	out, err := in(t, dir, "node", "submit-and-wait.mjs", "good.json")
	t.Logf("node submit-and-wait.mjs good.json\n%s", out)
	if err != nil || !strings.HasSuffix(out, "/images/image-from-vm\n") {
		t.Errorf("%v: %s", err, out)
	}
	out, err = in(t, dir, "node", "submit-and-wait.mjs", "bad.json")
	if err == nil || !strings.Contains(out, "goldmint.build.rejected: InvalidRequest") {
		t.Errorf("%v: %s", err, out)
	}
}

// in runs a command in a folder and returns all that it printed.
func in(t *testing.T, dir, name string, args ...string) (string, error) {
	t.Helper()
	c := exec.CommandContext(t.Context(), name, args...)
	c.Dir = dir
	out, err := c.CombinedOutput()
	if name == "npm" && err != nil {
		t.Fatalf("npm: %v\n%s", err, out)
	}
	return string(out), err
}

// The Python client is compiled only: its SDK is not at hand in CI.
func TestPythonClientCompiles(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is not installed: the Python client is not compiled")
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "client.py"), text(t, clients+"submit_and_wait.py"))
	if out, err := in(t, dir, python, "-m", "py_compile", "client.py"); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// The clients are short, name the entities as they are, and the lock names no registry: it works
// with any.
func TestClientsFiles(t *testing.T) {
	for _, name := range []string{"submit-and-wait.mjs", "submit_and_wait.py"} {
		content := text(t, clients+name)
		if n := strings.Count(content, "\n"); n > 40 {
			t.Errorf("%s has %d lines", name, n)
		}
		for _, want := range []string{"image-requests", "image-events", "history", "goldmint.build.succeeded"} {
			if !strings.Contains(content, want) {
				t.Errorf("%s does not name %s", name, want)
			}
		}
	}
	var lock struct {
		Packages map[string]struct{ Resolved, Integrity string }
	}
	if err := json.Unmarshal([]byte(text(t, clients+"package-lock.json")), &lock); err != nil {
		t.Fatal(err)
	}
	hash := regexp.MustCompile(`^sha512-`)
	for name, p := range lock.Packages {
		if p.Resolved != "" || name != "" && !hash.MatchString(p.Integrity) {
			t.Errorf("%s: resolved %q, integrity %q", name, p.Resolved, p.Integrity)
		}
	}
}

func write(t *testing.T, file, content string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
