package azure

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"

	"goldmint/emulator/arm"
	"goldmint/internal/armerr"
	"goldmint/internal/build"
	"goldmint/internal/request"
	"goldmint/internal/vmevent"
)

const someGUID = "4f3e9c1a-2b7d-4e0a-9c41-2a6d8e1b7f03"

func parseID(t *testing.T, id string) vmevent.ID {
	t.Helper()
	parsed, err := vmevent.ParseID(id)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// TestVM reads with the real client what decides whether and how a VM is captured.
func TestVM(t *testing.T) {
	s, a := start(t, arm.Options{})
	id := parseID(t, vm)
	asked := parseID(t, strings.ToUpper(vm))
	for name, test := range map[string]struct {
		vm   arm.VM
		want vmevent.VM
	}{
		"running": {
			arm.VM{Tags: map[string]string{"goldmint": "capture"}},
			vmevent.VM{Power: "running", HyperVGeneration: "V1", Tags: map[string]string{"goldmint": "capture"}},
		},
		"ready": {
			arm.VM{Power: arm.Deallocated, Generalized: true, HyperVGeneration: "V2"},
			vmevent.VM{Power: "deallocated", Generalized: true, HyperVGeneration: "V2"},
		},
		"Trusted Launch": {
			arm.VM{SecurityType: "TrustedLaunch"},
			vmevent.VM{Power: "running", HyperVGeneration: "V2", SecurityType: "TrustedLaunch"},
		},
		"ephemeral, in a scale set": {
			arm.VM{EphemeralOSDisk: true, ScaleSetID: "/subscriptions/x"},
			vmevent.VM{Power: "running", HyperVGeneration: "V1", EphemeralOSDisk: true, InScaleSet: true},
		},
	} {
		test.vm.ID, test.vm.Location, test.vm.VMID = vm, "westeurope", someGUID
		s.PutVM(test.vm)
		want := test.want
		want.ID, want.Location, want.VMID, want.State = id, "westeurope", someGUID, "Succeeded"
		if want.Tags == nil {
			want.Tags = map[string]string{}
		}
		if got, err := a.VM(t.Context(), asked); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v, want %+v", name, got, err, want)
		}
	}
	var missing *armerr.Error
	if _, err := a.VM(t.Context(), parseID(t, vm+"-missing")); !errors.As(err, &missing) || missing.Code != "ResourceNotFound" {
		t.Errorf("a VM that is not there: %v", err)
	}
}

