package deploy_test

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	gocmp "github.com/google/go-cmp/cmp"
)

// These are dry runs: the scripts and hooks are the real ones, while az, azd, terraform and sleep
// are stubs on the PATH that write down how they were called and answer as the test says. How Azure
// itself answers the calls is not tested.

const stub = `#!/bin/sh
line="${0##*/} $*"
printf '%s\n' "$line" >>"$CALLS"
seen=$(grep -cxF "$line" "$CALLS")
case $line in
"az account show "*) echo sub-1 ;;
"terraform output -raw resource_group") echo rg-goldmint-dev ;;
"terraform output -raw function_app") echo func-goldmint-dev ;;
"terraform apply "*) exit "$APPLY" ;;
"az functionapp deployment source config-zip "*) exit "$ZIP" ;;
"az functionapp config appsettings list "*) printf "$SETTINGS" ;;
"az functionapp function list "*) [ "$seen" -lt "$LISTED_AT" ] || printf 'func-goldmint-dev/take-request\nfunc-goldmint-dev/build-image\n' ;;
"azd config get alpha.language.custom") [ "$ALPHA" = on ] && echo '"on"' ;;
esac
`

// stage is a copy of infra/ beside a dist.zip, and the stubs.
type stage struct {
	*testing.T
	root    string
	environ map[string]string
}

func newStage(t *testing.T) stage {
	t.Helper()
	root := t.TempDir()
	s := stage{t, root, map[string]string{
		"PATH": filepath.Join(root, "bin") + ":" + os.Getenv("PATH"), "CALLS": filepath.Join(root, "calls"),
		"APPLY": "0", "ZIP": "0", "SETTINGS": `AzureWebJobsStorage\nDEPLOYMENT_STORAGE_CONNECTION_STRING\n`, "LISTED_AT": "1", "ALPHA": "on",
	}}
	for name, content := range map[string]string{"infra/dev.tfvars": "", "dist.zip": "", "calls": ""} {
		s.write(name, content, 0o644)
	}
	for _, name := range []string{"app.sh", "deploy.sh"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		s.write("infra/"+name, string(text), 0o755)
	}
	for _, name := range []string{"az", "azd", "terraform", "sleep"} {
		s.write("bin/"+name, stub, 0o755)
	}
	return s
}

func (s stage) write(name, content string, mode os.FileMode) {
	s.Helper()
	path := filepath.Join(s.root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		s.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		s.Fatal(err)
	}
}

// sh runs a line in the project's root and returns what it printed, its exit status and the stubs'
// calls.
func (s stage) sh(line string) (output string, status int, calls []string) {
	s.Helper()
	command := exec.Command("sh", "-c", line)
	command.Dir = s.root
	for name, value := range s.environ {
		command.Env = append(command.Env, name+"="+value)
	}
	var out bytes.Buffer
	command.Stdout, command.Stderr = &out, &out
	if err := command.Run(); err != nil && command.ProcessState == nil {
		s.Fatal(err)
	}
	text, err := os.ReadFile(s.environ["CALLS"])
	if err != nil {
		s.Fatal(err)
	}
	if len(text) > 0 {
		calls = strings.Split(strings.TrimSpace(string(text)), "\n")
	}
	return out.String(), command.ProcessState.ExitCode(), calls
}

const ofApp = "--subscription sub-1 --resource-group rg-goldmint-dev --name func-goldmint-dev"

// The calls of a deployment, in order.
var (
	before = []string{
		"az account show --query id --output tsv",
		"terraform init -input=false",
		"terraform workspace select -or-create dev",
		"terraform apply -var-file=dev.tfvars",
	}
	outputs    = []string{"terraform output -raw resource_group", "terraform output -raw function_app"}
	listing    = "az functionapp config appsettings list " + ofApp + " --output tsv --query [?(name=='AzureWebJobsStorage' && value=='') || name=='DEPLOYMENT_STORAGE_CONNECTION_STRING'].name"
	deleting   = "az functionapp config appsettings delete " + ofApp + " --output none --setting-names AzureWebJobsStorage DEPLOYMENT_STORAGE_CONNECTION_STRING"
	deployment = "az functionapp deployment source config-zip " + ofApp + " --src ../dist.zip"
	syncing    = []string{
		"az rest --method post --output none --url /subscriptions/sub-1/resourceGroups/rg-goldmint-dev/providers/Microsoft.Web/sites/func-goldmint-dev/host/default/sync?api-version=2024-04-01",
		"az functionapp function list " + ofApp + " --query [].name --output tsv",
	}
	again = append([]string{"sleep 15"}, syncing...)
)

