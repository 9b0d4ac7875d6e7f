package arm_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"goldmint/emulator/arm"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"
)

func TestDiskFromTheSDK(t *testing.T) {
	s := arm.Start(t, arm.Options{})
	disks := clients(t, s).NewDisksClient()
	poller, err := disks.BeginCreateOrUpdate(t.Context(), group, "os-disk", armcompute.Disk{
		Location:   new("West Europe"),
		SKU:        &armcompute.DiskSKU{Name: new(armcompute.DiskStorageAccountTypesPremiumLRS)},
		Properties: &armcompute.DiskProperties{DiskSizeGB: new(int32(40)), HyperVGeneration: new(armcompute.HyperVGenerationV2), OSType: new(armcompute.OperatingSystemTypesLinux), CreationData: &armcompute.CreationData{CreateOption: new(armcompute.DiskCreateOptionEmpty)}},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	made, err := finish(t, s, poller)
	if err != nil || *made.Properties.ProvisioningState != "Succeeded" || *made.Location != "westeurope" || *made.Properties.DiskSizeBytes != 40<<30 {
		t.Fatalf("%+v, %v", made.Properties, err)
	}
	images := clients(t, s).NewImagesClient()
	image, err := images.BeginCreateOrUpdate(t.Context(), group, "golden", armcompute.Image{Location: new("westeurope"), Properties: &armcompute.ImageProperties{
		StorageProfile: &armcompute.ImageStorageProfile{OSDisk: &armcompute.ImageOSDisk{
			OSType: new(armcompute.OperatingSystemTypesLinux), OSState: new(armcompute.OperatingSystemStateTypesGeneralized),
			ManagedDisk: &armcompute.SubResource{ID: made.ID},
		}},
	}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	done, err := finish(t, s, image)
	if err != nil {
		t.Fatal(err)
	}
	os := done.Properties.StorageProfile.OSDisk
	if *os.DiskSizeGB != 40 || *os.StorageAccountType != "Standard_LRS" || *done.Properties.HyperVGeneration != "V2" {
		t.Errorf("%+v", os)
	}
}

func TestSnapshotsAndEncryptionSets(t *testing.T) {
	for typ, put := range map[string]func(*arm.Server, arm.Disk){
		"disks": (*arm.Server).PutDisk, "snapshots": (*arm.Server).PutSnapshot, "diskEncryptionSets": (*arm.Server).PutDiskEncryptionSet,
	} {
		t.Run(typ, func(t *testing.T) {
			s := arm.Start(t, arm.Options{})
			id := compute + typ + "/it"
			put(s, arm.Disk{ID: id, Location: "West Europe", Tags: map[string]string{"a": "b"}})
			got := call(t, s, http.MethodGet, id+"?api-version=2026-03-02", "").json(t)
			if got["id"] != id || got["type"] != "Microsoft.Compute/"+typ || got["location"] != "westeurope" || got["tags"].(map[string]any)["a"] != "b" {
				t.Errorf("%v", got)
			}
			for _, list := range []string{compute + typ, "/subscriptions/" + subscription + "/providers/Microsoft.Compute/" + typ} {
				if value := call(t, s, http.MethodGet, list+"?api-version=2026-03-02", "").json(t)["value"].([]any); len(value) != 1 {
					t.Errorf("%s lists %v", list, value)
				}
			}
			call(t, s, http.MethodDelete, id+"?api-version=2026-03-02", "")
			s.FastForward(arm.RecordedTick)
			call(t, s, http.MethodGet, id+"?api-version=2026-03-02", "").refused(t, 404, "ResourceNotFound", "'Microsoft.Compute/"+typ+"/it'")
			created := call(t, s, http.MethodPut, id+"?api-version=2026-03-02", `{"location":"westeurope","properties":{}}`)
			if created.status != http.StatusAccepted {
				t.Errorf("%d %s", created.status, created.text)
			}
		})
	}
}

// TestDiskIsCopied: a copy has its source's size, system and generation, names its source, and
// stays the same disk when it is put again.
func TestDiskIsCopied(t *testing.T) {
	s := prepared(t, arm.Options{})
	const v = "?api-version=2026-03-02"
	source := call(t, s, http.MethodGet, diskID+v, "").json(t)["properties"].(map[string]any)
	copyOf := `{"location":"westeurope","properties":{"creationData":{"createOption":"Copy","sourceResourceId":"` + diskID + `"}`
	put := call(t, s, http.MethodPut, compute+"snapshots/copy"+v, copyOf+`}}`)
	if put.status != http.StatusAccepted || put.header.Get("Retry-After") != "2" {
		t.Errorf("%d %v", put.status, put.header)
	}
	s.FastForward(time.Second)
	operation := get(t, s, put.header.Get("Azure-AsyncOperation")).json(t)
	made := operation["properties"].(map[string]any)["output"].(map[string]any)["properties"].(map[string]any)
	if made["diskSizeGB"] != 64.0 || made["osType"] != "Linux" || made["hyperVGeneration"] != "V2" ||
		made["creationData"].(map[string]any)["sourceUniqueId"] != source["uniqueId"] || made["provisioningState"] != "Succeeded" {
		t.Errorf("%v", made)
	}
	patch := call(t, s, http.MethodPatch, compute+"snapshots/copy"+v, `{"tags":{"a":"b"}}`)
	again := call(t, s, http.MethodGet, compute+"snapshots/copy"+v, "").json(t)
	p := again["properties"].(map[string]any)
	if patch.status != http.StatusAccepted || again["tags"].(map[string]any)["a"] != "b" || p["uniqueId"] != made["uniqueId"] || p["timeCreated"] != made["timeCreated"] {
		t.Errorf("%d %v", patch.status, again)
	}
	call(t, s, http.MethodPut, compute+"snapshots/copy"+v, copyOf+`}}`)
	put2 := call(t, s, http.MethodGet, compute+"snapshots/copy"+v, "").json(t)["properties"].(map[string]any)
	if put2["uniqueId"] != made["uniqueId"] || put2["timeCreated"] != made["timeCreated"] {
		t.Errorf("put again, it is another: %v", put2)
	}
	image := call(t, s, http.MethodPut, imageID+version, strings.Replace(fromDisk(`"snapshot":{"id":"`+compute+`snapshots/copy"}`), `"V1"`, `"V2"`, 1))
	s.FastForward(arm.RecordedTick)
	if got := call(t, s, http.MethodGet, imageID+version, ""); image.status != http.StatusCreated || !strings.Contains(got.text, `"diskSizeGB":64`) {
		t.Errorf("the image of a copy: %d %s", image.status, got.text)
	}
	larger := call(t, s, http.MethodPut, compute+"snapshots/larger"+v, copyOf+`,"diskSizeGB":200}}`)
	s.FastForward(10 * time.Second)
	if got := get(t, s, larger.header.Get("Azure-AsyncOperation")).json(t); got["status"] != "InProgress" {
		t.Errorf("a copy of 200 GB after 10 s: %v", got)
	}
}

// TestPatchDisk changes what it names, makes a disk larger, and never smaller.
func TestPatchDisk(t *testing.T) {
	s := prepared(t, arm.Options{})
	const v = "?api-version=2026-03-02"
	before := call(t, s, http.MethodGet, diskID+v, "").json(t)["properties"].(map[string]any)
	patch := call(t, s, http.MethodPatch, diskID+v, `{"sku":{"name":"StandardSSD_LRS"},"properties":{"diskSizeGB":128}}`)
	s.FastForward(time.Second)
	got := call(t, s, http.MethodGet, diskID+v, "").json(t)
	p := got["properties"].(map[string]any)
	if patch.status != http.StatusAccepted || p["diskSizeGB"] != 128.0 || p["osType"] != "Linux" || p["uniqueId"] != before["uniqueId"] || got["sku"].(map[string]any)["tier"] != "Standard" {
		t.Errorf("%d %v", patch.status, got)
	}
	call(t, s, http.MethodPatch, diskID+v, `{"properties":{"diskSizeGB":64}}`).refused(t, http.StatusBadRequest, "InvalidParameter", "cannot be resized down")
	call(t, s, http.MethodPatch, compute+"disks/none"+v, `{}`).refused(t, http.StatusNotFound, "ResourceNotFound", "disks/none")
}

// TestElsewhere: types that Azure has and this server has not are as in an Azure without any.
func TestElsewhere(t *testing.T) {
	s := arm.Start(t, arm.Options{})
	call(t, s, http.MethodGet, scope+"/providers/Microsoft.Network/networkInterfaces/nic"+version, "").
		refused(t, http.StatusNotFound, "ResourceNotFound", "'Microsoft.Network/networkInterfaces/nic'")
	if got := call(t, s, http.MethodGet, compute+"availabilitySets"+version, ""); got.status != http.StatusOK || got.text != `{"value":[]}` {
		t.Errorf("%d %s", got.status, got.text)
	}
	if got := call(t, s, http.MethodDelete, compute+"availabilitySets/set"+version, ""); got.status != http.StatusNoContent {
		t.Errorf("%d %s", got.status, got.text)
	}
	call(t, s, http.MethodPut, compute+"availabilitySets/set"+version, `{}`).refused(t, http.StatusNotFound, "InvalidResourceType", "availabilitySets")
	call(t, s, http.MethodGet, scope+"/providers/Contoso.Compute/machines/m"+version, "").refused(t, http.StatusNotFound, "InvalidResourceNamespace", "Contoso")
}
