package deploy_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"goldmint/emulator/arm"
	"goldmint/internal/localazure"
	"goldmint/internal/request"
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

// The actions of the custom roles, by the local that lists them. A called one stands for requests
// that the handler itself sends to Resource Manager; the others are asked for by Resource Manager
// where a request refers to such a resource.
var customRoles = map[string]map[string]struct{ called bool }{
	"image_actions": {
		"Microsoft.Compute/images/read":                       {called: true},
		"Microsoft.Compute/images/write":                      {called: true},
		"Microsoft.Compute/images/delete":                     {called: true},
		"Microsoft.Compute/virtualMachines/read":              {called: true},
		"Microsoft.Compute/virtualMachines/instanceView/read": {called: false},
		"Microsoft.Compute/virtualMachines/generalize/action": {called: true},
		"Microsoft.Compute/locations/operations/read":         {called: true},
		"Microsoft.Compute/disks/read":                        {called: true},
		"Microsoft.Compute/snapshots/read":                    {called: true},
		"Microsoft.Compute/diskEncryptionSets/read":           {called: false},
	},
	"gallery_actions": {
		"Microsoft.Compute/galleries/images/versions/read":   {called: true},
		"Microsoft.Compute/galleries/images/versions/write":  {called: true},
		"Microsoft.Compute/galleries/images/versions/delete": {called: true},
		"Microsoft.Compute/locations/capsOperations/read":    {called: true},
	},
	"gallery_source_actions": {
		"Microsoft.Compute/virtualMachines/read":  {called: true},
		"Microsoft.Compute/disks/read":            {called: true},
		"Microsoft.Compute/snapshots/read":        {called: true},
		"Microsoft.Compute/virtualMachines/write": {called: false},
		"Microsoft.Compute/disks/write":           {called: false},
		"Microsoft.Compute/snapshots/write":       {called: false},
	},
}

// deployedActions are what the function may do where a deployment names galleries and sources, each
// with its reason.
func deployedActions(t *testing.T, roles ...string) map[string]string {
	t.Helper()
	m, all := readModule(t), map[string]string{}
	for _, role := range roles {
		for action, why := range m.local(t, role).AsValueMap() {
			all[action] = why.AsString()
		}
	}
	return all
}

// everyRole are the locals that list the actions of the custom roles.
func everyRole() []string { return slices.Sorted(maps.Keys(customRoles)) }

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
	for role, actions := range customRoles {
		got := deployedActions(t, role)
		if diff := cmp.Diff(slices.Sorted(maps.Keys(actions)), slices.Sorted(maps.Keys(got))); diff != "" {
			t.Errorf("local.%s (-want +got):\n%s", role, diff)
		}
		for action, why := range got {
			if len(why) < 10 {
				t.Errorf("%s: say why it is needed, not %q", action, why)
			}
		}
	}
}

