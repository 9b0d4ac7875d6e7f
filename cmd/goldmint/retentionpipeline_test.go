package main

import (
	"context"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"goldmint/cmd/goldmint/internal/namespace"
	"goldmint/cmd/goldmint/internal/retention"
	"goldmint/emulator/arm"
	"goldmint/internal/localazure"
)

// workflow is what GitHub reads of a workflow with one job.
type workflow struct {
	Jobs map[string]struct {
		Env   map[string]string `yaml:"env"`
		Steps []workflowStep    `yaml:"steps"`
	} `yaml:"jobs"`
}

type workflowStep struct {
	ID   string            `yaml:"id"`
	Name string            `yaml:"name"`
	Uses string            `yaml:"uses"`
	Run  string            `yaml:"run"`
	Env  map[string]string `yaml:"env"`
}

// runner runs the scripts of a job as GitHub does: with its environment, what earlier steps left in
// GITHUB_ENV, and their outputs. What is `uses:` GitHub's own does, and the local Azure does not
// need.
type runner struct {
	dir     string
	vars    map[string]string
	env     map[string]string
	outputs map[string]map[string]string // by step
}

var expression = regexp.MustCompile(`\$\{\{ *([\w.-]+) *\}\}`)

// expand puts in what expressions in an environment stand for.
func (r *runner) expand(t *testing.T, value string) string {
	t.Helper()
	return expression.ReplaceAllStringFunc(value, func(found string) string {
		path := strings.Split(expression.FindStringSubmatch(found)[1], ".")
		switch {
		case path[0] == "vars" && len(path) == 2:
			return r.vars[path[1]]
		case path[0] == "steps" && len(path) == 4 && path[2] == "outputs":
			return r.outputs[path[1]][path[3]]
		}
		t.Fatalf("%s: the test does not know it", found)
		return ""
	})
}

// run runs one step and returns its exit status and its output.
func (r *runner) run(ctx context.Context, t *testing.T, s workflowStep) (status int, printed string) {
	t.Helper()
	if strings.Contains(s.Run, "${{") {
		t.Errorf("an expression in a script is an injection waiting to happen: %s", s.Run)
	}
	c := exec.CommandContext(ctx, "bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", s.Run)
	c.Dir = r.dir
	env := maps.Clone(r.env)
	for name, value := range s.Env {
		env[name] = r.expand(t, value)
	}
	for _, file := range []string{"GITHUB_ENV", "GITHUB_OUTPUT"} {
		env[file] = filepath.Join(t.TempDir(), file)
		if err := os.WriteFile(env[file], nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c.Env = os.Environ()
	for name, value := range env {
		c.Env = append(c.Env, name+"="+value)
	}
	out, err := c.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	maps.Copy(r.env, settings(text(t, env["GITHUB_ENV"])))
	r.outputs[s.ID] = settings(text(t, env["GITHUB_OUTPUT"]))
	t.Logf("%s\n%s%s", s.Name, s.Run, out)
	return c.ProcessState.ExitCode(), string(out)
}

// settings reads NAME=VALUE, a line each.
func settings(lines string) map[string]string {
	all := map[string]string{}
	for line := range strings.Lines(lines) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			all[name] = value
		}
	}
	return all
}

const (
	golden        = exampleGroup + "galleries/corp/images/web"
	goldenVersion = golden + "/versions/"
)

// retaining is a local Azure with the gallery of the example, whose versions go back forty days,
// and the runner's folder.
func retaining(t *testing.T) (*localazure.Azure, *runner) {
	t.Helper()
	o := quick()
	o.ARM = arm.Options{Speed: 2000}
	o.Settings = map[string]string{"VERSION_LOOK_AT": "PT0.1S", "VERSION_LOOK_TICK": "PT0.1S"}
	azure, err := startAzure(t.Context(), o, t.Cleanup)
	if err != nil {
		t.Fatal(err)
	}
	request := text(t, pipelines+"web-version.yaml")
	if err := makeSources(azure, "web-version.yaml", []byte(request)); err != nil {
		t.Fatal(err)
	}
	azure.ARM.FastForward(-40 * day)
	for _, name := range []string{"1.0.1", "1.0.2", "1.0.3", "1.0.4", "1.0.5", "1.0.6", "1.0.7", "1.0.8"} {
		azure.ARM.AddVersion(goldenVersion+name, "westeurope", func(v *arm.Version) {
			switch v.Tags = map[string]string{retention.TagBuildID: "web-" + name}; name {
			case "1.0.1":
				v.Tags = nil
			case "1.0.2":
				v.Tags[retention.TagKeep] = ""
			}
		})
		azure.ARM.FastForward(5 * day)
	}
	azure.ARM.AddVM(exampleGroup+"virtualMachines/web-1", "westeurope", func(vm *arm.VM) { vm.ImageID = goldenVersion + "1.0.3" })
	dir := t.TempDir()
	write(t, filepath.Join(dir, "web-version.yaml"), request)
	goldmint := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-o", filepath.Join(dir, "bin", "goldmint"), "goldmint/cmd/goldmint")
	if out, err := goldmint.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return azure, &runner{
		dir: dir, outputs: map[string]map[string]string{},
		vars: map[string]string{"AZURE_SUBSCRIPTION_ID": "6b3f8f1e-52d4-4c6c-9d55-0e1f8f6f2a41"},
		env: map[string]string{
			"PATH": filepath.Join(dir, "bin") + ":" + os.Getenv("PATH"), "GITHUB_ACTIONS": "true", "GITHUB_RUN_ID": "4711", "GITHUB_RUN_ATTEMPT": "1",
			"ARM_ENDPOINT": azure.ARM.PlainEndpoint(), namespace.EnvConnectionString: azure.ServiceBus.ConnectionString(),
			"IDENTITY_ENDPOINT": azure.Identity.Endpoint(), "IDENTITY_HEADER": azure.Identity.Secret(), "AZURE_CLIENT_ID": localazure.ClientID,
			"AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential",
		},
	}
}

