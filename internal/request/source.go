package request

import (
	"strings"

	"goldmint/internal/armid"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"
)

// Source is what a resource is made from.
type Source struct {
	// Type is virtualMachine, managedDisk, snapshot, blob, image, galleryImageVersion or communityGalleryImage.
	Type string `json:"type"`
	ID   string `json:"id"` // a resource ID, or the blob's URL
}

// Source is the virtual machine or image, or what the operating system disk is copied from. It is empty for a request that
// did not come from [Decode].
func (r Request) Source() Source {
	if r.Target() == GalleryImageVersion {
		return versionSource(r.GalleryImageVersion.Properties)
	}
	return imageSource(r.Image.Properties)
}

func imageSource(p *armcompute.ImageProperties) Source {
	switch {
	case p == nil:
		return Source{}
	case p.SourceVirtualMachine != nil:
		return Source{Type: "virtualMachine", ID: value(p.SourceVirtualMachine.ID)}
	case p.StorageProfile == nil || p.StorageProfile.OSDisk == nil:
		return Source{}
	}
	switch disk := p.StorageProfile.OSDisk; {
	case disk.ManagedDisk != nil:
		return Source{Type: "managedDisk", ID: value(disk.ManagedDisk.ID)}
	case disk.Snapshot != nil:
		return Source{Type: "snapshot", ID: value(disk.Snapshot.ID)}
	default:
		return Source{Type: "blob", ID: value(disk.BlobURI)}
	}
}

func versionSource(p *armcompute.GalleryImageVersionProperties) Source {
	if p == nil || p.StorageProfile == nil {
		return Source{}
	}
	switch s := p.StorageProfile; {
	case s.Source != nil && s.Source.VirtualMachineID != nil:
		return Source{Type: "virtualMachine", ID: *s.Source.VirtualMachineID}
	case s.Source != nil && s.Source.CommunityGalleryImageID != nil:
		return Source{Type: "communityGalleryImage", ID: *s.Source.CommunityGalleryImageID}
	case s.Source != nil:
		return Source{Type: ofType(value(s.Source.ID), "galleries", "galleryImageVersion", "image"), ID: value(s.Source.ID)}
	case s.OSDiskImage == nil || s.OSDiskImage.Source == nil:
		return Source{}
	}
	disk := p.StorageProfile.OSDiskImage.Source
	if disk.ID == nil {
		return Source{Type: "blob", ID: value(disk.URI)}
	}
	return Source{Type: ofType(*disk.ID, "snapshots", "snapshot", "managedDisk"), ID: *disk.ID}
}

// ofType is yes for the ID of a resource of the type, else no.
func ofType(id, resourceType, yes, no string) string {
	if p, _ := armid.Split(id); strings.HasPrefix(strings.ToLower(p.Type), "microsoft.compute/"+resourceType) {
		return yes
	}
	return no
}

func value(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