// All role assignments: identity, role and scope. A right that is not in this table is too much.
func TestRoleAssignments(t *testing.T) {
	type grant struct{ Scope, Role, Principal string }
	const function = "azurerm_user_assigned_identity.function.principal_id"
	want := map[string]grant{
		"function_images":          {"each.value", "azurerm_role_definition.images", function},
		"function_galleries":       {"each.value", "azurerm_role_definition.galleries", function},
		"function_gallery_sources": {"each.value", "azurerm_role_definition.gallery_sources", function},
		"function_requests":        {"azurerm_servicebus_queue.requests.id", "service_bus_data_receiver", function},
		"function_builds":          {"azurerm_servicebus_queue.builds.id", "service_bus_data_owner", function},
		"operators_receive":        {"each.value.queue", "service_bus_data_receiver", "each.value.principal"},
		"operators_send":           {"each.value.queue", "service_bus_data_sender", "each.value.principal"},
		"function_topic_sender":    {"azurerm_servicebus_topic.events.id", "service_bus_data_sender", function},
		"function_storage":         {"azurerm_storage_account.main.id", "storage_blob_data_owner", function},
		"function_telemetry":       {"azurerm_application_insights.main.id", "monitoring_metrics_publisher", function},
		"event_grid_queue":         {"azurerm_servicebus_queue.requests.id", "service_bus_data_sender", "local.deliverer_principal_id"},
		"event_grid_dead_letters":  {"azurerm_storage_container.undelivered[0].id", "storage_blob_data_contributor", "local.deliverer_principal_id"},
		"submitters":               {"azurerm_servicebus_queue.requests.id", "service_bus_data_sender", "each.value"},
		"waiters":                  {"azurerm_servicebus_subscription.history.id", "service_bus_data_receiver", "each.value"},
	}
	m := readModule(t)
	role := regexp.MustCompile(`^local\.roles\.(\w+)$|(azurerm_role_definition\.\w+)(?:\[0\])?\.role_definition_id`)
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

// Rights on galleries and on their sources go to what the two variables name, and to nothing unless
// they name something.
func TestGalleryRolesAreOff(t *testing.T) {
	m := readModule(t)
	for assignment, variable := range map[string]string{"function_galleries": "gallery_ids", "function_gallery_sources": "gallery_source_ids"} {
		if got := m.written(m.resources["azurerm_role_assignment."+assignment], "for_each"); got != "var."+variable {
			t.Errorf("%s is for each of %s, want var.%s", assignment, got, variable)
		}
		if preset := m.scope.Variables["var"].GetAttr(variable); preset.LengthInt() != 0 {
			t.Errorf("%s is %#v by default", variable, preset)
		}
	}
}

// roleFits fails where a call asked for an action that the roles lack, and where a role has an
// action that no call asked for.
func roleFits(t *testing.T, calls []arm.Call) {
	t.Helper()
	granted, asked := map[string]bool{}, map[string]bool{}
	for _, actions := range customRoles {
		for action, use := range actions {
			granted[action] = use.called
		}
	}
	for _, call := range calls {
		if !granted[call.Action] {
			t.Errorf("%s %s asks for %q, which no role grants", call.Method, call.Path, call.Action)
		}
		if call.Status == http.StatusForbidden || call.Status == http.StatusUnauthorized {
			t.Errorf("%s %s was answered %d", call.Method, call.Path, call.Status)
		}
		asked[call.Action] = true
	}
	for action, called := range granted {
		if called && !asked[action] {
			t.Errorf("a role grants %s, which no call asks for", action)
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
	for _, role := range everyRole() {
		why := deployedActions(t, role)
		for _, action := range slices.Sorted(maps.Keys(why)) {
			var methods []string
			for _, method := range []string{"GET", "PUT", "POST", "DELETE"} {
				if n := made[action+" "+method]; n > 0 {
					methods = append(methods, fmt.Sprintf("%s × %d", method, n))
				}
			}
			if len(methods) == 0 {
				methods = []string{"asked for by ARM itself: " + why[action]}
			}
			t.Logf("%-22s %-52s %s", role, action, strings.Join(methods, ", "))
		}
	}
}

// A misspelt action grants nothing and is no error anywhere.
func TestActionsAreSpelt(t *testing.T) {
	known := regexp.MustCompile(`^Microsoft\.Compute/(images|virtualMachines|disks|snapshots|diskEncryptionSets|locations|galleries/images/versions)(/instanceView|/operations|/capsOperations)?(/generalize)?/(read|write|delete|action)$`)
	for action := range deployedActions(t, everyRole()...) {
		if !known.MatchString(action) {
			t.Errorf("%s is no action of Microsoft.Compute", action)
		}
	}
}

// Resource Manager asks for a right on the source of a version too. Each right is in a role, and
// each right in a role is used.
func TestRightsOnGallerySources(t *testing.T) {
	for example, action := range map[string]string{
		"from-managed-image": "Microsoft.Compute/images/read",
		"from-version":       "Microsoft.Compute/galleries/images/versions/read",
		"from-vm":            "Microsoft.Compute/virtualMachines/write",
		"from-disk":          "Microsoft.Compute/disks/write",
		"from-snapshot":      "Microsoft.Compute/snapshots/write",
	} {
		all := deployedActions(t, everyRole()...)
		if status, body := putVersion(t, example, all); status != http.StatusCreated {
			t.Errorf("%s with all roles: %d %s", example, status, body)
		}
		delete(all, action)
		if status, body := putVersion(t, example, all); status != http.StatusForbidden || !strings.Contains(body, "LinkedAuthorizationFailed") || !strings.Contains(body, "'"+action+"'") {
			t.Errorf("%s without %s: %d %s", example, action, status, body)
		}
	}
	if status, body := putVersion(t, "from-vm", deployedActions(t, "image_actions")); status != http.StatusForbidden || !strings.Contains(body, "Microsoft.Compute/galleries/images/versions/write") {
		t.Errorf("a deployment that names no gallery publishes a version: %d %s", status, body)
	}
	// The keys of a storage account open all of its content, so no role grants them.
	if status, body := putVersion(t, "from-vhd", deployedActions(t, everyRole()...)); status != http.StatusForbidden || !strings.Contains(body, "Microsoft.Storage/storageAccounts/listKeys/action") {
		t.Errorf("from-vhd: %d %s", status, body)
	}
}

// putVersion asks a Resource Manager, whose caller has these rights, for the version of an example.
func putVersion(t *testing.T, example string, rights map[string]string) (status int, body string) {
	t.Helper()
	text, err := os.ReadFile("../examples/requests-gallery/" + example + ".json")
	if err != nil {
		t.Fatal(err)
	}
	r, err := request.Decode(text)
	if err != nil {
		t.Fatal(err)
	}
	manager := arm.Start(t, arm.Options{Role: slices.Collect(maps.Keys(rights))})
	(&localazure.Azure{ARM: manager}).MakeSources(r)
	version, err := json.Marshal(r.GalleryImageVersion)
	if err != nil {
		t.Fatal(err)
	}
	put, err := http.NewRequestWithContext(t.Context(), http.MethodPut, manager.Endpoint()+r.ResourceID(localazure.SubscriptionID)+"?api-version=2026-03-03", bytes.NewReader(version))
	if err != nil {
		t.Fatal(err)
	}
	put.Header.Set("Authorization", "Bearer a-token")
	put.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(put)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(answer)
}
