package deploy_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/tryfunc"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

// module is infra/ as Terraform reads it, evaluated as far as that goes without Azure: a resource's
// id is its own address, and what only Azure knows is unknown.
type module struct {
	source    map[string]string           // by file name
	resources map[string]*hclsyntax.Block // by address: azurerm_servicebus_queue.builds
	variables map[string]*hclsyntax.Block
	outputs   map[string]*hclsyntax.Block
	provider  *hclsyntax.Block // azurerm
	locals    map[string]hclsyntax.Expression
	scope     *hcl.EvalContext
}

const thisSubscription = "11111111-1111-1111-1111-111111111111"

// required are values for the variables that have no default.
var required = map[string]cty.Value{
	"environment_name":         cty.StringVal("test"),
	"location":                 cty.StringVal("westeurope"),
	"image_resource_group_ids": cty.SetVal([]cty.Value{cty.StringVal("/subscriptions/" + thisSubscription + "/resourceGroups/rg-images")}),
}

func readModule(t *testing.T) *module {
	t.Helper()
	m := &module{
		source:    map[string]string{},
		resources: map[string]*hclsyntax.Block{},
		variables: map[string]*hclsyntax.Block{},
		outputs:   map[string]*hclsyntax.Block{},
		locals:    map[string]hclsyntax.Expression{},
	}
	files, err := filepath.Glob("*.tf")
	if err != nil || len(files) == 0 {
		t.Fatalf("no Terraform files here: %v", err)
	}
	for _, name := range files {
		m.readFile(t, name)
	}
	m.evaluate(t)
	return m
}

func (m *module) readFile(t *testing.T, name string) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	file, problems := hclsyntax.ParseConfig(text, name, hcl.InitialPos)
	if problems.HasErrors() {
		t.Fatal(problems)
	}
	m.source[name] = string(text)
	for _, block := range file.Body.(*hclsyntax.Body).Blocks {
		switch block.Type {
		case "resource":
			m.resources[strings.Join(block.Labels, ".")] = block
		case "provider":
			m.provider = block
		case "variable":
			m.variables[block.Labels[0]] = block
		case "output":
			m.outputs[block.Labels[0]] = block
		case "locals":
			for key, attribute := range block.Body.Attributes {
				m.locals[key] = attribute.Expr
			}
		}
	}
}

// evaluate runs until locals and resources, which name each other in any order, have had time to
// settle.
func (m *module) evaluate(t *testing.T) {
	t.Helper()
	m.scope = &hcl.EvalContext{
		Functions: terraformFunctions(),
		Variables: map[string]cty.Value{
			"var":  m.variableValues(t),
			"data": object("azurerm_client_config", object("current", object("subscription_id", cty.StringVal(thisSubscription)))),
			"path": object("module", cty.StringVal(".")),
		},
	}
	const deepest = 8 // a chain of references longer than this would stay unknown and fail the test that asks for it
	for range deepest {
		locals := map[string]cty.Value{}
		for name, expression := range m.locals {
			locals[name] = m.value(expression)
		}
		types := map[string]map[string]cty.Value{}
		for address, block := range m.resources {
			kind, name, _ := strings.Cut(address, ".")
			if types[kind] == nil {
				types[kind] = map[string]cty.Value{}
			}
			types[kind][name] = m.resourceValue(address, block)
		}
		for kind, byName := range types {
			m.scope.Variables[kind] = cty.ObjectVal(byName)
		}
		m.scope.Variables["local"] = cty.ObjectVal(locals)
	}
}

// value is the value of an expression, unknown where it needs Azure.
func (m *module) value(expression hclsyntax.Expression) cty.Value {
	value, problems := expression.Value(m.scope)
	if problems.HasErrors() {
		return cty.DynamicVal
	}
	return value
}

func (m *module) resourceValue(address string, block *hclsyntax.Block) cty.Value {
	if _, many := block.Body.Attributes["for_each"]; many {
		return cty.DynamicVal
	}
	attributes := map[string]cty.Value{}
	for name, attribute := range block.Body.Attributes {
		attributes[name] = m.value(attribute.Expr)
	}
	for _, assigned := range []string{"id", "principal_id", "client_id"} {
		attributes[assigned] = cty.StringVal(address + "." + assigned)
	}
	if _, counted := block.Body.Attributes["count"]; counted {
		return cty.TupleVal([]cty.Value{cty.ObjectVal(attributes)})
	}
	return cty.ObjectVal(attributes)
}

