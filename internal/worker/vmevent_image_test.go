package worker_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"goldmint/internal/vmevent"
)

// captured is the image as ARM shows it.
type captured struct {
	Location   string
	Tags       map[string]string
	Properties struct {
		HyperVGeneration     string
		SourceVirtualMachine struct{ ID string }
		StorageProfile       struct{ ZoneResilient bool }
	}
}

func (r *rig) image(name string) captured {
	r.Helper()
	text, ok := r.arm.Image(group + "images/" + name)
	if !ok {
		r.Fatalf("no image %s", name)
	}
	var i captured
	if err := json.Unmarshal(text, &i); err != nil {
		r.Fatal(err)
	}
	return i
}

// TestVMImage: what the image has from its VM.
func TestVMImage(t *testing.T) {
	r := newRig(t, func(p *vmevent.Policy) { p.CopyTags, p.ZoneResilient = []string{"Team", "cost-center"}, true })
	for _, s := range []step{
		vm("web", 1, tagged("team", "web", "Cost-Center", "42", "secret", "s", "goldmint-name", "{vm}-{date}-{time}")),
		do("deallocate", "web"), do("generalize", "web"), only("generalize"),
	} {
		s(r)
	}
	action := r.actions[0]
	for _, s := range []step{events, drain} {
		s(r)
	}
	at := action.Ended.UTC()
	i := r.image("web-" + at.Format("20060102-150405"))
	if i.Location != "westeurope" || i.Properties.HyperVGeneration != "V2" || !i.Properties.StorageProfile.ZoneResilient || i.Properties.SourceVirtualMachine.ID != vmID {
		t.Errorf("image %+v", i)
	}
	build := i.Tags["goldmint-build-id"]
	if !strings.HasPrefix(build, "vm-"+fmt.Sprintf(vmGUID, 1)+"/") {
		t.Errorf("build tag %q", build)
	}
	delete(i.Tags, "goldmint-build-id")
	delete(i.Tags, "goldmint-requested-at")
	want := map[string]string{
		"team": "web", "Cost-Center": "42",
		"goldmint-source-unique-id": fmt.Sprintf(vmGUID, 1), "goldmint-source-id": vmID,
		"source-event-time": at.Format(time.RFC3339), "source-correlation-id": action.CorrelationID,
	}
	if diff := cmp.Diff(want, i.Tags); diff != "" {
		t.Errorf("tags (-want +got):\n%s", diff)
	}
}

// TestVMTagsOverTheSetting: the VM's tag wins over VM_ZONE_RESILIENT.
func TestVMTagsOverTheSetting(t *testing.T) {
	for tag, want := range map[string]bool{"": true, "false": false, "perhaps": true} {
		r := newRig(t, func(p *vmevent.Policy) { p.ZoneResilient = true })
		for _, s := range []step{
			vm("web", 1, tagged("goldmint-zone-resilient", tag)), do("deallocate", "web"), do("generalize", "web"), events, drain,
		} {
			s(r)
		}
		if got := r.image("web-aaaaaaaabbbb").Properties.StorageProfile.ZoneResilient; got != want {
			t.Errorf("tag %q: zone resilient %v", tag, got)
		}
	}
}

// TestVMTagsThatDoNotFit: provenance comes first, tags without room or with reserved names are left
// out and reported.
func TestVMTagsThatDoNotFit(t *testing.T) {
	copied := []string{"azure-reserved", "source-event-time", "goldmint"}
	var many []string
	for i := range 46 {
		name := fmt.Sprintf("tag-%02d", i)
		copied = append(copied, name)
		many = append(many, name, "v")
	}
	r := newRig(t, func(p *vmevent.Policy) { p.CopyTags = copied })
	for _, s := range []step{
		vm("web", 1, tagged(many...), tagged("azure-reserved", "x", "Source-Event-Time", "mine")), do("deallocate", "web"), do("generalize", "web"), only("generalize"), events, drain,
	} {
		s(r)
	}
	i := r.image("web-aaaaaaaabbbb")
	names := slices.Sorted(maps.Keys(i.Tags))
	if len(names) != 48 || i.Tags["source-event-time"] == "mine" || i.Tags["tag-00"] != "v" {
		t.Errorf("%d tags: %v", len(names), names)
	}
	left := fmt.Sprint(r.logs.FilterMessage("vm_event_requested").All()[0].ContextMap()["tagsLeftOut"])
	for _, name := range []string{"Source-Event-Time", "azure-reserved", "tag-45"} {
		if !strings.Contains(left, name) {
			t.Errorf("%s is not reported as left out: %s", name, left)
		}
	}
}

// TestVMFailureIsTold: the failed event can be parsed, and has ARM's words and what to do.
func TestVMFailureIsTold(t *testing.T) {
	r := newRig(t, nil)
	for _, s := range []step{vm("web", 1, security("TrustedLaunch")), do("deallocate", "web"), events} {
		s(r)
	}
	handleOne(r)
	entries, err := r.history.ReadAll(t.Context())
	if err != nil || len(entries) != 1 {
		t.Fatalf("%d events, %v", len(entries), err)
	}
	e := entries[0].Event
	d := e.Data
	if d.BuildID != "vm-"+fmt.Sprintf(vmGUID, 1) || e.ID != d.BuildID+"/"+d.Digest[:32]+"/ended/0" || d.Source.ID != vmID || d.Source.Type != "virtualMachine" ||
		d.Location != "westeurope" || d.RequestedAt.IsZero() || d.EndedAt.IsZero() || e.Subject != group+"images/web-aaaaaaaabbbb" {
		t.Errorf("event %+v", e)
	}
	for _, want := range []string{"Creation of managed images are not supported for virtual machine with TrustedLaunch security type.", "Compute Gallery"} {
		if !strings.Contains(d.Error.Message, want) {
			t.Errorf("the message does not say %q: %s", want, d.Error.Message)
		}
	}
	if strings.Contains(string(entries[0].Body), "Ada") {
		t.Error("the event names the caller")
	}
}
