package vmevent

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"goldmint/internal/armid"
)

var enqueued = time.Date(2026, 11, 23, 9, 31, 5, 0, time.UTC)

func sample(tb testing.TB, name string) []byte {
	tb.Helper()
	body, err := os.ReadFile(filepath.Join("testdata", "event-grid", name))
	if err != nil {
		tb.Fatal(err)
	}
	return body
}

// TestDecodeSamples reads Event Grid's bodies in both schemas.
func TestDecodeSamples(t *testing.T) {
	web := Event{
		ID:            "88888888-8888-8888-8888-888888888880",
		Operation:     Generalize,
		VM:            ID{armid.ID{SubscriptionID: "00000000-0000-0000-0000-000000000000", ResourceGroup: "golden-rg", Type: "virtualMachines", Name: "build-vm-01"}},
		Time:          time.Date(2026, 11, 23, 9, 31, 0, 602255900, time.UTC),
		CorrelationID: "66666666-6666-6666-6666-666666666666",
	}
	off := web
	off.ID, off.Operation, off.Time = "88888888-8888-8888-8888-888888888881", Deallocate, web.Time.Add(time.Second)
	ofGroup := web
	ofGroup.ID, ofGroup.Time = "99999999-9999-9999-9999-999999999999", web.Time.Truncate(time.Second)
	for name, want := range map[string]any{
		"eventgrid-generalize-subscription.json":                 web,
		"eventgrid-generalize-resourcegroup.json":                ofGroup,
		"cloudevents-generalize-subscription.json":               web,
		"eventgrid-deallocate-subscription.json":                 off,
		"cloudevents-deallocate-subscription.json":               off,
		"eventgrid-generalize-failure.json":                      OtherType,
		"eventgrid-powerOff-subscription.json":                   OtherOperation,
		"cloudevents-powerOff-subscription.json":                 OtherOperation,
		"eventgrid-health-resourceannotated-deallocation.json":   OtherType,
		"cloudevents-health-resourceannotated-deallocation.json": OtherType,
	} {
		got, err := Decode(sample(t, name), enqueued)
		var ignored *Ignored
		switch {
		case errors.As(err, &ignored):
			if want != ignored.Reason {
				t.Errorf("%s: ignored for %q, want %v", name, ignored.Reason, want)
			}
		case err != nil || !reflect.DeepEqual(any(got), want):
			t.Errorf("%s: %+v, %v, want %+v", name, got, err, want)
		}
	}
}

const plain = `{"id":"e","eventType":"Microsoft.Resources.ResourceActionSuccess","eventTime":"2026-11-23T09:31:00Z","data":{` +
	`"operationName":"Microsoft.Compute/virtualMachines/generalize/action","correlationId":"not a GUID",` +
	`"resourceUri":"/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/vm"}}`

