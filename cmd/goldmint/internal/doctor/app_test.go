package doctor_test

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"goldmint/cmd/goldmint/internal/doctor"
	"goldmint/cmd/goldmint/internal/namespace"
)

// The answers below are a stub's, written after the examples of Azure's REST documentation: no emulator knows these services.
const (
	subscription = "/subscriptions/11111111-2222-3333-4444-555555555555"
	deployed     = subscription + "/resourceGroups/rg-goldmint-dev"
	appID        = deployed + "/providers/Microsoft.Web/sites/func-dev"
	busID        = deployed + "/providers/Microsoft.ServiceBus/namespaces/sb-dev"
	storageID    = deployed + "/providers/Microsoft.Storage/storageAccounts/stdev"
	topicID      = deployed + "/providers/Microsoft.EventGrid/systemTopics/evgt"
	roleID       = "/providers/Microsoft.Authorization/roleDefinitions/"
	assignments  = subscription + "/providers/Microsoft.Authorization/roleAssignments"
)

func assigned(role, scope string) string {
	return `{"properties": {"roleDefinitionId": "` + subscription + roleID + role + `", "scope": "` + scope + `"}}`
}

// answers are those of a healthy deployment, by path.
func answers() map[string]string {
	all := map[string]string{
		appID:                              `{"identity": {"type": "UserAssigned", "userAssignedIdentities": {"id": {"principalId": "p", "clientId": "c"}}}}`,
		appID + "/functions":               `{"value": [{"name": "func-dev/take-request"}, {"name": "func-dev/build-image"}]}`,
		appID + "/config/appsettings/list": `{"properties": {"AzureWebJobsStorage__accountName": "stdev"}}`,
		deployed + "/providers/Microsoft.Storage/storageAccounts":    `{"value": [{"id": "` + storageID + `", "name": "stdev"}]}`,
		storageID + "/blobServices/default/containers/ratelimit":     `{"name": "ratelimit"}`,
		busID + "/queues/image-requests":                             `{"properties": {"status": "Active", "countDetails": {"activeMessageCount": 0, "scheduledMessageCount": 0, "deadLetterMessageCount": 0}}}`,
		busID + "/queues/image-builds":                               `{"properties": {"status": "Active", "countDetails": {"activeMessageCount": 1, "scheduledMessageCount": 3, "deadLetterMessageCount": 0}}}`,
		subscription + "/providers/Microsoft.EventGrid/systemTopics": `{"value": [{"id": "` + topicID + `", "name": "evgt"}]}`,
		topicID + "/eventSubscriptions":                              `{"value": [{"name": "goldmint-dev", "properties": {"provisioningState": "Succeeded", "deliveryWithResourceIdentity": {"destination": {"endpointType": "ServiceBusQueue", "properties": {"resourceId": "` + busID + `/queues/image-requests"}}}}}]}`,
		topicID + "/providers/Microsoft.Insights/metrics":            `{"value": [{"name": {"value": "DeadLetteredCount"}, "timeseries": [{"data": [{"total": 0}]}]}, {"name": {"value": "DroppedEventCount"}, "timeseries": []}]}`,
		subscription + roleID + "builder":                            `{"properties": {"permissions": [{"actions": ["` + strings.Join(role(), `", "`) + `"]}]}}`,
		assignments: `{"value": [` + strings.Join([]string{
			assigned("4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0", busID+"/queues/image-requests"),
			assigned("090c5cfd-751d-490a-894a-3ce6f1109419", busID+"/queues/image-builds"),
			assigned("69a216fc-b8fb-44d8-bc22-1f3c2cd27a39", busID+"/topics/image-events"),
			assigned("b7e6dc6d-f1e8-4753-8033-0f276bb0955b", storageID),
			assigned("builder", group),
		}, ", ") + `]}`,
	}
	for _, name := range []string{"App", "Compute", "EventGrid", "ServiceBus", "Storage", "Web"} {
		all[subscription+"/providers/Microsoft."+name] = `{"registrationState": "Registered"}`
	}
	return all
}

