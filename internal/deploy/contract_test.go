// Package deploy_test holds what terraform validate cannot: that the deployment, the Functions
// app's own files, the local settings and the handler speak of the same queue, settings, limits and
// roles.
package deploy_test

import (
	"encoding/json"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The names that submitters, waiters and the handler know each other by.
const (
	requestQueue        = "image-requests"
	buildQueue          = "image-builds"
	eventTopic          = "image-events"
	historySubscription = "history"
	succeededEvent      = "goldmint.build.succeeded"
	triggerConnection   = "ServiceBusConnection"
)

func TestEntitiesHaveTheirNames(t *testing.T) {
	m := readModule(t)
	for address, want := range map[string]string{
		"azurerm_servicebus_queue.requests":       requestQueue,
		"azurerm_servicebus_queue.builds":         buildQueue,
		"azurerm_servicebus_topic.events":         eventTopic,
		"azurerm_servicebus_subscription.history": historySubscription,
	} {
		if got := m.text(t, address, "name"); got != want {
			t.Errorf("%s is named %q, want %q", address, got, want)
		}
	}
	if got := m.nested(t, "azurerm_servicebus_subscription_rule.downstream", "correlation_filter", "label"); got != succeededEvent {
		t.Errorf("downstream filters on label %q, want the type %q", got, succeededEvent)
	}
}

// Filter names and values that Event Grid takes as they are and never complains about.
func TestEventGridFilters(t *testing.T) {
	m := readModule(t)
	source := m.source["events.tf"]
	for _, want := range []string{
		`["Microsoft.Resources.ResourceActionSuccess"]`,
		`"data.operationName"`,
		`"Microsoft.Compute/virtualMachines/generalize/action"`,
		`"Microsoft.Compute/virtualMachines/deallocate/action"`,
		`"subject"`,
	} {
		if !strings.Contains(source, want) {
			t.Errorf("events.tf does not name %s", want)
		}
	}
	if got := m.text(t, "azurerm_eventgrid_system_topic.vms", "topic_type"); got != "Microsoft.Resources.Subscriptions" {
		t.Errorf("system topic of type %q", got)
	}
	prefixes := m.local(t, "vm_subject_prefixes").AsValueSlice()
	want := "/subscriptions/" + thisSubscription + "/resourceGroups/rg-images/providers/Microsoft.Compute/virtualMachines/"
	if len(prefixes) != 1 || prefixes[0].AsString() != want {
		t.Errorf("subjects begin with %#v, want %q", prefixes, want)
	}
}

func TestOutputsForTheCommand(t *testing.T) {
	want := []string{"build_queue", "event_topic", "function_app", "function_principal_id", "history_subscription", "request_queue", "resource_group", "service_bus_namespace"}
	got := slices.Sorted(maps.Keys(readModule(t).outputs))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("outputs (-want +got):\n%s", diff)
	}
}

func TestVariablesAreTypedAndDescribed(t *testing.T) {
	for name, block := range readModule(t).variables {
		for _, attribute := range []string{"type", "description"} {
			if block.Body.Attributes[attribute] == nil {
				t.Errorf("variable %s has no %s", name, attribute)
			}
		}
	}
}

// A key or a connection string in the state or in a setting is a secret somebody must keep.
func TestNoSecretIsReadOrMade(t *testing.T) {
	secret := regexp.MustCompile(`(primary|secondary|storage)_(access_)?key\b|(primary|secondary)\w*_connection_string|_authorization_rule"|_sas"|instrumentation_key|SharedAccessKey|AccountKey|client_secret`)
	for name, text := range readModule(t).source {
		for number, line := range strings.Split(text, "\n") {
			if found := secret.FindString(line); found != "" {
				t.Errorf("%s:%d names %s: connect by identity instead", name, number+1, found)
			}
		}
	}
}

// azd fills infra/main.tfvars.json from its environment and finds the app by its tag.
func TestAzdFiles(t *testing.T) {
	m := readModule(t)
	var given map[string]any
	readJSON(t, "main.tfvars.json", &given)
	for name := range given {
		if m.variables[name] == nil {
			t.Errorf("main.tfvars.json sets %s, which is no variable", name)
		}
	}
	for name, block := range m.variables {
		if _, set := given[name]; !set && block.Body.Attributes["default"] == nil {
			t.Errorf("main.tfvars.json does not set %s, which has no default", name)
		}
	}

	project := readProject(t)
	if project.Infra.Provider != "terraform" || project.Infra.Path != "infra" {
		t.Errorf("azure.yaml provisions with %+v", project.Infra)
	}
	tag := asText(t, "azd-service-name", m.local(t, "app_tags").GetAttr("azd-service-name"))
	service, found := project.Services[tag]
	if !found || service.Host != "function" || service.Language != "custom" || service.Dist != "dist" {
		t.Errorf("azure.yaml has no function service %q that is packaged in dist: %+v", tag, project.Services)
	}
}

func readJSON(t *testing.T, name string, into any) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}
