// Package request is what a message asks for: one managed image or one gallery image version,
// described in Azure's own words, read strictly because the sender is not trusted.
//
// [Decode] reads a request. It checks a body against the contract
// (schema/build-request.schema.json) and against the rules that a schema cannot express, reports
// all problems at once with what to do about them, and fills in what was left out. A [Request] from
// it is safe to send to Azure Resource Manager: its names cannot change the path of a URL, and its
// ids are those of resources of the right kind.
package request

import (
	"path"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"

	"goldmint/internal/armid"
)

// Limits of a request. Service Bus carries 256 KB, and a request has to fit together with what
// Goldmint adds to it.
const (
	MaxBytes         = 64 << 10 // of a body, and of its canonical form
	MaxMetadataBytes = 8 << 10  // of all metadata keys and values together
	MaxTags          = 45       // Azure allows 50; Goldmint adds its own
)

// Limits of [Request.Timeout] and its default.
const (
	MinTimeout     = 5 * time.Minute
	MaxTimeout     = 24 * time.Hour
	DefaultTimeout = 2 * time.Hour
	// A version is done when every region has it, which takes hours for a large one.
	DefaultVersionTimeout = 6 * time.Hour
)

// TagPrefix starts the names of the tags that Goldmint sets itself. A request
// may not set such tags, in any letter case.
const TagPrefix = "goldmint-"

// Request asks for one resource: a managed image, or a gallery image version.
type Request struct {
	ID             string // names the build; empty until WithIdentity
	SubscriptionID string // empty: the handler's own setting
	ResourceGroup  string
	Name           string // of the image, or the version's number
	IfExists       IfExists
	Timeout        time.Duration // counted from the first PUT that Azure accepted
	Metadata       map[string]string

	Image armcompute.Image // the body, unless GalleryImageVersion is set

	GalleryName         string // all three are set, or none
	GalleryImageName    string
	GalleryImageVersion *armcompute.GalleryImageVersion
}

// Target is the kind of resource that a request asks for, by its field in the request.
type Target string

// The targets.
const (
	Image               Target = "image"
	GalleryImageVersion Target = "galleryImageVersion"
)

// Target is the kind of resource that is made.
func (r Request) Target() Target {
	if r.GalleryImageVersion != nil {
		return GalleryImageVersion
	}
	return Image
}

// Location is the region of the resource, as the request writes it.
func (r Request) Location() string {
	if v := r.GalleryImageVersion; v != nil {
		return value(v.Location)
	}
	return value(r.Image.Location)
}

// Tags are the tags that the request sets on its resource.
func (r Request) Tags() map[string]*string {
	if v := r.GalleryImageVersion; v != nil {
		return v.Tags
	}
	return r.Image.Tags
}

// IfExists says what to do if another image already has the name.
type IfExists string

// The values of ifExists; Fail is the default.
const (
	Fail    IfExists = "fail"
	Reuse   IfExists = "reuse"
	Replace IfExists = "replace"
)

// ResourceID is the ID of the resource that is asked for. The given subscription is used when the
// request names none.
func (r Request) ResourceID(subscription string) string {
	if r.SubscriptionID != "" {
		subscription = r.SubscriptionID
	}
	compute := "/subscriptions/" + subscription + "/resourceGroups/" + r.ResourceGroup + "/providers/Microsoft.Compute"
	if r.Target() == GalleryImageVersion {
		return compute + "/galleries/" + r.GalleryName + "/images/" + r.GalleryImageName + "/versions/" + r.Name
	}
	return compute + "/images/" + r.Name
}

// Source is what a resource is made from.
type Source struct {
	// Type is virtualMachine, managedDisk, snapshot, blob, image, galleryImageVersion or
	// communityGalleryImage.
	Type string `json:"type"`
	ID   string `json:"id"` // a resource ID, or the blob's URL
}

// Source is the virtual machine or image, or what the operating system disk is copied from. It is
// empty for a request that is not from [Decode].
func (r Request) Source() Source {
	for _, id := range r.sources() {
		if id != nil {
			return Source{Type: sourceType(*id), ID: *id}
		}
	}
	return Source{}
}

// sources are the fields that name a source.
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

// value is what p points at, or the zero value.
func value[T any](p *T) T {
	if p == nil {
		return *new(T)
	}
	return *p
}
