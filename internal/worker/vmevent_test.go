package worker_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"goldmint/emulator/arm"
	"goldmint/internal/vmevent"
)

// The usual way by hand, and the usual outcome.
var (
	byHand = []step{vm("web", 1), do("deallocate", "web"), do("generalize", "web")}
	image  = []string{"web-aaaaaaaabbbb"}
	built  = []string{"asked web-aaaaaaaabbbb", "started web-aaaaaaaabbbb", "succeeded web-aaaaaaaabbbb"}
)

func with(first []step, more ...step) []step { return append(append([]step{}, first...), more...) }

// TestVMEvents is the contract of VM events: what happens, and exactly the images and events that
// come of it.
func TestVMEvents(t *testing.T) {
	all := func(p *vmevent.Policy) { p.Mode = vmevent.ModeAll }
	for _, test := range []struct {
		name    string
		policy  func(*vmevent.Policy)
		steps   []step
		images  []string
		events  []string
		ignored []string // reasons, once each
		dead    []string // reasons
	}{
		// Orders.
		{
			name:  "each event as it happens",
			steps: []step{vm("web", 1), do("deallocate", "web"), events, drain, do("generalize", "web"), events, drain}, images: image, events: built,
			ignored: []string{"not generalized"},
		},
		{name: "both events after both operations", steps: with(byHand, events, drain), images: image, events: built},
		{name: "the other way round", steps: with(byHand, backwards, drain), images: image, events: built},
		{name: "the second event when the image is done", steps: with(byHand, only("generalize"), events, drain, do("generalize", "web"), events, drain), images: image, events: built, ignored: []string{"its image exists"}},
		{name: "generalized while stopped, deallocated later", steps: []step{
			vm("web", 1), do("powerOff", "web"), do("generalize", "web"), events, wait(time.Second), do("deallocate", "web"), events, drain,
		}, images: image, events: built, ignored: []string{"its image exists", "other operation"}},
		{name: "the generalize event waits for the deallocation", steps: []step{
			vm("web", 1), do("powerOff", "web"), do("generalize", "web"), only("generalize"), events, handleOne, do("deallocate", "web"), drain,
		}, images: image, events: built},
		{name: "generalized while stopped, never deallocated: ARM decides in the end", steps: []step{
			vm("web", 1), do("powerOff", "web"), do("generalize", "web"), only("generalize"), events, drain,
		}, images: image, events: built},

		{name: "generalized while stopped, the event comes while it is being deallocated", steps: []step{
			vm("web", 1), do("powerOff", "web"), do("generalize", "web"), only("generalize"), begin("deallocate", "web"), events, drain,
		}, images: image, events: built},

		// Missing.
		{name: "the generalize event alone", steps: with(byHand, only("generalize"), events, drain), images: image, events: built},
		{name: "the deallocate event alone, late", steps: with(byHand, only("deallocate"), events, drain), images: image, events: built},
		{name: "deallocated and never generalized", steps: []step{vm("web", 1), do("deallocate", "web"), events, drain}, ignored: []string{"not generalized"}},
		{name: "a generalize event of a VM that is not", steps: []step{
			vm("web", 1), do("deallocate", "web"), received(asGeneralize), drain,
		}, ignored: []string{"not generalized"}},

		// Repeats.
		{name: "Event Grid delivers again", steps: with(byHand, deliver(grid), deliver(grid), drain), images: image, events: built},
		{name: "each event four times, in four forms", steps: with(byHand, deliver(grid, cloud, list, shouted), drain), images: image, events: built},
		{name: "both at once on two workers", steps: with(byHand, workers(2), events, drain), images: image, events: built},
		{name: "eight at once on eight workers", steps: with(byHand, workers(8), deliver(grid, cloud, shouted, urled), drain), images: image, events: built},
		{name: "eight days later, past the duplicate window", steps: with(byHand, events, drain, wait(8*24*time.Hour), do("generalize", "web"), events, drain), images: image, events: built, ignored: []string{"its image exists"}},
		{name: "eight days later, the image deleted", steps: with(byHand, events, drain, remove("images/web-aaaaaaaabbbb"), wait(8*24*time.Hour), do("generalize", "web"), events, drain), images: image, events: slices.Concat(built, built)},
		{name: "the image deleted within the window", steps: with(byHand, events, drain, remove("images/web-aaaaaaaabbbb"), do("generalize", "web"), events, drain), events: built},
		{
			name: "deleted and created again under the same name",
			steps: with(byHand, events, drain, remove("virtualMachines/web"),
				vm("web", 2, func(v *arm.VM) { v.VMID = "99999999-9999-4999-8999-999999999999" }), do("deallocate", "web"), do("generalize", "web"), events, drain),
			images: []string{"web-999999999999", "web-aaaaaaaabbbb"},
			events: append(slices.Clone(built), "asked web-999999999999", "started web-999999999999", "succeeded web-999999999999"),
		},

		// Forms.
		{name: "CloudEvents", steps: with(byHand, deliver(cloud), drain), images: image, events: built},
		{name: "an array of one", steps: with(byHand, deliver(list), drain), images: image, events: built},
		{name: "capital letters", steps: with(byHand, deliver(shouted), drain), images: image, events: built},
		{name: "resourceUrl", steps: with(byHand, deliver(urled), drain), images: image, events: built},

		// Generalized by Goldmint.
		{name: "goldmint-generalize", steps: []step{
			vm("web", 1, tagged("goldmint-generalize", "true")), do("deallocate", "web"), events, drain,
		}, images: image, events: built},
		{name: "goldmint-generalize, and its own event comes back", steps: []step{
			vm("web", 1, tagged("goldmint-generalize", "TRUE")), do("deallocate", "web"), events, drain, events, drain,
		}, images: image, events: built, ignored: []string{"its image exists"}},
		{name: "goldmint-generalize on two workers at once", steps: []step{
			vm("web", 1, tagged("goldmint-generalize", "true")), do("deallocate", "web"), workers(2), deliver(grid, cloud), drain, events, drain,
		}, images: image, events: built, ignored: []string{"its image exists"}},
		{name: "goldmint-generalize, started again meanwhile", steps: []step{
			vm("web", 1, tagged("goldmint-generalize", "true")), do("deallocate", "web"), only("deallocate"), do("start", "web"), only("deallocate"), events, drain,
		}, ignored: []string{"not deallocated"}},
		{name: "goldmint-generalize without the right", steps: []step{
			vm("web", 1, tagged("goldmint-generalize", "true")), do("deallocate", "web"), failing(1000, "POST", "/generalize", 403, "AuthorizationFailed"), events, drain,
		}, events: []string{"failed AuthorizationFailed"}},
		{name: "goldmint-generalize alone is no opt-in", steps: []step{
			vm("web", 1, tagged("goldmint", "", "goldmint-generalize", "true")), do("deallocate", "web"), events, drain,
		}, ignored: []string{"not tagged goldmint=capture"}},

		// Who takes part.
		{name: "not tagged", steps: []step{vm("web", 1, tagged("goldmint", "")), do("deallocate", "web"), do("generalize", "web"), events, drain}, ignored: []string{"not tagged goldmint=capture"}},
		{name: "tagged otherwise", steps: []step{vm("web", 1, tagged("goldmint", "later")), do("deallocate", "web"), do("generalize", "web"), events, drain}, ignored: []string{"not tagged goldmint=capture"}},
		{name: "tag names have no case", steps: []step{vm("web", 1, tagged("goldmint", "", "GoldMint", "Capture")), do("deallocate", "web"), do("generalize", "web"), events, drain}, images: image, events: built},
		{name: "VM_EVENTS=all", policy: all, steps: []step{vm("web", 1, tagged("goldmint", "")), do("deallocate", "web"), do("generalize", "web"), events, drain}, images: image, events: built},
		{name: "VM_EVENTS=off", policy: func(p *vmevent.Policy) { p.Mode = vmevent.ModeOff }, steps: with(byHand, events, drain), ignored: []string{"VM_EVENTS is off"}},
		{
			name:   "a subscription that is not allowed",
			policy: func(p *vmevent.Policy) { p.AllowedSubscriptions = []string{"22222222-2222-4222-8222-222222222222"} },
			steps:  with(byHand, events, drain), ignored: []string{"subscription not allowed"},
		},

		// Where the image goes, and how it is called.
		{name: "goldmint-resource-group", steps: []step{
			vm("web", 1, tagged("goldmint-resource-group", "other")), do("deallocate", "web"), do("generalize", "web"), events, drain,
		}, images: []string{"other/web-aaaaaaaabbbb"}, events: built},
		{name: "VM_RESOURCE_GROUP", policy: func(p *vmevent.Policy) { p.ResourceGroup = "other" }, steps: with(byHand, events, drain), images: []string{"other/web-aaaaaaaabbbb"}, events: built},
		{name: "a group that is not allowed, and the VM stays as it is", policy: func(p *vmevent.Policy) { p.AllowedGroups = []string{"golden"} }, steps: []step{
			vm("web", 1, tagged("goldmint-resource-group", "other", "goldmint-generalize", "true")), do("deallocate", "web"), events, drain, untouched,
		}, events: []string{"failed ResourceGroupNotAllowed"}},
		{name: "a group with no name of Azure's", steps: []step{
			vm("web", 1, tagged("goldmint-resource-group", "../golden")), do("deallocate", "web"), do("generalize", "web"), events, drain,
		}, events: []string{"failed InvalidResourceGroup"}},
		{name: "goldmint-name, repaired", steps: []step{
			vm("web", 1, tagged("goldmint-name", "/golden {vm}..1/")), do("deallocate", "web"), do("generalize", "web"), events, drain,
		}, images: []string{"golden-web.1"}, events: []string{"asked golden-web.1", "started golden-web.1", "succeeded golden-web.1"}},
		{name: "goldmint-name with an unknown placeholder, told once", steps: []step{
			vm("web", 1, tagged("goldmint-name", "{host}")), do("deallocate", "web"), do("generalize", "web"), events, drain,
		}, events: []string{"failed InvalidImageName"}},
		{name: "the name is somebody else's", steps: []step{
			otherImage("golden"), vm("web", 1, tagged("goldmint-name", "golden")), do("deallocate", "web"), do("generalize", "web"), events, drain,
		}, images: []string{"golden"}, events: []string{"failed ImageExists"}},

		// What cannot become a managed image.
		{name: "Trusted Launch, told once", steps: []step{vm("web", 1, security("TrustedLaunch")), do("deallocate", "web"), events, drain, do("generalize", "web"), events, drain}, events: []string{"failed OperationNotAllowed"}},
		{name: "Trusted Launch on two workers at once", steps: []step{vm("web", 1, security("TrustedLaunch")), do("deallocate", "web"), do("generalize", "web"), workers(2), events, drain}, events: []string{"failed OperationNotAllowed"}},
		{name: "Trusted Launch, never generalized by Goldmint", steps: []step{vm("web", 1, security("TrustedLaunch"), tagged("goldmint-generalize", "true")), do("deallocate", "web"), events, drain, untouched}, events: []string{"failed OperationNotAllowed"}},
		{name: "Confidential VM", steps: []step{vm("web", 1, security("ConfidentialVM")), do("deallocate", "web"), do("generalize", "web"), events, drain}, events: []string{"failed OperationNotAllowed"}},
		{name: "in a scale set", steps: []step{
			vm("web", 1, func(v *arm.VM) { v.ScaleSetID = group + "virtualMachineScaleSets/set" }), do("deallocate", "web"), do("generalize", "web"), events, drain,
		}, events: []string{"failed OperationNotAllowed"}},
		{name: "ephemeral OS disk", steps: []step{vm("web", 1, func(v *arm.VM) { v.EphemeralOSDisk = true }), do("deallocate", "web"), do("generalize", "web"), events, drain}, events: []string{"failed OperationNotAllowed"}},
		{name: "Trusted Launch without opt-in is nobody's business", steps: []step{
			vm("web", 1, security("TrustedLaunch"), tagged("goldmint", "")), do("deallocate", "web"), do("generalize", "web"), events, drain,
		}, ignored: []string{"not tagged goldmint=capture"}},
		{name: "Trusted Launch with VM_EVENTS=all", policy: all, steps: []step{
			vm("web", 1, security("TrustedLaunch"), tagged("goldmint", "")), do("deallocate", "web"), do("generalize", "web"), only("generalize"), events, drain,
		}, events: []string{"failed OperationNotAllowed"}},
		{name: "Trusted Launch with VM_EVENTS=all, switched off for the night", policy: all, steps: []step{
			vm("web", 1, security("TrustedLaunch"), tagged("goldmint", "")), do("deallocate", "web"), events, drain,
		}, ignored: []string{"not generalized"}},

		// Errors.
		{name: "ARM shows the old state", steps: []step{vm("web", 1), do("deallocate", "web"), stale(3, "web"), do("generalize", "web"), only("generalize"), events, drain}, images: image, events: built},
		{name: "the VM is gone", steps: with(byHand, remove("virtualMachines/web"), events, drain), ignored: []string{"the VM cannot be read"}},
		{name: "no right to read the VM", steps: with(byHand, failing(1000, "GET", "/web", 403, "AuthorizationFailed"), events, drain), ignored: []string{"the VM cannot be read"}},
		{name: "the right to read the VM comes late", steps: with(byHand, failing(2, "GET", "/web", 403, "AuthorizationFailed"), only("generalize"), events, drain), images: image, events: built},
		{name: "ARM throttles", steps: with(byHand, failing(5, "GET", "/web", 429, "SubscriptionRequestsThrottled"), only("generalize"), events, drain), images: image, events: built},
		{name: "ARM is down while the images are listed", steps: with(byHand, failing(4, "GET", "/images", 503, "ServiceUnavailable"), only("generalize"), events, drain), images: image, events: built},
		{name: "ARM stays down", policy: func(p *vmevent.Policy) { p.MaxWait = time.Hour }, steps: with(byHand, failing(1000, "GET", "/web", 503, "ServiceUnavailable"), events, drain), ignored: []string{"the VM cannot be read"}},
		{name: "no right to list the images", steps: with(byHand, failing(1000, "GET", "/images", 403, "AuthorizationFailed"), events, drain), events: []string{"failed AuthorizationFailed"}},

		// Events that ask nothing.
		{name: "an operation that failed", steps: []step{vm("web", 1), do("deallocate", "web"), received(asGeneralizeFailure), drain}, ignored: []string{"other event type"}},
		{name: "a success that is none", steps: []step{received(strings.Replace(asGeneralize, `"Succeeded"`, `"Failed"`, 1)), drain}, ignored: []string{"operation did not succeed"}},
		{name: "powerOff", steps: []step{vm("web", 1), do("powerOff", "web"), events, drain}, ignored: []string{"other operation"}},
		{name: "a health event", steps: []step{received(`{"specversion":"1.0","id":"1","type":"Microsoft.ResourceNotifications.HealthResources.ResourceAnnotated","data":{"resourceInfo":{}}}`), drain}, ignored: []string{"other event type"}},
		{name: "a subscription's validation", steps: []step{received(`[{"id":"1","eventType":"Microsoft.EventGrid.SubscriptionValidationEvent","data":{"validationCode":"1"}}]`), drain}, ignored: []string{"other event type"}},
		{name: "another resource", steps: []step{received(strings.Replace(asGeneralize, "virtualMachines/web", "disks/web", 1)), drain}, ignored: []string{"other resource type"}},
		{name: "what is below a VM", steps: []step{received(strings.Replace(asGeneralize, "virtualMachines/web", "virtualMachines/web/extensions/agent", 1)), drain}, ignored: []string{"other resource type"}},

		// Wrong.
		{name: "no data.resourceUri", steps: []step{received(strings.Replace(asGeneralize, "resourceUri", "resource", 1)), drain}, events: []string{"rejected InvalidEvent"}, dead: []string{"InvalidEvent"}},
		{name: "no data", steps: []step{received(`{"id":"1","eventType":"Microsoft.Resources.ResourceActionSuccess"}`), drain}, events: []string{"rejected InvalidEvent"}, dead: []string{"InvalidEvent"}},
		{name: "a crafted data.resourceUri", steps: []step{received(strings.Replace(asGeneralize, "virtualMachines/web", "virtualMachines/..", 1)), drain}, events: []string{"rejected InvalidEvent"}, dead: []string{"InvalidEvent"}},
		{name: "a crafted host", steps: []step{received(strings.Replace(asGeneralize, `"/subscriptions/`, `"https://evil.example/subscriptions/`, 1)), drain}, events: []string{"rejected InvalidEvent"}, dead: []string{"InvalidEvent"}},
		{name: "two events in a message", steps: []step{received("[" + asGeneralize + "," + asGeneralize + "]"), drain}, events: []string{"rejected InvalidEvent"}, dead: []string{"InvalidEvent"}},
		{name: "a list that is no event", steps: []step{received(`[1,2]`), drain}, events: []string{"rejected InvalidJSON"}, dead: []string{"InvalidJSON"}},
		{
			name:   "a crafted continuation",
			steps:  []step{received(`{"specversion":"1.0","type":"goldmint.vm.continuation","id":"1","source":"s","data":{"event":{"id":"1","operation":"start","vm":"` + group + `virtualMachines/web"},"seq":1}}`), drain},
			events: []string{"rejected InvalidContinuation"}, dead: []string{"InvalidContinuation"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, test.policy)
			for _, s := range test.steps {
				s(r)
			}
			failing(0, "", "", 0, "")(r)
			compare(t, "images", test.images, r.images())
			compare(t, "events", test.events, r.events)
			if test.ignored != nil {
				compare(t, "ignored", test.ignored, r.ignored())
			}
			compare(t, "dead letters", test.dead, r.deadLetters())
			for _, l := range r.logs.All() {
				if text := fmt.Sprint(l.Message, l.ContextMap()); strings.Contains(text, "ada@example.com") || strings.Contains(text, "Ada Example") {
					t.Errorf("the log names the caller: %s", text)
				}
			}
		})
	}
}

