package pipeline_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"goldmint/cmd/goldmint/internal/pipeline"
	"goldmint/internal/event"

	"github.com/google/go-cmp/cmp"
)

const image = "/subscriptions/5f2b/resourceGroups/golden/providers/Microsoft.Compute/images/web"

func succeeded() event.Event {
	return event.Event{Type: event.Succeeded, Data: event.Data{
		BuildID: "web-1", ImageID: image, Name: "web", ResourceGroup: "golden", Location: "westeurope", HyperVGeneration: "V2",
		Source: event.Source{Type: "virtualMachine", ID: "/subscriptions/5f2b/vm"}, WaitSeconds: 1.25, DurationSeconds: 11.27,
	}}
}

// hostile is a failure whose words try to be commands.
func hostile() event.Event {
	return event.Event{Type: event.Failed, Data: event.Data{
		BuildID: "web-1", ImageID: image, Name: "web",
		Error: &event.Error{Code: "Bad", Message: "a | <b>\n::set-env name=X::y\n##vso[task.setvariable variable=imageId]evil 100%"},
	}}
}

func TestGitHub(t *testing.T) {
	dir := t.TempDir()
	env := map[string]string{"GITHUB_ACTIONS": "true", "GITHUB_OUTPUT": filepath.Join(dir, "output"), "GITHUB_STEP_SUMMARY": filepath.Join(dir, "summary")}
	var log strings.Builder
	r := pipeline.Detect(func(k string) string { return env[k] }, &log)
	if err := r.Ended(succeeded()); err != nil {
		t.Fatal(err)
	}
	if err := r.Ended(hostile()); err != nil {
		t.Fatal(err)
	}
	r.Problem("images/web,1.yaml", 3, 7, "name: is missing")
	equal(t, "output", file(t, env["GITHUB_OUTPUT"]), `build-id=web-1
outcome=succeeded
image-id=`+image+`
build-id=web-1
outcome=failed
image-id=
`)
	equal(t, "log", log.String(), `::error::build web-1: Bad: a | <b>%0A::set-env name=X::y%0A# #vso[task.setvariable variable=imageId]evil 100%25
::error file=images/web%2C1.yaml,line=3,col=7::name: is missing
`)
	equal(t, "summary", file(t, env["GITHUB_STEP_SUMMARY"]), `### Image build <code>web-1</code>: succeeded

| | |
| --- | --- |
| image | <code>`+image+`</code> |
| name | <code>web</code> |
| resource group | <code>golden</code> |
| region | <code>westeurope</code> |
| generation | <code>V2</code> |
| source | <code>virtualMachine /subscriptions/5f2b/vm</code> |
| waited | <code>1.3s</code> |
| took | <code>11.3s</code> |

### Image build <code>web-1</code>: failed

| | |
| --- | --- |
| name | <code>web</code> |
| error | <code>Bad</code> |
| message | <code>a &#124; &lt;b&gt; ::set-env name=X::y ##vso&#91;task.setvariable variable=imageId]evil 100%</code> |

`)
}

func TestGitHubFileIsNotThere(t *testing.T) {
	env := map[string]string{"GITHUB_ACTIONS": "true", "GITHUB_OUTPUT": filepath.Join(t.TempDir(), "no", "output")}
	r := pipeline.Detect(func(k string) string { return env[k] }, &strings.Builder{})
	if err := r.Submitted("web-1"); err == nil || !strings.Contains(err.Error(), "GITHUB_OUTPUT") {
		t.Errorf("got %v", err)
	}
}

func TestAzureDevOps(t *testing.T) {
	var log strings.Builder
	r := pipeline.Detect(func(k string) string { return map[string]string{"TF_BUILD": "True"}[k] }, &log)
	if err := r.Ended(succeeded()); err != nil {
		t.Fatal(err)
	}
	equal(t, "log", log.String(), `##vso[task.setvariable variable=buildId]web-1
##vso[task.setvariable variable=buildId;isOutput=true]web-1
##vso[task.setvariable variable=outcome]succeeded
##vso[task.setvariable variable=outcome;isOutput=true]succeeded
##vso[task.setvariable variable=imageId]`+image+`
##vso[task.setvariable variable=imageId;isOutput=true]`+image+`
`)
	log.Reset()
	r.Problem("web.yaml", 0, 0, "x]y")
	if err := r.Ended(hostile()); err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(log.String(), "\n") {
		if strings.Contains(line, "evil") && strings.Count(line, "##vso[") != 1 {
			t.Errorf("a message became a command: %s", line)
		}
	}
	if want := "##vso[task.logissue type=error;sourcepath=web.yaml;linenumber=1;columnnumber=1]x]y\n"; !strings.HasPrefix(log.String(), want) {
		t.Errorf("got %s", log.String())
	}
}

// What is printed for people is no command, in a pipeline; elsewhere it is left as it is.
func TestPlain(t *testing.T) {
	const text = "a ##vso[task.complete]\n  ::warning::x\nb :: c\n"
	for name, test := range map[string]struct{ variable, want string }{
		"GITHUB_ACTIONS": {"true", "a # #vso[task.complete]\n  : :warning::x\nb :: c\n"},
		"TF_BUILD":       {"True", "a # #vso[task.complete]\n  : :warning::x\nb :: c\n"},
		"HOME":           {"/root", text},
	} {
		var got strings.Builder
		r := pipeline.Detect(func(k string) string { return map[string]string{name: test.variable}[k] }, nil)
		if n, err := r.Plain(&got).Write([]byte(text)); n != len(text) || err != nil {
			t.Errorf("wrote %d, %v", n, err)
		}
		equal(t, name, got.String(), test.want)
	}
}

// Outside a pipeline nothing happens.
func TestNone(t *testing.T) {
	var log strings.Builder
	r := pipeline.Detect(func(string) string { return "" }, &log)
	if err := r.Ended(hostile()); err != nil {
		t.Fatal(err)
	}
	r.Problem("web.yaml", 1, 1, "x")
	equal(t, "log", log.String(), "")
}

func equal(t *testing.T, what, got, want string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s: -want +got:\n%s", what, diff)
	}
}

func file(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A version that failed in a region says so, and what to do.
func TestVersionThatFailedInARegion(t *testing.T) {
	env := map[string]string{"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": filepath.Join(t.TempDir(), "summary")}
	var log strings.Builder
	r := pipeline.Detect(func(k string) string { return env[k] }, &log)
	if err := r.Ended(event.Event{Type: event.Failed, Data: event.Data{
		BuildID: "web-1", Name: "1.0.0", Error: &event.Error{Code: "InternalOperationError", Message: "no", Hint: "leave the region out"},
		ReplicationStatus: &event.Replication{AggregatedState: "Failed", Summary: []event.Region{
			{Region: "westeurope", State: "Completed"}, {Region: "eastus", State: "Failed", Details: "internal error"},
		}},
	}}); err != nil {
		t.Fatal(err)
	}
	equal(t, "log", log.String(), "::error::build web-1: InternalOperationError: no (hint: leave the region out)\n")
	equal(t, "summary", file(t, env["GITHUB_STEP_SUMMARY"]), `### Image build <code>web-1</code>: failed

| | |
| --- | --- |
| name | <code>1.0.0</code> |
| in westeurope | <code>Completed</code> |
| in eastus | <code>Failed internal error</code> |
| error | <code>InternalOperationError</code> |
| message | <code>no</code> |
| hint | <code>leave the region out</code> |

`)
}