// TestDecodeVariants changes one thing of an event at a time.
func TestDecodeVariants(t *testing.T) {
	const ok = ""
	for _, test := range []struct{ name, from, to, want string }{
		{"as it is", "", "", ok},
		{"no time", `"eventTime":"2026-11-23T09:31:00Z",`, "", ok},
		{"unknown fields", `{"id"`, `{"new":[{}],"id"`, ok},
		{"no leading slash", `"/subscriptions`, `"subscriptions`, ok},
		{"a group with letters of its own", `/rg/`, `/größe.(1)/`, ok},
		{"a VM with letters of its own", `virtualMachines/vm"`, `virtualMachines/web-prüfung-データ"`, ok},
		{"no id", `"id":"e",`, "", "id is missing, or longer than 256 bytes"},
		{"an endless id", `"e"`, `"` + strings.Repeat("e", 257) + `"`, "id is missing, or longer than 256 bytes"},
		{"no type", `"eventType":"Microsoft.Resources.ResourceActionSuccess",`, "", "the event has no type"},
		{"an odd time", `2026-11-23T09:31:00Z`, `yesterday`, "the event's time is not a time such as 2026-11-23T09:31:00Z"},
		{"an old CloudEvents", `{"id"`, `{"specversion":"0.3","type":"x","id"`, "specversion is not 1.0"},
		{"no operation", `"operationName"`, `"operation"`, "data.operationName is missing"},
		{"data is text", `"data":{`, `"data":"x","more":{`, "data is missing, or not that of an action on a resource"},
		{"id is a number", `"id":"e"`, `"id":7`, "the event is not a JSON object with an event's fields"},
		{"no JSON", `{"id"`, `{id`, "the event is not a JSON object with an event's fields"},
		{"no subscription", "00000000-0000-0000-0000-000000000000", "mine", "data.resourceUri is not the resource ID of a VM: its subscription is not a GUID"},
		{"a group of dots", "/rg/", "/../", "data.resourceUri is not the resource ID of a VM: its resource group has a name that Azure does not allow"},
		{"a query behind the VM", "virtualMachines/vm", "virtualMachines/vm?x=1", "data.resourceUri is not the resource ID of a VM: its last part is a name that Azure does not allow"},
		{"an escaped VM", "virtualMachines/vm", "virtualMachines/%2e%2e", "data.resourceUri is not the resource ID of a VM: its last part is a name that Azure does not allow"},
		{
			"a management group", "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups", "/providers/Microsoft.Management/managementGroups",
			"data.resourceUri is not the resource ID of a VM: it has to be /subscriptions/{guid}/resourceGroups/{name}/providers/Microsoft.Compute/virtualMachines/{name}",
		},
		{"a disk", "virtualMachines/vm", "disks/vm", string(OtherResource)},
		{"another provider", "providers/Microsoft.Compute", "providers/Microsoft.ClassicCompute", string(OtherResource)},
		{"restart", "generalize/action", "restart/action", string(OtherOperation)},
		{"a scale set's VM", "virtualMachines/generalize", "virtualMachineScaleSets/virtualMachines/deallocate", string(OtherOperation)},
		{"cancelled", "ActionSuccess", "ActionCancel", string(OtherType)},
	} {
		t.Run(test.name, func(t *testing.T) {
			body := strings.Replace(plain, test.from, test.to, 1)
			if test.from != "" && body == plain {
				t.Fatal("nothing was changed")
			}
			e, err := Decode([]byte(body), enqueued)
			if got := text(err); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
			if err == nil && (e.CorrelationID != "" || e.Time.IsZero() || e.Operation != Generalize) {
				t.Errorf("event %+v", e)
			}
		})
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// FuzzDecode: any body is an event whose ID can be put into a URL, or one of the two refusals, and
// nothing of the caller's claims is kept.
func FuzzDecode(f *testing.F) {
	samples, err := filepath.Glob("testdata/event-grid/*.json")
	if err != nil || len(samples) < 10 {
		f.Fatalf("%d samples, %v", len(samples), err)
	}
	for _, s := range samples {
		f.Add(sample(f, filepath.Base(s)))
	}
	f.Add([]byte(plain))
	f.Add([]byte("[" + plain + "]"))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, body []byte) {
		e, err := Decode(body, enqueued)
		if err != nil {
			var ignored *Ignored
			var malformed *Malformed
			if !errors.As(err, &ignored) && !errors.As(err, &malformed) {
				t.Fatalf("error %v", err)
			}
			return
		}
		again, err := ParseID(e.VM.String())
		if err != nil || again != e.VM || strings.ContainsAny(e.VM.String(), "?#%\\ ") || strings.Contains(e.VM.String(), "..") {
			t.Fatalf("VM %q: %v", e.VM, err)
		}
		w := New(e, enqueued)
		if err := w.Check(); err != nil {
			t.Fatalf("its continuation would be refused: %v", err)
		}
		if key := w.Key(); len(key) != len("vm-event-")+24 {
			t.Fatalf("key %q", key)
		}
	})
}