func compare(t *testing.T, what string, want, got []string) {
	t.Helper()
	if diff := cmp.Diff(append([]string{}, want...), append([]string{}, got...)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func security(kind string) func(*arm.VM) { return func(v *arm.VM) { v.SecurityType = kind } }

// handleOne handles the one message in the queue and leaves what comes of it for later.
func handleOne(r *rig) {
	r.Helper()
	for _, q := range r.queues { // taken, and carried on
		messages, err := q.receiver.ReceiveMessages(r.Context(), 1, nil)
		if err != nil || len(messages) != 1 {
			r.Fatalf("%d messages, %v", len(messages), err)
		}
		r.handle(q, messages[0])
	}
}

// untouched holds that Goldmint did not generalize anything.
func untouched(r *rig) {
	r.Helper()
	for _, c := range r.arm.Calls() {
		if c.Method == http.MethodPost && strings.HasSuffix(c.Path, "/generalize") {
			r.Errorf("the VM was generalized: %s", c.Path)
		}
	}
}

const (
	vmID                = group + "virtualMachines/web"
	asGeneralize        = `{"id":"e","eventType":"Microsoft.Resources.ResourceActionSuccess","eventTime":"2026-11-23T09:31:00Z","data":{"operationName":"Microsoft.Compute/virtualMachines/generalize/action","status":"Succeeded","resourceUri":"` + vmID + `"}}`
	asGeneralizeFailure = `{"id":"e","eventType":"Microsoft.Resources.ResourceActionFailure","eventTime":"2026-11-23T09:31:00Z","data":{"operationName":"Microsoft.Compute/virtualMachines/generalize/action","status":"Failed","resourceUri":"` + vmID + `"}}`
)
