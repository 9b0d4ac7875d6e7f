package main

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"goldmint/cmd/goldmint/internal/doctor"
	"goldmint/emulator/identity"
	"goldmint/internal/localazure"
)

// What the doctor reads of a deployment. The namespace has the name of the local one, the first
// label of 127.0.0.1.
const (
	docSubscription = "/subscriptions/" + localazure.SubscriptionID
	docGroup        = docSubscription + "/resourceGroups/rg-goldmint-dev"
	docApp          = docGroup + "/providers/Microsoft.Web/sites/func-goldmint-dev"
	docBus          = docGroup + "/providers/Microsoft.ServiceBus/namespaces/127"
	docStorage      = docGroup + "/providers/Microsoft.Storage/storageAccounts/stgoldmintdev"
	docTopic        = docGroup + "/providers/Microsoft.EventGrid/systemTopics/evgt-goldmint-dev"
	docMetrics      = docTopic + "/providers/Microsoft.Insights/metrics"
	docRoles        = docSubscription + "/providers/Microsoft.Authorization/roleDefinitions/"
	docAssignments  = docSubscription + "/providers/Microsoft.Authorization/roleAssignments"
	docImages       = docSubscription + "/resourceGroups/rg-images"
	docGallery      = docSubscription + "/resourceGroups/rg-galleries/providers/Microsoft.Compute/galleries/corp"
	docSources      = docSubscription + "/resourceGroups/rg-build"
)

const (
	forbidden = "403"
	missing   = "404"
)

// azureStub answers what no emulator knows, with bodies written after the examples of Azure's REST
// documentation, to Reader: it may not list the app settings. Answers are by path; forbidden and
// missing are refusals.
func azureStub() map[string]string {
	assigned := func(role, scope string) string {
		return `{"properties": {"roleDefinitionId": "` + docRoles + role + `", "scope": "` + scope + `"}}`
	}
	role := func(actions ...string) string {
		return `{"properties": {"permissions": [{"actions": ["` + strings.Join(actions, `", "`) + `"], "notActions": []}]}}`
	}
	queue := func(active, scheduled string) string {
		return `{"properties": {"status": "Active", "countDetails": {"activeMessageCount": ` + active + `, "scheduledMessageCount": ` + scheduled + `, "deadLetterMessageCount": 0}}}`
	}
	var images []string
	for _, action := range doctor.Actions() {
		images = append(images, action.Name)
	}
	all := map[string]string{
		docApp:                              `{"identity": {"type": "UserAssigned", "userAssignedIdentities": {"id": {"principalId": "p", "clientId": "c"}}}}`,
		docApp + "/functions":               `{"value": [{"name": "func-goldmint-dev/take-request"}, {"name": "func-goldmint-dev/build-image"}]}`,
		docApp + "/config/appsettings/list": forbidden,
		docStorage + "/blobServices/default/containers/ratelimit":       `{"name": "ratelimit"}`,
		docBus + "/queues/image-requests":                               queue("0", "0"),
		docBus + "/queues/image-builds":                                 queue("1", "3"),
		docSubscription + "/providers/Microsoft.EventGrid/systemTopics": `{"value": [{"id": "` + docTopic + `", "name": "evgt-goldmint-dev"}]}`,
		docTopic + "/eventSubscriptions":                                `{"value": [{"name": "goldmint-dev", "properties": {"provisioningState": "Succeeded", "deliveryWithResourceIdentity": {"destination": {"endpointType": "ServiceBusQueue", "properties": {"resourceId": "` + docBus + `/queues/image-requests"}}}}}]}`,
		docMetrics:                                                      `{"value": [{"name": {"value": "DeadLetteredCount"}, "timeseries": [{"data": [{"total": 0}]}]}, {"name": {"value": "DroppedEventCount"}, "timeseries": []}]}`,
		docRoles + "images":                                             role(images...),
		docRoles + "galleries":                                          role(doctor.GalleryActions()...),
		docRoles + "sources":                                            role(doctor.SourceActions()...),
		docGallery:                                                      `{"name": "corp", "location": "westeurope"}`,
		docGallery + "/images":                                          `{"value": [{"name": "db"}, {"name": "web"}]}`,
		docAssignments: `{"value": [` + strings.Join([]string{
			assigned("4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0", docBus+"/queues/image-requests"),
			assigned("090c5cfd-751d-490a-894a-3ce6f1109419", docBus+"/queues/image-builds"),
			assigned("69a216fc-b8fb-44d8-bc22-1f3c2cd27a39", docBus+"/topics/image-events"),
			assigned("b7e6dc6d-f1e8-4753-8033-0f276bb0955b", docStorage),
			assigned("images", docImages), assigned("galleries", docGallery), assigned("sources", docSources),
		}, ", ") + `]}`,
	}
	for _, name := range doctor.Providers() {
		all[docSubscription+"/providers/"+name] = `{"registrationState": "Registered"}`
	}
	return all
}

// startStub answers from the stub, and what that does not know from the local Resource Manager.
func startStub(t *testing.T, stub map[string]string, manager string, msi *identity.Server) string {
	t.Helper()
	target, err := url.Parse(manager)
	if err != nil {
		t.Fatal(err)
	}
	local := httputil.NewSingleHostReverseProxy(target)
	refuse := func(w http.ResponseWriter, status int, code string) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(`{"error": {"code": "` + code + `", "message": "said by the stub"}}`))
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, known := stub[r.URL.Path]
		_, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		switch {
		case !known:
			local.ServeHTTP(w, r)
		case !msi.Valid(token, "https://management.azure.com"):
			refuse(w, http.StatusUnauthorized, "InvalidAuthenticationToken")
		case answer == forbidden:
			refuse(w, http.StatusForbidden, "AuthorizationFailed")
		case answer == missing:
			refuse(w, http.StatusNotFound, "ResourceNotFound")
		case r.URL.Path == docAssignments && r.URL.Query().Get("$filter") != "assignedTo('p')":
			refuse(w, http.StatusBadRequest, "UnsupportedQuery")
		default:
			_, _ = w.Write([]byte(answer))
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}
