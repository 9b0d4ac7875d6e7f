package arm_test

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"goldmint/emulator/arm"

	"github.com/google/go-cmp/cmp"
)

// TestEventsAreAsDocumented compares with the documented events: the same members of the same
// kinds, and the same values where they are not somebody's ids, times or claims.
func TestEventsAreAsDocumented(t *testing.T) {
	const documented = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/golden-rg/providers/Microsoft.Compute/virtualMachines/build-vm-01"
	action := arm.Action{
		ID: "88888888-8888-8888-8888-888888888880", Operation: "Microsoft.Compute/virtualMachines/generalize/action", ResourceID: documented,
		SubscriptionID: "00000000-0000-0000-0000-000000000000", CorrelationID: "66666666-6666-6666-6666-666666666666",
		ClientRequestID: "77777777-7777-7777-7777-777777777777", ClientIP: "203.0.113.10", Method: "POST",
		URL: "https://management.azure.com" + documented + "/generalize?api-version=2026-04-01", Status: "Succeeded",
		Started: time.Unix(1700000060, 0), Ended: time.Date(2026, 11, 23, 9, 31, 0, 602255900, time.UTC),
	}
	compareEvent(t, "testdata/eventgrid/eventgrid-generalize-subscription.json", action.EventGrid())

	action.ID, action.Operation = "88888888-8888-8888-8888-888888888881", "Microsoft.Compute/virtualMachines/deallocate/action"
	action.URL = strings.Replace(action.URL, "generalize", "deallocate", 1)
	action.Ended = action.Ended.Add(time.Second)
	compareEvent(t, "testdata/eventgrid/cloudevents-deallocate-subscription.json", action.CloudEvent())
}

func compareEvent(t *testing.T, file string, got []byte) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := event(t, text)
	if diff := cmp.Diff(want, event(t, got)); diff != "" {
		t.Errorf("%s (-documented +got)\n%s", file, diff)
	}
	if order := members(string(text)); !slices.Equal(order, members(string(got))) {
		t.Errorf("%s: members are in the order %v, want %v", file, members(string(got)), order)
	}
}

// event is an event without the evidence's principal type and the claims, which differ from caller
// to caller.
func event(t *testing.T, text []byte) map[string]any {
	t.Helper()
	var e map[string]any
	if err := json.Unmarshal(text, &e); err != nil {
		t.Fatal(err)
	}
	data := e["data"].(map[string]any)
	delete(data["authorization"].(map[string]any)["evidence"].(map[string]any), "principalType")
	claims := data["claims"].(map[string]any)
	for _, name := range []string{"aud", "iss", "iat", "nbf", "exp"} {
		if _, ok := claims[name].(string); !ok {
			t.Errorf("claim %s is missing", name)
		}
	}
	delete(data, "claims")
	return e
}

// members lists an event's own members and those of its data, in order.
func members(text string) []string {
	var all []string
	for _, name := range regexp.MustCompile(`"(\w+)":`).FindAllStringSubmatch(text, -1) {
		known := []string{
			"topic", "source", "subject", "eventType", "type", "id", "data", "dataVersion", "eventTime", "time", "specversion",
			"authorization", "claims", "correlationId", "httpRequest", "resourceProvider", "resourceUri", "operationName", "status", "subscriptionId", "tenantId",
		}
		if slices.Contains(known, name[1]) {
			all = append(all, name[1])
		}
	}
	return all
}

func TestEventOfACall(t *testing.T) {
	var events []map[string]any
	s := arm.Start(t, arm.Options{OnAction: func(a arm.Action) {
		var e map[string]any
		if err := json.Unmarshal(a.CloudEvent(), &e); err != nil {
			t.Error(err)
		}
		events = append(events, e)
	}})
	s.PutVM(arm.VM{ID: vmID, Location: "westeurope", Power: arm.Stopped})
	r := newRequest(t, "POST", s.Endpoint()+vmID+"/generalize"+version, "")
	r.Header.Set("x-ms-correlation-request-id", "66666666-6666-6666-6666-666666666666")
	r.Header.Set("x-ms-client-request-id", "77777777-7777-7777-7777-777777777777")
	if got := send(t, s, r); got.status != 200 || got.text != "" {
		t.Fatalf("%d %q", got.status, got.text)
	}
	if len(events) != 1 {
		t.Fatalf("%d events", len(events))
	}
	data := events[0]["data"].(map[string]any)
	if events[0]["type"] != "Microsoft.Resources.ResourceActionSuccess" || events[0]["subject"] != vmID || data["resourceUri"] != vmID ||
		data["correlationId"] != "66666666-6666-6666-6666-666666666666" ||
		data["httpRequest"].(map[string]any)["clientRequestId"] != "77777777-7777-7777-7777-777777777777" {
		t.Errorf("%v", events[0])
	}
}
