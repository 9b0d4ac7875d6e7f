package arm_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"goldmint/emulator/arm"
)

type recordedImage struct {
	Location   string            `json:"location"`
	Tags       map[string]string `json:"tags,omitempty"`
	Properties struct {
		SourceVirtualMachine *ref `json:"sourceVirtualMachine,omitempty"`
		StorageProfile       struct {
			OSDisk    recordedDisk   `json:"osDisk"`
			DataDisks []recordedDisk `json:"dataDisks"`
		} `json:"storageProfile"`
		ProvisioningState string `json:"provisioningState"`
		HyperVGeneration  string `json:"hyperVGeneration,omitempty"`
	} `json:"properties"`
}

type recordedDisk struct {
	Lun                int32  `json:"lun"`
	OSType             string `json:"osType"`
	DiskSizeGB         int32  `json:"diskSizeGB"`
	BlobURI            string `json:"blobUri"`
	ManagedDisk        ref    `json:"managedDisk"`
	Caching            string `json:"caching"`
	StorageAccountType string `json:"storageAccountType"`
	DiskEncryptionSet  ref    `json:"diskEncryptionSet"`
}

type ref struct {
	ID string `json:"id"`
}

var vmPath = regexp.MustCompile(`(?i)/subscriptions/[^?]*/virtualMachines/[^/?]*`)

// prepare makes what the session found there: the sources of its images as their last GET shows
// them, the resources that it read, and VMs in the state in which they were.
func (p *player) prepare(r recording) {
	p.t.Helper()
	for _, e := range r.Exchanges {
		id := (&url.URL{Path: strings.TrimPrefix(e.URI, "https://management.azure.com")}).Path
		id, _, _ = strings.Cut(id, "?")
		switch {
		case e.Method == http.MethodGet && e.Status == http.StatusOK && strings.Contains(id, "/images/"):
			p.sources(r, e)
		case e.Method == http.MethodGet && e.Status == http.StatusOK && vmPath.MatchString(id):
			p.machine(id, e)
		case e.Status == http.StatusNotFound && codeIn(e.Body) == "NotFound":
			p.goneMachine(id)
		case e.Method == http.MethodPatch:
			p.s.PutVM(arm.VM{ID: id, Location: "westus"})
		}
	}
	for _, e := range r.Exchanges {
		if vm := vmPath.FindString(e.URI); e.Method == http.MethodPost && vm != "" && !p.exists(vm) {
			p.s.PutVM(arm.VM{ID: vm, Location: locationOfOperation(r, e)})
		}
	}
}

// acted reports whether the session does something to the VM, which therefore still runs when it
// begins.
func (r recording) acted(vm string) bool {
	return slices.ContainsFunc(r.Exchanges, func(e exchange) bool {
		return e.Method == http.MethodPost && strings.EqualFold(vmPath.FindString(e.URI), vm)
	})
}

// sources makes what an image was made from. A blob that was not found is not made.
func (p *player) sources(r recording, e exchange) {
	p.t.Helper()
	var img recordedImage
	if err := json.Unmarshal(e.Body, &img); err != nil {
		p.t.Fatal(err)
	}
	properties := img.Properties
	disks := append([]recordedDisk{properties.StorageProfile.OSDisk}, properties.StorageProfile.DataDisks...)
	if vm := properties.SourceVirtualMachine; vm != nil {
		if p.exists(vm.ID) {
			return
		}
		made := arm.VM{ID: vm.ID, Location: img.Location, OSType: disks[0].OSType, OSDisk: disks[0].ofVM()}
		if !r.acted(vm.ID) {
			made.Power, made.Generalized = arm.Deallocated, true
		}
		for _, d := range disks[1:] {
			made.DataDisks = append(made.DataDisks, d.ofVM())
		}
		p.s.PutVM(made)
		return
	}
	for _, d := range disks {
		if d.BlobURI != "" && properties.ProvisioningState != "Failed" {
			p.s.PutBlob(arm.Blob{URI: d.BlobURI, SizeGB: d.DiskSizeGB})
		}
		if d.ManagedDisk.ID != "" {
			p.s.PutDisk(arm.Disk{ID: d.ManagedDisk.ID, Location: img.Location, AccountType: d.StorageAccountType, SizeGB: d.DiskSizeGB})
		}
		if d.DiskEncryptionSet.ID != "" {
			p.s.PutDiskEncryptionSet(arm.Disk{ID: d.DiskEncryptionSet.ID, Location: img.Location})
		}
	}
}

