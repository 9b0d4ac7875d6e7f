package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRetentionWorkflow runs what the workflow does around its build: the build of a version itself needs a local
// Resource Manager with galleries, and is only validated here.
func TestRetentionWorkflow(t *testing.T) {
	var workflow struct {
		Jobs map[string]struct {
			Steps []struct {
				Name string            `yaml:"name"`
				Run  string            `yaml:"run"`
				Env  map[string]string `yaml:"env"`
			} `yaml:"steps"`
		} `yaml:"jobs"`
	}
	parseYAML(t, "github-retention.yml", &workflow)
	signIn(t)
	g := newGallery(t)
	g.group = "golden-images"
	g.fill()
	g.users = map[string]object{"/virtualMachines": {"name": "web-vm"}, "/virtualMachineScaleSets": {"name": "web-set"}}
	for _, version := range []string{"1.0.5", "1.0.6", "1.0.7"} {
		g.put(version, 8)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "web-version.yaml"), []byte(text(t, pipelines+"web-version.yaml")), 0o600); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"ARM_ENDPOINT": g.url, "LATEST": g.path() + "/1.0.10", "VERSION_ID": g.path() + "/1.0.11"}
	ran := map[string]string{}
	for _, s := range workflow.Jobs["version"].Steps {
		if strings.Contains(s.Run, "${{") {
			t.Errorf("an expression in a script is an injection waiting to happen: %s", s.Run)
		}
		if strings.HasPrefix(s.Run, "goldmint ") && !strings.HasPrefix(s.Run, "goldmint submit") {
			out, _ := step{script: s.Run}.run(t, dir, env)
			ran[s.Name] = out
		}
	}
	if len(ran) != 3 || ran["Promote it"] != g.path()+"/1.0.11\n" {
		t.Errorf("%q", ran)
	}
	if got := ran["Prune the old ones"]; !strings.Contains(got, "1.0.11  2d   it is the latest in westeurope\n") || !strings.Contains(got, "\ndeleted  1.0.2\n") {
		t.Errorf("prune:\n%s", got)
	}
}
