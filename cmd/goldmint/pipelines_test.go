package main

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"goldmint/cmd/goldmint/internal/namespace"
)

const pipelines = "../../examples/pipelines/"

const exampleGroup = "/subscriptions/6b3f8f1e-52d4-4c6c-9d55-0e1f8f6f2a41/resourceGroups/golden-images/providers/Microsoft.Compute/"

// step is a script of a pipeline, with the environment that the pipeline sets for it.
type step struct {
	script string
	env    map[string]string
}

// run runs those steps that call goldmint, in a folder that holds the request, and returns what
// they left there.
func (s step) run(t *testing.T, dir string, env map[string]string) (stdout, stderr string) {
	t.Helper()
	c := exec.Command("bash", "-e", "-c", s.script)
	c.Dir = dir
	c.Env = append(os.Environ(), "GITHUB_ACTIONS=", "TF_BUILD=")
	for _, set := range []map[string]string{env, s.env} {
		for k, v := range set {
			c.Env = append(c.Env, k+"="+v)
		}
	}
	var out, errOut strings.Builder
	c.Stdout, c.Stderr = &out, &errOut
	if err := c.Run(); err != nil {
		t.Fatalf("%v\n%s\n%s%s", err, s.script, out.String(), errOut.String())
	}
	return out.String(), errOut.String()
}

// folder holds the request of the examples, and a local Azure its sources.
func folder(t *testing.T) string {
	t.Helper()
	azure, err := startAzure(t.Context(), quick(), t.Cleanup)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(namespace.EnvConnectionString, azure.ServiceBus.ConnectionString())
	request := text(t, pipelines+"web.yaml")
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "web.yaml"), []byte(request), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := makeSources(azure, "web.yaml", []byte(request)); err != nil {
		t.Fatal(err)
	}
	disk := "image.properties={\"storageProfile\":{\"osDisk\":{\"osType\":\"Linux\",\"osState\":\"Generalized\",\"managedDisk\":{\"id\":\"" +
		exampleGroup + "disks/web-20261123-os\"}}}}"
	if err := makeSources(azure, "web.yaml", []byte(request), disk); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestGitHubWorkflow(t *testing.T) {
	var workflow struct {
		Permissions map[string]string `yaml:"permissions"`
		Jobs        map[string]struct {
			Outputs map[string]string `yaml:"outputs"`
			Steps   []struct {
				ID   string            `yaml:"id"`
				Uses string            `yaml:"uses"`
				Run  string            `yaml:"run"`
				Env  map[string]string `yaml:"env"`
			} `yaml:"steps"`
		} `yaml:"jobs"`
	}
	parseYAML(t, "github-actions.yml", &workflow)
	if workflow.Permissions["id-token"] != "write" {
		t.Error("the workflow may not log in with OIDC")
	}
	if got := workflow.Jobs["image"].Outputs["image-id"]; got != "${{ steps.build.outputs.image-id }}" {
		t.Errorf("the job's output is %q", got)
	}
	dir := folder(t)
	output, summary := filepath.Join(dir, "output"), filepath.Join(dir, "summary")
	ran := 0
	for _, s := range workflow.Jobs["image"].Steps {
		if strings.Contains(s.Run, "${{") {
			t.Errorf("an expression in a script is an injection waiting to happen: %s", s.Run)
		}
		if !strings.HasPrefix(strings.TrimSpace(s.Run), "goldmint") {
			continue
		}
		ran++
		step{s.Run, s.Env}.run(t, dir, map[string]string{
			"GITHUB_ACTIONS": "true", "GITHUB_OUTPUT": output, "GITHUB_STEP_SUMMARY": summary,
			"GITHUB_RUN_ID": "4711", "GITHUB_RUN_NUMBER": "12", "GITHUB_RUN_ATTEMPT": "1", "GITHUB_SHA": "1f6c0ad",
		})
	}
	if got := text(t, output); ran != 2 || !strings.Contains(got, "image-id="+exampleGroup+"images/web-12\n") {
		t.Errorf("%d steps, output:\n%s", ran, got)
	}
	if got := text(t, summary); !strings.Contains(got, "web-4711-1</code>: succeeded") {
		t.Errorf("summary:\n%s", got)
	}
}

