package infra_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/zclconf/go-cty/cty"
)

// The handler's settings, each in every place that must know it. `azure` is the function app, `local` local.settings.json.
var settings = []struct {
	name         string
	azure, local bool
}{
	{"ServiceBusConnection", false, true}, // a connection string to an emulator, where there is no identity
	{"ServiceBusConnection__fullyQualifiedNamespace", true, false},
	{"ServiceBusConnection__credential", true, false},
	{"ServiceBusConnection__clientId", true, false},
	{"BUILD_QUEUE", true, true},
	{"EVENT_TOPIC", true, true},
	{"AZURE_CLIENT_ID", true, false},
	{"AZURE_SUBSCRIPTION_ID", true, true},
	{"ALLOWED_SUBSCRIPTIONS", true, true},
	{"ALLOWED_RESOURCE_GROUPS", true, true},
	{"MAX_WAIT", true, true},
	{"VM_EVENTS", true, true},
	{"VM_ZONE_RESILIENT", true, true},
	{"VM_COPY_TAGS", true, true},
	{"LOG_LEVEL", true, true},
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
	want := []string{"FUNCTIONS_WORKER_RUNTIME", "AzureWebJobsStorage"} // the host's own
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

// What both places set, they set alike, but for what names a subscription.
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

// Terraform's settings come to what the variables say.
func TestSettingsFromVariables(t *testing.T) {
	got := azureSettings(t)
	for name, want := range map[string]string{
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
	if trigger.QueueName != "%"+queue+"%" || azure[queue] != buildQueue || local[queue] != buildQueue {
		t.Errorf("function.json receives from %q: want a setting that is %s in Azure and locally", trigger.QueueName, buildQueue)
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

// azureSettings are those of function.tf that the handler reads; a value that only Azure knows is "?".
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
