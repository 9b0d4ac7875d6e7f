package deploy_test

import (
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/zclconf/go-cty/cty"

	"goldmint/internal/config"
)

// Where the handler's settings are set: `azure` is the function app, `local` local.settings.json.
// Settings that are not here keep their defaults in both.
var settings = []struct {
	name         string
	azure, local bool
}{
	{"ServiceBusConnection", false, true}, // a connection string to an emulator, where there is no identity
	{"ServiceBusConnection__fullyQualifiedNamespace", true, false},
	{"ServiceBusConnection__credential", true, false},
	{"ServiceBusConnection__clientId", true, false},
	{"REQUEST_QUEUE", true, true},
	{"BUILD_QUEUE", true, true},
	{"EVENT_TOPIC", true, true},
	{"AZURE_CLIENT_ID", true, false},
	{"AZURE_SUBSCRIPTION_ID", true, true},
	{"ARM_ENDPOINT", false, true}, // of an emulator
	{"ALLOWED_SUBSCRIPTIONS", true, true},
	{"ALLOWED_RESOURCE_GROUPS", true, true},
	{"MAX_WAIT", true, true},
	{"VM_EVENTS", true, true},
	{"VM_GALLERY_IMAGE", true, true},
	{"VM_ZONE_RESILIENT", true, true},
	{"VM_COPY_TAGS", true, true},
	{"LOG_LEVEL", true, true},
}

// platformSettings are set by App Service or Core Tools, or read by the host: the handler's code
// knows them through the SDK or not at all.
var platformSettings = []string{"FUNCTIONS_WORKER_RUNTIME", "AzureWebJobsStorage", "IDENTITY_ENDPOINT", "IDENTITY_HEADER"}

// What is set somewhere is a setting that the handler reads.
func TestSettingsAreTheHandlers(t *testing.T) {
	known := handlerSettings()
	for _, s := range settings {
		if _, reads := known[s.name]; !reads {
			t.Errorf("%s is set, but the handler's config does not know it", s.name)
		}
	}
}

var settingRow = regexp.MustCompile("(?m)^\\| `([A-Za-z_]+)` \\| (.*?) \\| (.*?) \\| (.*?) \\| (.+?) \\|$")

// docs/settings.md lists every setting of the handler, with its default and where a deployment sets
// it, and no other.
func TestSettingsOfTheDocs(t *testing.T) {
	type row struct{ Default, Azure, Local string }
	want := map[string]row{}
	mark := map[bool]string{true: "yes", false: ""}
	for name, preset := range handlerSettings() {
		r := row{Default: preset}
		for _, s := range settings {
			if s.name == name {
				r.Azure, r.Local = mark[s.azure], mark[s.local]
			}
		}
		want[name] = r
	}
	text, err := os.ReadFile("../docs/settings.md")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]row{}
	for _, found := range settingRow.FindAllStringSubmatch(string(text), -1) {
		if _, twice := got[found[1]]; twice {
			t.Errorf("docs/settings.md lists %s twice", found[1])
		}
		got[found[1]] = row{strings.Trim(strings.TrimSpace(found[2]), "`"), strings.TrimSpace(found[3]), strings.TrimSpace(found[4])}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("docs/settings.md (-config, function.tf and local.settings.example.json +the table):\n%s", diff)
	}
}

// handlerSettings are the names and defaults of the settings struct.
func handlerSettings() map[string]string {
	all := map[string]string{}
	var collect func(reflect.Type)
	collect = func(of reflect.Type) {
		for field := range of.Fields() {
			name, _, _ := strings.Cut(field.Tag.Get("env"), ",")
			if name == "" && field.Type.Kind() == reflect.Struct {
				collect(field.Type)
				continue
			}
			all[name] = field.Tag.Get("envDefault")
		}
	}
	collect(reflect.TypeFor[config.Config]())
	return all
}