// job runs all of the job's own scripts until one fails, and returns the names of those that
// passed.
func (r *runner) job(t *testing.T, w workflow) (passed []string, printed string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	job := w.Jobs["version"]
	for name, value := range job.Env {
		if name != namespace.EnvNamespace { // the local Service Bus has a connection string in its place
			r.env[name] = r.expand(t, value)
		}
	}
	for _, s := range job.Steps {
		if s.Uses != "" || s.Name == "Make goldmint" {
			continue
		}
		status, out := r.run(ctx, t, s)
		if printed = out; status != 0 {
			return passed, printed
		}
		passed = append(passed, s.Name)
	}
	return passed, printed
}

// TestRetentionWorkflow runs the workflow: build, test, promote, prune, with the real handler and
// the real command. The second run meets a pipeline that promotes another version while it tests
// its own.
func TestRetentionWorkflow(t *testing.T) {
	var w workflow
	parseYAML(t, "github-retention.yml", &w)
	azure, r := retaining(t)
	state := func(name string) string {
		body, ok := azure.ARM.Version(goldenVersion + name)
		if !ok {
			return "gone"
		}
		_, after, _ := strings.Cut(string(body), `"provisioningState":"`)
		after, _, _ = strings.Cut(after, `"`)
		return after
	}

	const test = `#!/bin/sh
[ "$(goldmint versions -g golden-images --gallery corp --image web --latest westeurope)" = "$WANT" ] && echo "$1" > tested
`
	write(t, filepath.Join(r.dir, "test-image.sh"), test)
	if err := os.Chmod(filepath.Join(r.dir, "test-image.sh"), 0o700); err != nil {
		t.Fatal(err)
	}
	r.env["GITHUB_RUN_NUMBER"], r.env["WANT"] = "9", goldenVersion+"1.0.8"
	passed, printed := r.job(t, w)
	want := []string{"Check the request", "Remember what is the latest now", "Build the candidate", "Test it", "Promote it", "Prune the old ones"}
	if !slices.Equal(passed, want) {
		t.Fatalf("passed %q, then:\n%s", passed, printed)
	}
	if got := text(t, filepath.Join(r.dir, "tested")); got != goldenVersion+"1.0.9\n" {
		t.Errorf("tested %q", got)
	}
	for name, want := range map[string]string{
		"1.0.1": "Succeeded", "1.0.2": "Succeeded", "1.0.3": "Succeeded", "1.0.4": "gone", "1.0.5": "Succeeded", "1.0.9": "Succeeded",
	} {
		if got := state(name); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	for _, want := range []string{
		`1\.0\.9  \d+[sm] +it is the latest in westeurope\n`, `1\.0\.3  30d  it is in use by VM web-1\n`, `\ndeleted  1\.0\.4\n1 deleted, 0 left after all, 0 not deleted, 8 stay\n`,
	} {
		if !regexp.MustCompile(want).MatchString(printed) {
			t.Errorf("%s is not said:\n%s", want, printed)
		}
	}

	azure.ARM.AddVersion(goldenVersion+"1.0.100", "westeurope", func(v *arm.Version) { v.ExcludeFromLatest = true })
	write(t, filepath.Join(r.dir, "test-image.sh"), "#!/bin/sh\ngoldmint promote "+goldenVersion+"1.0.100\n")
	r.env["GITHUB_RUN_NUMBER"], r.env["GITHUB_RUN_ID"] = "10", "4712"
	passed, printed = r.job(t, w)
	if !slices.Equal(passed, want[:4]) || !strings.Contains(printed, "the latest in westeurope is "+goldenVersion+"1.0.100, not "+goldenVersion+"1.0.9\n") {
		t.Errorf("passed %q, then:\n%s", passed, printed)
	}
	if got := state("1.0.10"); got != "Succeeded" {
		t.Errorf("the candidate is %s", got)
	}
}