// variableValues are the defaults, with those of optional members filled in, and the required ones.
func (m *module) variableValues(t *testing.T) cty.Value {
	t.Helper()
	values := map[string]cty.Value{}
	for name, block := range m.variables {
		kind, defaults, problems := typeexpr.TypeConstraintWithDefaults(block.Body.Attributes["type"].Expr)
		if problems.HasErrors() {
			t.Fatalf("variable %s: %v", name, problems)
		}
		value, known := required[name]
		if preset, has := block.Body.Attributes["default"]; has {
			value, _ = preset.Expr.Value(nil)
		} else if !known {
			t.Fatalf("variable %s has no default: give it a value in `required`", name)
		}
		if defaults != nil && !value.IsNull() {
			value = defaults.Apply(value)
		}
		converted, err := convert.Convert(value, kind)
		if err != nil {
			t.Fatalf("variable %s: %v", name, err)
		}
		values[name] = converted
	}
	return cty.ObjectVal(values)
}

// local is the value of local.NAME, which must be known.
func (m *module) local(t *testing.T, name string) cty.Value {
	t.Helper()
	value := m.scope.Variables["local"].GetAttr(name)
	if !value.IsKnown() {
		t.Fatalf("local.%s is unknown without Azure", name)
	}
	return value
}

// text is the value of a resource's attribute as text: "PT5M", "10", "true".
func (m *module) text(t *testing.T, address, attribute string) string {
	t.Helper()
	block := m.resources[address]
	if block == nil {
		t.Fatalf("resource %s is missing", address)
	}
	return m.textOf(t, address, block.Body, attribute)
}

// nested is the same inside the resource's only block of a type.
func (m *module) nested(t *testing.T, address, block, attribute string) string {
	t.Helper()
	for _, candidate := range m.resources[address].Body.Blocks {
		if candidate.Type == block {
			return m.textOf(t, address+" "+block, candidate.Body, attribute)
		}
	}
	t.Fatalf("%s has no block %s", address, block)
	return ""
}

func (m *module) textOf(t *testing.T, where string, body *hclsyntax.Body, attribute string) string {
	t.Helper()
	found := body.Attributes[attribute]
	if found == nil {
		t.Fatalf("%s.%s is not set", where, attribute)
	}
	return asText(t, where+"."+attribute, m.value(found.Expr))
}

// written is an attribute's source text, not its value.
func (m *module) written(block *hclsyntax.Block, attribute string) string {
	found := block.Body.Attributes[attribute]
	if found == nil {
		return ""
	}
	extent := found.Expr.Range()
	return m.source[extent.Filename][extent.Start.Byte:extent.End.Byte]
}

func asText(t *testing.T, what string, value cty.Value) string {
	t.Helper()
	text, err := convert.Convert(value, cty.String)
	if err != nil || !text.IsKnown() || text.IsNull() {
		t.Fatalf("%s is unknown without Azure: %#v", what, value)
	}
	return text.AsString()
}

func object(name string, value cty.Value) cty.Value {
	return cty.ObjectVal(map[string]cty.Value{name: value})
}

// terraformFunctions are those of Terraform's that infra/ uses and that need no file or secret.
func terraformFunctions() map[string]function.Function {
	return map[string]function.Function{
		"concat":   stdlib.ConcatFunc,
		"contains": stdlib.ContainsFunc,
		"distinct": stdlib.DistinctFunc,
		"join":     stdlib.JoinFunc,
		"keys":     stdlib.KeysFunc,
		"length":   stdlib.LengthFunc,
		"lower":    stdlib.LowerFunc,
		"merge":    stdlib.MergeFunc,
		"sort":     stdlib.SortFunc,
		"split":    stdlib.SplitFunc,
		"tostring": stdlib.MakeToFunc(cty.String),
		"try":      tryfunc.TryFunc,
	}
}