func TestDeployScript(t *testing.T) {
	for name, c := range map[string]struct {
		line    string // of the shell; empty: apply
		environ map[string]string
		calls   []string
		status  int
		says    string
	}{
		"as it should be": {
			calls: slices.Concat(before, outputs, []string{listing, deleting, deployment}, syncing),
			says:  "take-request and build-image are listed",
		},
		"nothing to delete": {
			environ: map[string]string{"SETTINGS": ""},
			calls:   slices.Concat(before, outputs, []string{listing, deployment}, syncing),
		},
		"functions listed at the third look": {
			environ: map[string]string{"LISTED_AT": "3"},
			calls:   slices.Concat(before, outputs, []string{listing, deleting, deployment}, syncing, again, again),
		},
		"functions never listed": {
			environ: map[string]string{"LISTED_AT": "99"},
			calls:   slices.Concat(before, outputs, []string{listing, deleting, deployment}, syncing, slices.Repeat(again, 19)),
			status:  1,
			says:    "does not list take-request build-image, so no message wakes it",
		},
		"apply fails": {
			environ: map[string]string{"APPLY": "1"},
			calls:   before,
			status:  1,
			says:    "run this again",
		},
		"the package is refused": {
			environ: map[string]string{"ZIP": "1"},
			calls:   slices.Concat(before, outputs, []string{listing, deleting, deployment}),
			status:  1,
			says:    "run this again in ten minutes",
		},
		"the package alone": {
			line:  "infra/deploy.sh package dev",
			calls: slices.Concat(before[:3], outputs, []string{deployment}, syncing),
			says:  "take-request and build-image are listed",
		},
		"taken away": {
			line:  "infra/deploy.sh destroy dev",
			calls: append(slices.Clone(before[:3]), "terraform destroy -var-file=dev.tfvars"),
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			for key, value := range c.environ {
				s.environ[key] = value
			}
			output, status, calls := s.sh(cmp.Or(c.line, "infra/deploy.sh apply dev"))
			if status != c.status || !strings.Contains(output, c.says) {
				t.Errorf("exit status %d, want %d and %q:\n%s", status, c.status, c.says, output)
			}
			if diff := gocmp.Diff(c.calls, calls); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
		})
	}
}

// project is what azd reads of azure.yaml, with the names of its schema. The file may have nothing
// else.
type project struct {
	Name  string `yaml:"name"`
	Infra struct {
		Provider string `yaml:"provider"`
		Path     string `yaml:"path"`
		Module   string `yaml:"module"`
	} `yaml:"infra"`
	Hooks    map[string]hook `yaml:"hooks"`
	Services map[string]struct {
		Project  string          `yaml:"project"`
		Language string          `yaml:"language"`
		Host     string          `yaml:"host"`
		Dist     string          `yaml:"dist"`
		Hooks    map[string]hook `yaml:"hooks"`
	} `yaml:"services"`
}

type hook struct {
	Shell string `yaml:"shell"`
	Run   string `yaml:"run"`
}

func readProject(t *testing.T) project {
	t.Helper()
	text, err := os.ReadFile("../azure.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var p project
	if err := yaml.UnmarshalWithOptions(text, &p, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	return p
}

// azd's hooks make the calls that the script makes, with what azd has in its environment: its own
// variables and the outputs.
func TestHooks(t *testing.T) {
	outputs := readModule(t).outputs
	for _, name := range []string{"resource_group", "function_app"} {
		if outputs[name] == nil {
			t.Errorf("the hooks use %s, which is no output", name)
		}
	}
	want := map[string][]string{
		"preup":         {"azd config get alpha.language.custom"},
		"postprovision": {listing, deleting},
		"postdeploy":    syncing,
	}
	hooks := readProject(t).Hooks
	for name, h := range hooks {
		s := newStage(t)
		s.environ["AZURE_SUBSCRIPTION_ID"], s.environ["resource_group"], s.environ["function_app"] = "sub-1", "rg-goldmint-dev", "func-goldmint-dev"
		output, status, calls := s.sh(h.Run)
		if status != 0 || h.Shell != "sh" {
			t.Errorf("%s: shell %s, exit status %d:\n%s", name, h.Shell, status, output)
		}
		if diff := gocmp.Diff(want[name], calls); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if len(hooks) != len(want) {
		t.Errorf("azure.yaml has %d hooks, want %d", len(hooks), len(want))
	}
}

// The scripts say what is wrong in one line that holds what to do.
func TestScriptsSayWhatToDo(t *testing.T) {
	for line, want := range map[string]string{
		"infra/app.sh":                           "say what: infra/app.sh alpha|clean|sync",
		"infra/app.sh clean a b":                 "say which app: infra/app.sh clean SUBSCRIPTION GROUP APP",
		`infra/app.sh sync "$none" b c`:          "say which app: infra/app.sh sync SUBSCRIPTION GROUP APP",
		"ALPHA=off infra/app.sh alpha":           "run azd config set alpha.language.custom on",
		"infra/deploy.sh apply":                  "say which environment",
		"infra/deploy.sh apply prod":             "infra/prod.tfvars is missing",
		"rm dist.zip; infra/deploy.sh apply dev": "run make package",
	} {
		output, status, _ := newStage(t).sh(line)
		if status != 1 || !strings.Contains(output, want) || strings.Count(output, "\n") != 1 {
			t.Errorf("%s: exit status %d, says %q, want %q", line, status, output, want)
		}
	}
}

// TestScriptsParse runs the shell's own check of the syntax.
func TestScriptsParse(t *testing.T) {
	for _, name := range []string{"app.sh", "deploy.sh", "test.sh"} {
		if out, err := exec.Command("sh", "-n", name).CombinedOutput(); err != nil {
			t.Error(fmt.Errorf("%s: %w\n%s", name, err, out))
		}
	}
}