func (d recordedDisk) ofVM() arm.VMDisk {
	return arm.VMDisk{
		Lun: d.Lun, SizeGB: d.DiskSizeGB, Caching: d.Caching, AccountType: d.StorageAccountType, VHD: d.BlobURI, ManagedDiskID: d.ManagedDisk.ID,
	}
}

// ask is a call whose answer is not compared; time goes on until what it started is over.
func (p *player) ask(method, path, body string) reply {
	p.t.Helper()
	got := call(p.t, p.s, method, path+version, body)
	if got.status >= http.StatusBadRequest {
		p.t.Fatalf("%s %s: %d %s", method, path, got.status, got.text)
	}
	p.s.FastForward(time.Minute)
	return got
}

func (p *player) exists(id string) bool {
	p.t.Helper()
	return call(p.t, p.s, http.MethodGet, id+"/instanceView"+version, "").status == http.StatusOK
}

// machine puts the VM that was read, and brings it where it was.
func (p *player) machine(id string, e exchange) {
	p.t.Helper()
	var body map[string]any
	if err := json.Unmarshal(e.Body, &body); err != nil {
		p.t.Fatal(err)
	}
	properties := body["properties"].(map[string]any)
	for _, filled := range []string{"vmId", "provisioningState", "timeCreated", "instanceView"} {
		delete(properties, filled)
	}
	p.ask(http.MethodPut, id, encode(p.t, body))
	if strings.Contains(string(e.Body), "PowerState/deallocated") {
		p.ask(http.MethodPost, id+"/deallocate", "")
	}
	if strings.Contains(string(e.Body), "OSState/generalized") {
		p.ask(http.MethodPost, id+"/generalize", "")
	}
}

// disk puts the disk or snapshot that was read, with the source that it is a copy of.
func (p *player) disk(id string, e exchange) {
	p.t.Helper()
	var read struct {
		Location   string            `json:"location"`
		Tags       map[string]string `json:"tags"`
		SKU        struct{ Name string }
		Properties struct {
			OSType, HyperVGeneration string
			Incremental              *bool
			DiskSizeGB               int32
			CreationData             struct{ CreateOption, SourceResourceID string }
		}
	}
	if err := json.Unmarshal(e.Body, &read); err != nil {
		p.t.Fatal(err)
	}
	was := read.Properties
	put := map[string]any{"diskSizeGB": was.DiskSizeGB, "creationData": map[string]any{"createOption": was.CreationData.CreateOption}}
	if from := was.CreationData.SourceResourceID; from != "" {
		p.s.PutDisk(arm.Disk{ID: from, Location: read.Location, SizeGB: was.DiskSizeGB, OSType: was.OSType, HyperVGeneration: was.HyperVGeneration})
		put = map[string]any{"creationData": map[string]any{"createOption": "Copy", "sourceResourceId": from}}
	}
	if was.Incremental != nil && *was.Incremental {
		put["incremental"] = true
	}
	p.ask(http.MethodPut, id, encode(p.t, map[string]any{"location": read.Location, "tags": read.Tags, "sku": map[string]any{"name": read.SKU.Name}, "properties": put}))
}

// goneMachine is one that has just been deleted.
func (p *player) goneMachine(id string) {
	p.t.Helper()
	p.s.PutVM(arm.VM{ID: id, Location: "westus"})
	p.ask(http.MethodDelete, id, "")
}

// failedOperation starts one that fails as the recorded one did.
func (p *player) failedOperation(e exchange) string {
	p.t.Helper()
	var failed struct {
		Error struct{ Code, Message string }
	}
	if err := json.Unmarshal(e.Body, &failed); err != nil || failed.Error.Code == "" {
		return ""
	}
	_, location, _ := strings.Cut(e.URI, "/locations/")
	location, _, _ = strings.Cut(location, "/")
	s := p.s
	s.AddVM(vmID, location)
	s.FailNext(imageID, failed.Error.Code, failed.Error.Message)
	put := call(p.t, s, http.MethodPut, imageID+version, `{"location":"`+location+`","properties":{"sourceVirtualMachine":{"id":"`+vmID+`"}}}`)
	s.FastForward(20 * time.Minute)
	return put.header.Get("Azure-AsyncOperation")
}

// locationOfOperation is where the VM of an action is: its operation's URL says so.
func locationOfOperation(r recording, e exchange) string {
	for _, uri := range append([]string{e.Headers["azure-asyncoperation"]}, urisOf(r)...) {
		if _, location, found := strings.Cut(uri, "/locations/"); found {
			location, _, _ = strings.Cut(location, "/")
			return location
		}
	}
	return "westus"
}

func urisOf(r recording) (all []string) {
	for _, e := range r.Exchanges {
		all = append(all, e.URI)
	}
	return all
}
