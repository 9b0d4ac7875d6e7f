package deploy_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// azdSchemaVariable names a file with azd's own schema (interop/azd.sh fetches it) to check against
// in the place of the extract in testdata.
const azdSchemaVariable = "AZD_SCHEMA"

// onlyFiles loads schemas from files. azd's own refers to those of its extensions elsewhere, which
// say nothing of functions.
type onlyFiles struct{}

func (onlyFiles) Load(url string) (any, error) {
	if !strings.HasPrefix(url, "file://") {
		return true, nil
	}
	return jsonschema.FileLoader{}.Load(url)
}

func azdSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	file := os.Getenv(azdSchemaVariable)
	if file == "" {
		file = "../internal/deploy/testdata/azure.yaml.schema.json"
	}
	path, err := filepath.Abs(file)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = text.Close() }()
	document, err := jsonschema.UnmarshalJSON(text)
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.UseLoader(onlyFiles{})
	if err := compiler.AddResource("file://"+path, document); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("file://" + path)
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func checkAzureYAML(t *testing.T, schema *jsonschema.Schema, text string) error {
	t.Helper()
	var document any
	if err := yaml.Unmarshal([]byte(text), &document); err != nil {
		t.Fatal(err)
	}
	return schema.Validate(document)
}

// TestAzureYAML holds azure.yaml against its schema, and the schema against mistakes in azure.yaml.
func TestAzureYAML(t *testing.T) {
	text, err := os.ReadFile("../azure.yaml")
	if err != nil {
		t.Fatal(err)
	}
	schema := azdSchema(t)
	if err := checkAzureYAML(t, schema, string(text)); err != nil {
		t.Errorf("azure.yaml: %v", err)
	}
	for what, change := range map[string][2]string{
		"a name that azd refuses":            {"name: goldmint\n", "name: Goldmint\n"},
		"no name":                            {"name: goldmint\n", ""},
		"a hook of no command":               {"  postprovision:", "  afterprovision:"},
		"a hook with a shell and no command": {"    run: infra/app.sh alpha\n", ""},
		"a shell that azd does not know":     {"    shell: sh", "    shell: bash"},
		"a misspelt field of a hook":         {"    shell: sh", "    shel: sh"},
		"a service hook of a project":        {"      prepackage:", "      preprovision:"},
		"a function with a container image":  {"    dist: dist", "    image: dist"},
		"a function without a project":       {"    project: .\n", ""},
		"no service":                         {"services:", "services: {}\nmetadata:"},
	} {
		wrong := strings.Replace(string(text), change[0], change[1], 1)
		if wrong == string(text) {
			t.Fatalf("azure.yaml has no %q any more: mend this table", change[0])
		}
		if checkAzureYAML(t, schema, wrong) == nil {
			t.Errorf("the schema takes %s", what)
		}
	}
}

// What azd calls is there and may be executed.
func TestAzureYAMLNamesFiles(t *testing.T) {
	for name, h := range readProject(t).Hooks {
		command, _, _ := strings.Cut(h.Run, " ")
		info, err := os.Stat(filepath.Join("..", command))
		if errors.Is(err, fs.ErrNotExist) || (err == nil && info.Mode().Perm()&0o111 == 0) {
			t.Errorf("%s runs %s, which is not there or not executable", name, command)
		}
	}
}