// examineApp gives what the doctor finds out over Resource Manager, but for the last word about the rest.
func examineApp(t *testing.T, stub map[string]string) []doctor.Finding {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, known := stub[r.URL.Path]
		switch {
		case !known:
			http.Error(w, `{"error": {"code": "ResourceNotFound"}}`, http.StatusNotFound)
		case answer == "403":
			http.Error(w, `{"error": {"code": "AuthorizationFailed"}}`, http.StatusForbidden)
		default:
			_, _ = w.Write([]byte(answer))
		}
	}))
	t.Cleanup(server.Close)
	d, _ := deployment(t, nil)
	d.ARMEndpoint, d.App, d.Namespace = server.URL, appID, namespace.Address{Host: "sb-dev.servicebus.windows.net"}
	var found []doctor.Finding
	d.Examine(t.Context(), func(f doctor.Finding) { found = append(found, f) })
	last := found[len(found)-1]
	if last.Check != "the rest" || last.Result != doctor.Unknown {
		t.Errorf("the doctor does not say what it cannot see: %+v", last)
	}
	first := slices.IndexFunc(found, func(f doctor.Finding) bool { return f.Check == "functions of func-dev" })
	return found[first : len(found)-1]
}

func TestAppIsHealthy(t *testing.T) {
	found := examineApp(t, answers())
	for _, f := range found {
		if f.Result != doctor.OK {
			t.Errorf("%+v", f)
		}
	}
	if len(found) != 8 {
		t.Errorf("%d checks, want 8", len(found))
	}
}

// Each of ten broken things is found, alone, with its fix in one line.
func TestAppIsBroken(t *testing.T) {
	for name, tt := range map[string]struct {
		path, from, to string
		check          string
		result         doctor.Result
		hint           string
	}{
		"a function is not listed":      {appID + "/functions", `, {"name": "func-dev/build-image"}`, "", "functions of func-dev", doctor.Failed, "infra/app.sh sync 11111111-2222-3333-4444-555555555555 rg-goldmint-dev func-dev"},
		"an empty storage setting":      {appID + "/config/appsettings/list", `{"Azure`, `{"AzureWebJobsStorage": "", "Azure`, "app settings of func-dev", doctor.Failed, "infra/app.sh clean"},
		"settings that nobody may list": {appID + "/config/appsettings/list", "", "403", "app settings of func-dev", doctor.Unknown, "Website Contributor"},
		"no Data Owner":                 {assignments, "090c5cfd-751d-490a-894a-3ce6f1109419", "69a216fc-b8fb-44d8-bc22-1f3c2cd27a39", "roles of the function's identity", doctor.Failed, "apply"},
		"a role on another group":       {assignments, group, group + "2", "roles of the function's identity", doctor.Failed, "apply"},
		"dead letters":                  {busID + "/queues/image-requests", `"deadLetterMessageCount": 0`, `"deadLetterMessageCount": 2`, "messages in image-requests", doctor.Failed, "goldmint dead-letters list"},
		"a queue that is disabled":      {busID + "/queues/image-builds", "Active", "Disabled", "messages in image-builds", doctor.Failed, "--status Active"},
		"no container":                  {storageID + "/blobServices/default/containers/ratelimit", "", "404", "container ratelimit", doctor.Failed, "apply"},
		"no event subscription":         {topicID + "/eventSubscriptions", "image-requests", "image-builds", "VM events", doctor.Failed, "apply"},
		"events that were lost":         {topicID + "/providers/Microsoft.Insights/metrics", `"total": 0`, `"total": 4`, "VM events", doctor.Failed, "Data Sender"},
		"a provider not registered":     {subscription + "/providers/Microsoft.App", "Registered", "NotRegistered", "resource providers", doctor.Failed, "az provider register --wait -n Microsoft.App"},
	} {
		t.Run(name, func(t *testing.T) {
			stub := maps.Clone(answers())
			switch changed := strings.Replace(stub[tt.path], tt.from, tt.to, 1); {
			case tt.to == "404":
				delete(stub, tt.path)
			case tt.to == "403":
				stub[tt.path] = "403"
			case changed == stub[tt.path]:
				t.Fatalf("%s has no %q", tt.path, tt.from)
			default:
				stub[tt.path] = changed
			}
			for _, f := range examineApp(t, stub) {
				if f.Check != tt.check {
					if f.Result != doctor.OK {
						t.Errorf("found too: %+v", f)
					}
					continue
				}
				if f.Result != tt.result || !strings.Contains(f.Hint, tt.hint) || strings.Contains(f.Hint, "\n") {
					t.Errorf("%+v, want %s with the hint %q", f, tt.result, tt.hint)
				}
			}
		})
	}
}
