package request

import (
	"path"
	"strings"

	"goldmint/internal/armid"
)

// Source is what a resource is made from.
type Source struct {
	// Type is virtualMachine, managedDisk, snapshot, blob, image, galleryImageVersion or communityGalleryImage.
	Type string `json:"type"`
	ID   string `json:"id"` // a resource ID, or the blob's URL
}

// Source is the virtual machine or image, or what the operating system disk is copied from. It is empty
// for a request that did not come from [Decode].
func (r Request) Source() Source {
	for _, id := range r.sources() {
		if id != nil {
			return Source{Type: sourceType(*id), ID: *id}
		}
	}
	return Source{}
}

// sources are the fields that name one.
func (r Request) sources() []*string {
	if r.Target() == GalleryImageVersion {
		profile := value(value(r.GalleryImageVersion.Properties).StorageProfile)
		source, disk := value(profile.Source), value(value(profile.OSDiskImage).Source)
		return []*string{source.VirtualMachineID, source.CommunityGalleryImageID, source.ID, disk.ID, disk.URI}
	}
	properties := value(r.Image.Properties)
	disk := value(value(properties.StorageProfile).OSDisk)
	return []*string{value(properties.SourceVirtualMachine).ID, value(disk.ManagedDisk).ID, value(disk.Snapshot).ID, disk.BlobURI}
}

func sourceType(id string) string {
	p, ok := armid.Split(id)
	switch {
	case ok:
		return map[string]string{
			"virtualmachines": "virtualMachine", "disks": "managedDisk", "snapshots": "snapshot", "images": "image", "versions": "galleryImageVersion",
		}[strings.ToLower(path.Base(p.Type))]
	case strings.HasPrefix(strings.ToLower(id), "/communitygalleries/"):
		return "communityGalleryImage"
	}
	return "blob"
}

// value is what p points at, or nothing.
func value[T any](p *T) T {
	if p == nil {
		return *new(T)
	}
	return *p
}