// defaults are the handler's settings where nothing is set that need not be.
func defaults(t *testing.T) config.Config {
	t.Helper()
	c, err := config.Load([]string{"FUNCTIONS_CUSTOMHANDLER_PORT=1", "ServiceBusConnection=Endpoint=sb://localhost"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// The handler accepts what function.tf sets.
func TestHandlerTakesTheSettings(t *testing.T) {
	var environ []string
	for name, value := range azureSettings(t) {
		environ = append(environ, name+"="+value)
	}
	if _, err := config.Load(append(environ, "FUNCTIONS_CUSTOMHANDLER_PORT=1")); err != nil {
		t.Errorf("function.tf: %v", err)
	}
	environ = nil
	for name, value := range localSettings(t) {
		environ = append(environ, name+"="+value)
	}
	if _, err := config.Load(append(environ, "FUNCTIONS_CUSTOMHANDLER_PORT=1")); err != nil {
		t.Errorf("local.settings.example.json: %v", err)
	}
}

func TestSettingsOfTheFunctionApp(t *testing.T) {
	var want []string
	for _, s := range settings {
		if s.azure {
			want = append(want, s.name)
		}
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(azureSettings(t)))); diff != "" {
		t.Errorf("settings in function.tf (-want +got):\n%s", diff)
	}
}

func TestSettingsOfCoreTools(t *testing.T) {
	want := slices.Clone(platformSettings)
	for _, s := range settings {
		if s.local {
			want = append(want, s.name)
		}
	}
	slices.Sort(want)
	local := localSettings(t)
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(local))); diff != "" {
		t.Errorf("settings in local.settings.example.json (-want +got):\n%s", diff)
	}
	if got := local["FUNCTIONS_WORKER_RUNTIME"]; got != "custom" {
		t.Errorf("FUNCTIONS_WORKER_RUNTIME is %q", got)
	}
	if !strings.Contains(local[triggerConnection], "UseDevelopmentEmulator=true") {
		t.Errorf("%s does not lead to an emulator: %s", triggerConnection, local[triggerConnection])
	}
}

// What both places set is equal, except for the subscription.
func TestLocalSettingsAgreeWithAzure(t *testing.T) {
	azure, local := azureSettings(t), localSettings(t)
	for _, s := range settings {
		switch s.name {
		case "AZURE_SUBSCRIPTION_ID", "ALLOWED_SUBSCRIPTIONS", "ALLOWED_RESOURCE_GROUPS":
			continue
		}
		if s.azure && s.local && azure[s.name] != local[s.name] {
			t.Errorf("%s is %q in function.tf, %q in local.settings.example.json", s.name, azure[s.name], local[s.name])
		}
	}
}

// Terraform's settings have the values of the variables.
func TestSettingsFromVariables(t *testing.T) {
	got := azureSettings(t)
	for name, want := range map[string]string{
		"REQUEST_QUEUE":                    requestQueue,
		"BUILD_QUEUE":                      buildQueue,
		"EVENT_TOPIC":                      eventTopic,
		"AZURE_SUBSCRIPTION_ID":            thisSubscription,
		"ALLOWED_SUBSCRIPTIONS":            thisSubscription,
		"ALLOWED_RESOURCE_GROUPS":          "rg-images",
		"ServiceBusConnection__credential": "managedidentity",
	} {
		if got[name] != want {
			t.Errorf("%s is %q, want %q", name, got[name], want)
		}
	}
}

// function.json names settings, not values: the queue's, and the prefix of the connection's.
func TestTriggerNamesSettings(t *testing.T) {
	var function struct {
		Bindings []struct{ Type, QueueName, Connection, DataType, Cardinality string }
	}
	readJSON(t, "../function.json", &function)
	if len(function.Bindings) != 1 || function.Bindings[0].Type != "serviceBusTrigger" {
		t.Fatalf("function.json has the bindings %+v, want one serviceBusTrigger", function.Bindings)
	}
	trigger, azure, local := function.Bindings[0], azureSettings(t), localSettings(t)
	queue := strings.Trim(trigger.QueueName, "%")
	if trigger.QueueName != "%"+queue+"%" || azure[queue] != requestQueue || local[queue] != requestQueue {
		t.Errorf("function.json receives from %q: want a setting that is %s in Azure and locally", trigger.QueueName, requestQueue)
	}
	if _, set := azure[trigger.Connection+"__fullyQualifiedNamespace"]; !set {
		t.Errorf("function.json connects by %q, which function.tf does not set", trigger.Connection)
	}
	if _, set := local[trigger.Connection]; !set {
		t.Errorf("function.json connects by %q, which local.settings.example.json does not set", trigger.Connection)
	}
	if trigger.DataType != "binary" {
		t.Errorf("dataType is %q: as text a sender could overwrite the message's metadata", trigger.DataType)
	}
}

// azureSettings are those of function.tf that the handler reads; a value that only Azure knows is
// "?".
func azureSettings(t *testing.T) map[string]string {
	t.Helper()
	m := readModule(t)
	merged := map[string]string{}
	for _, part := range []string{"trigger_settings", "handler_settings"} {
		for name, value := range m.local(t, part).AsValueMap() {
			merged[name] = "?"
			if value.IsWhollyKnown() && value.Type() == cty.String {
				merged[name] = value.AsString()
			}
		}
	}
	return merged
}

func localSettings(t *testing.T) map[string]string {
	t.Helper()
	var file struct{ Values map[string]string }
	readJSON(t, "../local.settings.example.json", &file)
	return file.Values
}
