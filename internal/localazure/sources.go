package localazure

import (
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"

	"goldmint/emulator/arm"
)

// MakeSources makes what an image is asked to be made from, ready to be captured: a deallocated and generalized VM, disks,
// snapshots, disk encryption sets, blobs.
func (a *Azure) MakeSources(image armcompute.Image) {
	p := image.Properties
	if p == nil || image.Location == nil {
		return
	}
	at := maker{a.ARM, *image.Location}
	if vm := p.SourceVirtualMachine; vm != nil && vm.ID != nil {
		at.server.PutVM(arm.VM{ID: *vm.ID, Location: at.location, Power: arm.Deallocated, Generalized: true})
	}
	if p.StorageProfile == nil {
		return
	}
	if d := p.StorageProfile.OSDisk; d != nil {
		at.disk(d.ManagedDisk, d.Snapshot, d.BlobURI, d.DiskEncryptionSet)
	}
	for _, d := range p.StorageProfile.DataDisks {
		at.disk(d.ManagedDisk, d.Snapshot, d.BlobURI, d.DiskEncryptionSet)
	}
}

type maker struct {
	server   *arm.Server
	location string
}

// disk makes what one disk of the image is copied from.
func (m maker) disk(managed, snapshot *armcompute.SubResource, blob *string, encryption *armcompute.DiskEncryptionSetParameters) {
	if managed != nil && managed.ID != nil {
		m.server.PutDisk(arm.Disk{ID: *managed.ID, Location: m.location})
	}
	if snapshot != nil && snapshot.ID != nil {
		m.server.PutSnapshot(arm.Disk{ID: *snapshot.ID, Location: m.location})
	}
	if blob != nil {
		m.server.AddBlob(*blob)
	}
	if encryption != nil && encryption.ID != nil {
		m.server.PutDiskEncryptionSet(arm.Disk{ID: *encryption.ID, Location: m.location})
	}
}
