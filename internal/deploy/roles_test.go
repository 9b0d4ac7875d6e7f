package deploy_test

import (
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"goldmint/emulator/arm"
)

// Azure's built-in roles, as its documentation lists them.
var builtInRoles = map[string]string{
	"service_bus_data_receiver":     "4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0",
	"service_bus_data_owner":        "090c5cfd-751d-490a-894a-3ce6f1109419",
	"service_bus_data_sender":       "69a216fc-b8fb-44d8-bc22-1f3c2cd27a39",
	"storage_blob_data_owner":       "b7e6dc6d-f1e8-4753-8033-0f276bb0955b",
	"storage_blob_data_contributor": "ba92f5b4-2d11-453d-a403-e96b0029c9fe",
	"monitoring_metrics_publisher":  "3913510d-42f4-4e42-8a64-420c390055eb",
}

// The actions of the custom role. A called one stands for requests that the handler itself sends to Resource Manager;
// the others are asked for by Resource Manager where a request refers to such a resource.
var imageActions = map[string]struct{ called bool }{
	"Microsoft.Compute/images/read":                       {called: true},
	"Microsoft.Compute/images/write":                      {called: true},
	"Microsoft.Compute/images/delete":                     {called: true},
	"Microsoft.Compute/virtualMachines/read":              {called: true},
	"Microsoft.Compute/virtualMachines/instanceView/read": {called: false},
	"Microsoft.Compute/virtualMachines/generalize/action": {called: true},
	"Microsoft.Compute/locations/operations/read":         {called: true},
	"Microsoft.Compute/disks/read":                        {called: false},
	"Microsoft.Compute/snapshots/read":                    {called: false},
	"Microsoft.Compute/diskEncryptionSets/read":           {called: false},
}

func TestBuiltInRoles(t *testing.T) {
	got := map[string]string{}
	for name, id := range readModule(t).local(t, "role_ids").AsValueMap() {
		got[name] = id.AsString()
	}
	if diff := cmp.Diff(builtInRoles, got); diff != "" {
		t.Errorf("local.role_ids (-want +got):\n%s", diff)
	}
}

func TestCustomRoleActions(t *testing.T) {
	got := readModule(t).local(t, "image_actions").AsValueMap()
	if diff := cmp.Diff(slices.Sorted(maps.Keys(imageActions)), slices.Sorted(maps.Keys(got))); diff != "" {
		t.Errorf("local.image_actions (-want +got):\n%s", diff)
	}
	for action, why := range got {
		if len(why.AsString()) < 10 {
			t.Errorf("%s: say why it is needed, not %q", action, why.AsString())
		}
	}
}

// Who holds what on what: the whole of it. A right that is not in this table is too much.
func TestRoleAssignments(t *testing.T) {
	type grant struct{ Scope, Role, Principal string }
	const function = "azurerm_user_assigned_identity.function.principal_id"
	want := map[string]grant{
		"function_images":         {"each.value", "azurerm_role_definition.images", function},
		"function_requests":       {"azurerm_servicebus_queue.requests.id", "service_bus_data_receiver", function},
		"function_builds":         {"azurerm_servicebus_queue.builds.id", "service_bus_data_owner", function},
		"operators_receive":       {"each.value.queue", "service_bus_data_receiver", "each.value.principal"},
		"operators_send":          {"each.value.queue", "service_bus_data_sender", "each.value.principal"},
		"function_topic_sender":   {"azurerm_servicebus_topic.events.id", "service_bus_data_sender", function},
		"function_storage":        {"azurerm_storage_account.main.id", "storage_blob_data_owner", function},
		"function_telemetry":      {"azurerm_application_insights.main.id", "monitoring_metrics_publisher", function},
		"event_grid_queue":        {"azurerm_servicebus_queue.requests.id", "service_bus_data_sender", "local.deliverer_principal_id"},
		"event_grid_dead_letters": {"azurerm_storage_container.undelivered[0].id", "storage_blob_data_contributor", "local.deliverer_principal_id"},
		"submitters":              {"azurerm_servicebus_queue.requests.id", "service_bus_data_sender", "each.value"},
		"waiters":                 {"azurerm_servicebus_subscription.history.id", "service_bus_data_receiver", "each.value"},
	}
	m := readModule(t)
	role := regexp.MustCompile(`^local\.roles\.(\w+)$|(azurerm_role_definition\.\w+)\.role_definition_id`)
	got := map[string]grant{}
	for address, block := range m.resources {
		name, is := strings.CutPrefix(address, "azurerm_role_assignment.")
		if !is {
			continue
		}
		found := role.FindStringSubmatch(m.written(block, "role_definition_id"))
		if found == nil {
			t.Errorf("%s: role_definition_id is not one of local.roles: %s", address, m.written(block, "role_definition_id"))
			continue
		}
		got[name] = grant{m.written(block, "scope"), found[1] + found[2], m.written(block, "principal_id")}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("role assignments (-want +got):\n%s", diff)
	}
}

// roleFits fails where a call asked for an action that the role lacks, and where the role has an action that no call
// asked for.
func roleFits(t *testing.T, calls []arm.Call) {
	t.Helper()
	asked := map[string]bool{}
	for _, call := range calls {
		if !imageActions[call.Action].called {
			t.Errorf("%s %s asks for %q, which the role does not grant", call.Method, call.Path, call.Action)
		}
		if call.Status == http.StatusForbidden || call.Status == http.StatusUnauthorized {
			t.Errorf("%s %s was answered %d", call.Method, call.Path, call.Status)
		}
		asked[call.Action] = true
	}
	for action, use := range imageActions {
		if use.called && !asked[action] {
			t.Errorf("the role grants %s, which no call asks for", action)
		}
	}
}

// printCalls is the table of calls made against role actions, for `go test -v`.
func printCalls(t *testing.T, calls []arm.Call) {
	t.Helper()
	made := map[string]int{}
	for _, call := range calls {
		made[call.Action+" "+call.Method]++
	}
	for _, action := range slices.Sorted(maps.Keys(imageActions)) {
		var methods []string
		for _, method := range []string{"GET", "PUT", "POST", "DELETE"} {
			if n := made[action+" "+method]; n > 0 {
				methods = append(methods, fmt.Sprintf("%s × %d", method, n))
			}
		}
		if len(methods) == 0 {
			methods = []string{"asked for by ARM itself: " + readModule(t).local(t, "image_actions").AsValueMap()[action].AsString()}
		}
		t.Logf("%-52s %s", action, strings.Join(methods, ", "))
	}
}

// A misspelt action grants nothing and is no error anywhere.
func TestActionsAreSpelt(t *testing.T) {
	known := regexp.MustCompile(`^Microsoft\.Compute/(images|virtualMachines|disks|snapshots|diskEncryptionSets|locations)(/instanceView|/operations)?(/generalize)?/(read|write|delete|action)$`)
	for action := range readModule(t).local(t, "image_actions").AsValueMap() {
		if !known.MatchString(action) {
			t.Errorf("%s is no action of Microsoft.Compute", action)
		}
	}
}
