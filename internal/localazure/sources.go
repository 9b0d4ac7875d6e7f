package localazure

import (
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"

	"goldmint/emulator/arm"
	"goldmint/internal/request"
)

// MakeSources makes the sources that a request names, ready to be captured: deallocated and
// generalized VMs, disks, snapshots, disk encryption sets, blobs, managed images, and for a gallery
// image version its gallery and definition.
func (a *Azure) MakeSources(r request.Request) {
	at := maker{server: a.ARM, location: r.Location()}
	if r.GalleryImageVersion != nil {
		at.generation = "V2"
		at.version(r)
		return
	}
	p := r.Image.Properties
	if p == nil || at.location == "" {
		return
	}
	if vm := p.SourceVirtualMachine; vm != nil {
		at.source(vm.ID)
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
	server     *arm.Server
	location   string
	generation string // of VMs; empty: V1
}

// version makes the gallery, the definition and the sources of a gallery image version.
func (m maker) version(r request.Request) {
	definition, _, _ := strings.Cut(r.ResourceID(SubscriptionID), "/versions/")
	m.server.AddDefinition(arm.Definition{ID: definition, Location: m.location})
	p := r.GalleryImageVersion.Properties
	if p == nil || p.StorageProfile == nil {
		return
	}
	if s := p.StorageProfile.Source; s != nil {
		m.source(s.ID)
		m.source(s.VirtualMachineID)
	}
	if d := p.StorageProfile.OSDiskImage; d != nil {
		m.image(d.Source)
	}
	for _, d := range p.StorageProfile.DataDiskImages {
		m.image(d.Source)
	}
}

// image makes what one disk of a version is copied from.
func (m maker) image(source *armcompute.GalleryDiskImageSource) {
	switch {
	case source == nil:
	case source.URI != nil:
		m.server.AddBlob(*source.URI)
	default:
		m.source(source.ID)
	}
}

// disk makes what one disk of the image is copied from.
func (m maker) disk(managed, snapshot *armcompute.SubResource, blob *string, encryption *armcompute.DiskEncryptionSetParameters) {
	if managed != nil {
		m.source(managed.ID)
	}
	if snapshot != nil {
		m.source(snapshot.ID)
	}
	if blob != nil {
		m.server.AddBlob(*blob)
	}
	if encryption != nil {
		m.source(encryption.ID)
	}
}

// source makes the resource that an id names, by its type.
func (m maker) source(id *string) {
	if id == nil {
		return
	}
	has := func(segment string) bool { return strings.Contains(strings.ToLower(*id), segment) }
	switch {
	case has("/virtualmachines/"):
		m.server.PutVM(arm.VM{ID: *id, Location: m.location, HyperVGeneration: m.generation, Power: arm.Deallocated, Generalized: true})
	case has("/disks/"):
		m.server.PutDisk(arm.Disk{ID: *id, Location: m.location})
	case has("/snapshots/"):
		m.server.PutSnapshot(arm.Disk{ID: *id, Location: m.location})
	case has("/diskencryptionsets/"):
		m.server.PutDiskEncryptionSet(arm.Disk{ID: *id, Location: m.location})
	case has("/versions/"):
		m.server.AddVersion(*id, m.location)
	case has("/images/"):
		m.server.AddImage(*id, m.location, "V2")
	}
}
