package arm_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"goldmint/emulator/arm"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"
)

func TestVMFromTheSDK(t *testing.T) {
	s := arm.Start(t, arm.Options{})
	vms := clients(t, s).NewVirtualMachinesClient()
	poller, err := vms.BeginCreateOrUpdate(t.Context(), group, "build-vm", armcompute.VirtualMachine{
		Location: new("westeurope"),
		Tags:     map[string]*string{"goldmint": new("capture")},
		Properties: &armcompute.VirtualMachineProperties{
			HardwareProfile: &armcompute.HardwareProfile{VMSize: new(armcompute.VirtualMachineSizeTypesStandardD2SV3)},
			StorageProfile: &armcompute.StorageProfile{
				ImageReference: &armcompute.ImageReference{Publisher: new("Canonical"), Offer: new("ubuntu"), SKU: new("22_04-lts-gen2"), Version: new("latest")},
				OSDisk:         &armcompute.OSDisk{CreateOption: new(armcompute.DiskCreateOptionTypesFromImage)},
				DataDisks:      []*armcompute.DataDisk{{Lun: new(int32(2)), CreateOption: new(armcompute.DiskCreateOptionTypesEmpty), DiskSizeGB: new(int32(128))}},
			},
		},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	made, err := finish(t, s, poller)
	if err != nil {
		t.Fatal(err)
	}
	p := made.Properties
	if *p.ProvisioningState != "Succeeded" || len(*p.VMID) != 36 || *p.StorageProfile.OSDisk.Caching != armcompute.CachingTypesReadWrite ||
		*p.StorageProfile.ImageReference.SKU != "22_04-lts-gen2" || *p.StorageProfile.DataDisks[0].DiskSizeGB != 128 || *made.Tags["goldmint"] != "capture" {
		t.Errorf("VM %+v", p)
	}
	if p.InstanceView != nil {
		t.Error("an instance view that was not asked for")
	}
	expanded, err := vms.Get(t.Context(), group, "build-vm", &armcompute.VirtualMachinesClientGetOptions{Expand: new(armcompute.InstanceViewTypesInstanceView)})
	if err != nil || *expanded.Properties.InstanceView.HyperVGeneration != armcompute.HyperVGenerationTypeV2 {
		t.Fatalf("%+v, %v", expanded.Properties, err)
	}
	disk, err := clients(t, s).NewDisksClient().Get(t.Context(), group, *p.StorageProfile.OSDisk.Name, nil)
	if err != nil || *disk.ID != *p.StorageProfile.OSDisk.ManagedDisk.ID || *disk.Properties.HyperVGeneration != armcompute.HyperVGenerationV2 {
		t.Errorf("the VM's disk: %+v, %v", disk.Properties, err)
	}
	deletion, err := vms.BeginDelete(t.Context(), group, "build-vm", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := finish(t, s, deletion); err != nil {
		t.Fatal(err)
	}
	call(t, s, http.MethodGet, vmID+version, "").refused(t, 404, "NotFound", "The entity was not found in this Azure location.")
	call(t, s, http.MethodGet, vmID+version, "").refused(t, 404, "ResourceNotFound",
		"The Resource 'Microsoft.Compute/virtualMachines/build-vm' under resource group 'golden-rg' was not found. For more details please go to")
}

func statuses(t *testing.T, s *arm.Server) []string {
	t.Helper()
	view, err := clients(t, s).NewVirtualMachinesClient().InstanceView(t.Context(), group, "build-vm", nil)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, status := range view.Statuses {
		all = append(all, *status.Code)
	}
	return all
}

func TestPowerActions(t *testing.T) {
	for _, tt := range []struct {
		action string
		vm     arm.VM
		during string // the power state meanwhile; empty: refused
		after  string
		why    string
	}{
		{"deallocate", arm.VM{}, "deallocating", "deallocated", ""},
		{"deallocate", arm.VM{Power: arm.Stopped, Generalized: true}, "deallocating", "deallocated", ""},
		{"powerOff", arm.VM{}, "stopping", "stopped", ""},
		{"powerOff", arm.VM{Power: arm.Deallocated}, "", "deallocated", "since the VM is either deallocated or marked to be deallocated."},
		{"start", arm.VM{Power: arm.Deallocated}, "starting", "running", ""},
		{"start", arm.VM{Power: arm.Deallocated, Generalized: true}, "", "deallocated", "Operation 'start' is not allowed on VM 'build-vm' since the VM is generalized."},
	} {
		t.Run(tt.action+" "+tt.after, func(t *testing.T) {
			s := arm.Start(t, arm.Options{})
			tt.vm.ID, tt.vm.Location = vmID, "westeurope"
			s.PutVM(tt.vm)
			got := call(t, s, http.MethodPost, vmID+"/"+tt.action+version, "")
			if tt.during == "" {
				got.refused(t, http.StatusConflict, "OperationNotAllowed", tt.why)
			} else {
				if got.status != http.StatusAccepted || !slices.Contains(statuses(t, s), "PowerState/"+tt.during) {
					t.Errorf("%d, %v", got.status, statuses(t, s))
				}
				call(t, s, http.MethodPost, vmID+"/generalize"+version, "").refused(t, http.StatusConflict, "OperationNotAllowed", "another operation is in progress")
			}
			s.FastForward(arm.RecordedTick)
			if codes := statuses(t, s); codes[0] != "ProvisioningState/succeeded" || codes[len(codes)-1] != "PowerState/"+tt.after {
				t.Errorf("afterwards %v", codes)
			}
		})
	}
}

// generalize works on a VM that is merely stopped, and a GET without $expand shows nothing of it,
// as recorded.
func TestGeneralizeAStoppedVM(t *testing.T) {
	s := arm.Start(t, arm.Options{})
	s.PutVM(arm.VM{ID: vmID, Location: "westeurope", Power: arm.Stopped})
	for range 2 {
		if got := call(t, s, http.MethodPost, vmID+"/generalize"+version, ""); got.status != http.StatusOK || got.text != "" || got.header.Get("Content-Type") != "" {
			t.Errorf("%d %q %v", got.status, got.text, got.header)
		}
	}
	if got := call(t, s, http.MethodGet, vmID+version, ""); strings.Contains(strings.ToLower(got.text), "generalized") {
		t.Errorf("VM %s", got.text)
	}
	if got := call(t, s, http.MethodPut, imageID+version, fromVM(vmID)); got.status != http.StatusCreated {
		t.Errorf("%d %s", got.status, got.text)
	}
}

func TestLongActionsSayWhenToLook(t *testing.T) {
	s := arm.Start(t, arm.Options{ActionDuration: time.Minute})
	s.PutVM(arm.VM{ID: vmID, Location: "westeurope"})
	if got := call(t, s, http.MethodPost, vmID+"/deallocate"+version, ""); got.header.Get("Retry-After") != "10" || got.header.Get("Location") == "" {
		t.Errorf("%v", got.header)
	}
}

func TestVMIDStays(t *testing.T) {
	s := arm.Start(t, arm.Options{})
	s.AddVM(vmID, "westeurope", func(vm *arm.VM) { vm.VMID = "0f47b100-583c-48e3-a4c0-aefc2c9bbcc1" })
	if got := call(t, s, http.MethodPatch, vmID+version, `{"tags":{"goldmint":"capture"}}`); got.status != http.StatusOK {
		t.Fatalf("%d %s", got.status, got.text)
	}
	got := call(t, s, http.MethodGet, vmID+version, "").json(t)
	if got["properties"].(map[string]any)["vmId"] != "0f47b100-583c-48e3-a4c0-aefc2c9bbcc1" || got["tags"].(map[string]any)["goldmint"] != "capture" {
		t.Errorf("%v", got)
	}
}

func TestPutOverAVM(t *testing.T) {
	s := arm.Start(t, arm.Options{})
	s.PutVM(arm.VM{ID: vmID, Location: "westeurope"})
	again := `{"location":"westeurope","tags":{"a":"b"},"properties":{}}`
	if got := call(t, s, http.MethodPut, vmID+version, again); got.status != http.StatusOK || !strings.Contains(got.text, `"a":"b"`) {
		t.Errorf("%d %s", got.status, got.text)
	}
	call(t, s, http.MethodPost, vmID+"/deallocate"+version, "")
	call(t, s, http.MethodPut, vmID+version, again).refused(t, http.StatusConflict, "Conflict", "")
	call(t, s, http.MethodPut, vmID+version, strings.Replace(again, "westeurope", "eastus", 1)).refused(t, http.StatusConflict, "InvalidResourceLocation", "")
}

func TestVMThatIsNoSource(t *testing.T) {
	s := arm.Start(t, arm.Options{})
	for settings, why := range map[string]string{
		`"securityProfile":{"securityType":"TrustedLaunch"}`:                                                              "with TrustedLaunch security type",
		`"virtualMachineScaleSet":{"id":"/subscriptions/x"}`:                                                              "belongs to a Virtual Machine Scale Set",
		`"storageProfile":{"osDisk":{"diffDiskSettings":{"option":"Local"}}}`:                                             "ephemeral OS disk",
		`"securityProfile":{"securityType":"Standard"},"osProfile":{"computerName":"itself","adminUsername":"azureuser"}`: "to be Generalized",
	} {
		s.FastForward(arm.RecordedTick)
		call(t, s, http.MethodDelete, vmID+version, "")
		s.FastForward(arm.RecordedTick)
		if got := call(t, s, http.MethodPut, vmID+version, `{"location":"westeurope","properties":{`+settings+`}}`); got.status != http.StatusCreated {
			t.Fatalf("%d %s", got.status, got.text)
		}
		s.FastForward(arm.RecordedTick)
		call(t, s, http.MethodPut, imageID+version, fromVM(vmID)).refused(t, http.StatusConflict, "OperationNotAllowed", why)
	}
}

// TestWindowsImageMakesAWindowsVM, though nothing else says what the VM runs.
func TestWindowsImageMakesAWindowsVM(t *testing.T) {
	s := arm.Start(t, arm.Options{})
	put := call(t, s, http.MethodPut, vmID+version, `{"location":"westeurope","properties":{"storageProfile":{"imageReference":`+
		`{"publisher":"MicrosoftWindowsServer","offer":"WindowsServer","sku":"2022-datacenter-g2","version":"latest"}}}}`)
	os := put.json(t)["properties"].(map[string]any)["storageProfile"].(map[string]any)["osDisk"].(map[string]any)
	if os["osType"] != "Windows" || os["diskSizeGB"] != 127.0 || put.header.Get("Retry-After") != "10" {
		t.Errorf("%v %v", os, put.header)
	}
}

// TestRefusedVMs: malformed ids in every field that holds one, and an OS without an administrator.
func TestRefusedVMs(t *testing.T) {
	s := arm.Start(t, arm.Options{})
	for settings, want := range map[string]string{
		`"osProfile":{"secrets":[{"sourceVault":{"id":"vault"}}]}`: "Property id 'vault' at path 'properties.osProfile.secrets[0].sourceVault.id' is invalid.",
		`"availabilitySet":{"id":"set"}`:                           "Property id 'set' at path 'properties.availabilitySet.id' is invalid.",
		`"osProfile":{"computerName":"vm"}`:                        "Required parameter 'adminUsername' is missing (null).",
	} {
		code := "LinkedInvalidPropertyId"
		if strings.Contains(want, "adminUsername") {
			code = "InvalidParameter"
		}
		call(t, s, http.MethodPut, vmID+version, `{"location":"westeurope","properties":{`+settings+`}}`).refused(t, http.StatusBadRequest, code, want)
	}
}