func TestAzurePipeline(t *testing.T) {
	var pipeline struct {
		Stages []struct {
			Stage     string            `yaml:"stage"`
			Variables map[string]string `yaml:"variables"`
			Jobs      []struct {
				Steps []struct {
					Task   string            `yaml:"task"`
					Name   string            `yaml:"name"`
					Inputs map[string]string `yaml:"inputs"`
				} `yaml:"steps"`
			} `yaml:"jobs"`
		} `yaml:"stages"`
	}
	parseYAML(t, "azure-pipelines.yml", &pipeline)
	if got := pipeline.Stages[1].Variables["imageId"]; got != "$[ stageDependencies.image.image.outputs['build.imageId'] ]" {
		t.Errorf("the second stage reads %q", got)
	}
	dir := folder(t)
	ran := 0
	for _, s := range pipeline.Stages[0].Jobs[0].Steps {
		if s.Task != "AzureCLI@2" {
			continue
		}
		ran++
		_, log := step{script: s.Inputs["inlineScript"]}.run(t, dir, map[string]string{
			"TF_BUILD": "True", "BUILD_BUILDNUMBER": "20261123.1", "BUILD_BUILDID": "815", "SYSTEM_JOBATTEMPT": "1", "BUILD_SOURCEVERSION": "1f6c0ad",
		})
		if s.Name != "build" || !strings.Contains(log, "##vso[task.setvariable variable=imageId;isOutput=true]"+exampleGroup+"images/web-20261123.1\n") {
			t.Errorf("step %q printed:\n%s", s.Name, log)
		}
	}
	if ran != 1 {
		t.Errorf("%d steps were run", ran)
	}
}

func TestPackerTemplate(t *testing.T) {
	scope, body := parseHCL(t, "packer/web.pkr.hcl")
	post := block(t, block(t, body, "build").Body, "post-processor")
	s := step{env: map[string]string{}}
	var lines []string
	for _, v := range value(t, scope, post, "inline").AsValueSlice() {
		lines = append(lines, v.AsString())
	}
	s.script = strings.Join(lines, "\n")
	for _, v := range value(t, scope, post, "environment_vars").AsValueSlice() {
		k, v, _ := strings.Cut(v.AsString(), "=")
		s.env[k] = v
	}
	dir := folder(t)
	s.run(t, dir, nil)
	if got := text(t, filepath.Join(dir, "image-id.txt")); got != exampleGroup+"images/web-20261123\n" {
		t.Errorf("image-id.txt: %s", got)
	}
}

func TestTerraformModule(t *testing.T) {
	scope, body := parseHCL(t, "terraform/main.tf")
	exec := block(t, block(t, body, "resource").Body, "provisioner")
	s := step{script: value(t, scope, exec, "command").AsString(), env: map[string]string{}}
	for k, v := range value(t, scope, exec, "environment").AsValueMap() {
		s.env[k] = v.AsString()
	}
	dir := folder(t)
	s.env["REQUEST"] = filepath.Base(s.env["REQUEST"])
	s.run(t, dir, nil)
	if got := text(t, filepath.Join(dir, "image-id.txt")); got != exampleGroup+"images/web-20261123\n" {
		t.Errorf("image-id.txt: %s", got)
	}
}

// parseHCL reads a file; the scope has its variables' defaults and its locals.
func parseHCL(t *testing.T, file string) (*hcl.EvalContext, *hclsyntax.Body) {
	t.Helper()
	parsed, problems := hclsyntax.ParseConfig([]byte(text(t, pipelines+file)), file, hcl.InitialPos)
	if problems.HasErrors() {
		t.Fatal(problems)
	}
	body, ok := parsed.Body.(*hclsyntax.Body)
	if !ok {
		t.Fatalf("%s is not in HCL's own syntax", file)
	}
	variables, locals := map[string]cty.Value{}, map[string]cty.Value{}
	scope := &hcl.EvalContext{Variables: map[string]cty.Value{}}
	for _, b := range body.Blocks {
		if b.Type == "variable" {
			variables[b.Labels[0]] = value(t, scope, b, "default")
		}
	}
	scope.Variables["var"] = cty.ObjectVal(variables)
	for _, b := range body.Blocks {
		if b.Type != "locals" {
			continue
		}
		for _, name := range []string{"disk", "disk_id"} { // in the order in which they need each other
			locals[name] = value(t, scope, b, name)
			scope.Variables["local"] = cty.ObjectVal(maps.Clone(locals))
		}
	}
	return scope, body
}

func block(t *testing.T, body *hclsyntax.Body, kind string) *hclsyntax.Block {
	t.Helper()
	for _, b := range body.Blocks {
		if b.Type == kind {
			return b
		}
	}
	t.Fatalf("there is no block %s", kind)
	return nil
}

func value(t *testing.T, scope *hcl.EvalContext, b *hclsyntax.Block, name string) cty.Value {
	t.Helper()
	attribute := b.Body.Attributes[name]
	if attribute == nil {
		t.Fatalf("the block %s %v has no %s", b.Type, b.Labels, name)
	}
	v, problems := attribute.Expr.Value(scope)
	if problems.HasErrors() {
		t.Fatal(problems)
	}
	return v
}

func parseYAML(t *testing.T, file string, into any) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(text(t, pipelines+file)), into); err != nil {
		t.Fatal(err)
	}
}

func text(t *testing.T, file string) string {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