func TestGeneralize(t *testing.T) {
	s, a := start(t, arm.Options{})
	id := parseID(t, vm)
	s.PutVM(arm.VM{ID: vm, Location: "westeurope", Power: arm.Running})
	var refused *armerr.Error
	if err := a.Generalize(t.Context(), id); !errors.As(err, &refused) || refused.Code != "OperationNotAllowed" {
		t.Errorf("a running VM: %v", err)
	}
	s.PutVM(arm.VM{ID: vm, Location: "westeurope", Power: arm.Deallocated})
	for range 2 { // again is no error
		if err := a.Generalize(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := a.VM(t.Context(), id); err != nil || !got.Generalized {
		t.Errorf("afterwards: %+v, %v", got, err)
	}
}

// TestImageOf finds the image of a build by its tag: while it is made and when it is done, not when
// it failed, not in another group.
func TestImageOf(t *testing.T) {
	s, a := start(t, arm.Options{})
	b := newBuild(t)
	find := func(group, buildID string) string {
		t.Helper()
		id, err := a.ImageOf(t.Context(), request.Request{ID: buildID, SubscriptionID: subscription, ResourceGroup: group})
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	if got := find("nowhere", "b"); got != "" {
		t.Errorf("in a group that is not there: %q", got)
	}
	if _, err := a.Create(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	if got := find("rg", "b"); !strings.EqualFold(got, b.ImageID()) {
		t.Errorf("while it is made: %q", got)
	}
	s.FastForward(time.Minute)
	if got := find("RG", "b"); !strings.EqualFold(got, b.ImageID()) {
		t.Errorf("when it is done: %q", got)
	}
	for _, other := range []string{"", "a", "bb", "B"} {
		if got := find("rg", other); got != "" {
			t.Errorf("of build %q: %q", other, got)
		}
	}

	failing := b
	failing.Request.Name, failing.Request.ID = "img2", "failing"
	s.FailNext(failing.ImageID(), "InternalExecutionError", "no")
	if _, err := a.Create(t.Context(), failing); err != nil {
		t.Fatal(err)
	}
	s.FastForward(time.Minute)
	if i, err := a.Image(t.Context(), failing.ImageID()); err != nil || i.State != "Failed" {
		t.Fatalf("the failed image: %+v, %v", i, err)
	}
	if got := find("rg", "failing"); got != "" {
		t.Errorf("a failed image: %q", got)
	}
}

// TestVersionOf finds the version of a build among more than a page of others, by its tag and in
// its definition alone.
func TestVersionOf(t *testing.T) {
	s, a := start(t, arm.Options{})
	b := newVersion(t)
	definition, _, _ := strings.Cut(b.ImageID(), "/versions/")
	find := func(change func(*request.Request)) string {
		t.Helper()
		r := request.Request{
			ID: "b", SubscriptionID: subscription, ResourceGroup: "rg", GalleryName: "corp", GalleryImageName: "web",
			GalleryImageVersion: &armcompute.GalleryImageVersion{},
		}
		change(&r)
		id, err := a.ImageOf(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	same := func(*request.Request) {}
	if got := find(same); got != "" {
		t.Errorf("in a definition that is not there: %q", got)
	}
	s.AddDefinition(arm.Definition{ID: definition, Location: "westeurope"})
	for n := range 120 {
		s.AddVersion(fmt.Sprintf("%s/versions/0.0.%d", definition, n), "westeurope")
	}
	if _, err := a.Create(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(*request.Request)
		want   string
	}{
		"its own":            {same, b.ImageID()},
		"another build's":    {func(r *request.Request) { r.ID = "B" }, ""},
		"another definition": {func(r *request.Request) { r.GalleryImageName = "db" }, ""},
		"among the images":   {func(r *request.Request) { r.GalleryImageVersion = nil }, ""},
	} {
		if got := find(c.change); !strings.EqualFold(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// TestUniqueID: the image and the events have the unique id of the source, where ARM returns one
// and the identity may read it.
func TestUniqueID(t *testing.T) {
	const compute = "/subscriptions/" + subscription + "/resourceGroups/rg/providers/Microsoft.Compute/"
	disk := func(field, id string) string {
		return `"storageProfile":{"osDisk":{"osType":"Linux","osState":"Generalized","` + field + `":{"id":"` + id + `"}}}`
	}
	for name, c := range map[string]struct {
		source, read string
		role         []string
	}{
		"a VM":               {source: `"sourceVirtualMachine":{"id":"` + vm + `"}`, read: "vmId"},
		"a disk":             {source: disk("managedDisk", compute+"disks/d"), read: "uniqueId"},
		"a snapshot":         {source: disk("snapshot", compute+"snapshots/s"), read: "uniqueId"},
		"without the right":  {source: disk("snapshot", compute+"snapshots/s"), role: []string{"Microsoft.Compute/images/*"}},
		"without any source": {source: `"storageProfile":{"osDisk":{"osType":"Linux","osState":"Generalized","blobUri":"https://golden.blob.core.windows.net/c/d.vhd"}}`},
	} {
		t.Run(name, func(t *testing.T) {
			s, a := start(t, arm.Options{AnyBlob: true, Role: c.role})
			s.PutDisk(arm.Disk{ID: compute + "disks/d", Location: "westeurope"})
			s.PutSnapshot(arm.Disk{ID: compute + "snapshots/s", Location: "westeurope"})
			r, err := request.Decode([]byte(`{"id":"b","subscriptionId":"` + subscription + `","resourceGroup":"rg","name":"img","metadata":{"commit":"1f6c0ad"},
				"image":{"location":"westeurope","properties":{` + c.source + `}}}`))
			if err != nil {
				t.Fatal(err)
			}
			b := build.New(r, "", time.Now())
			accepted, err := a.Create(t.Context(), b)
			if c.role == nil && err != nil {
				t.Fatal(err)
			}
			if (accepted.UniqueID != "") != (c.read != "") {
				t.Errorf("unique id %q", accepted.UniqueID)
			}
			if i, err := a.Image(t.Context(), b.ImageID()); err != nil || i.UniqueID != accepted.UniqueID {
				t.Errorf("the image says %q, %v; want %q", i.UniqueID, err, accepted.UniqueID)
			}
		})
	}
}
