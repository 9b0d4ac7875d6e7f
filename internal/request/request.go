// Package request is what a message asks for: one managed image, described in
// Azure's own words, read strictly because the sender is not trusted.
//
// [Decode] is the way in. It holds a body against the contract
// (schema/build-request.schema.json) and against the rules a schema cannot
// say, reports every problem at once in words a person can act on, and fills
// in what was left out. A [Request] that came from it is safe to hand to Azure
// Resource Manager: its names cannot leave their place in a URL and its ids
// point at resources of the right kind.
package request

import (
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"
)

// Limits of a request. Service Bus carries 256 KB; a request has to fit there
// together with what Goldmint adds to it.
const (
	MaxBytes         = 64 << 10 // of a body, and of its canonical form
	MaxMetadataBytes = 8 << 10  // of all metadata keys and values together
	MaxTags          = 45       // Azure allows 50; Goldmint needs some for itself
)

// Limits of [Request.Timeout] and its default.
const (
	MinTimeout     = 5 * time.Minute
	MaxTimeout     = 24 * time.Hour
	DefaultTimeout = 2 * time.Hour
)

// TagPrefix starts the names of the tags that Goldmint sets itself. A request
// may not set such tags, in any letter case.
const TagPrefix = "goldmint-"

// Request asks for one image.
type Request struct {
	ID             string // names the build; empty until WithIdentity
	SubscriptionID string // empty: the handler's own setting
	ResourceGroup  string
	Name           string // of the image
	Image          armcompute.Image
	IfExists       IfExists
	Timeout        time.Duration // counted from the first PUT that Azure accepted
	Metadata       map[string]string
}

// IfExists says what to do when another image already has the name.
type IfExists string

// The values of ifExists; Fail is the default.
const (
	Fail    IfExists = "fail"
	Reuse   IfExists = "reuse"
	Replace IfExists = "replace"
)

// ImageID is the resource ID of the image that is asked for. The given
// subscription is used when the request names none.
func (r Request) ImageID(subscription string) string {
	if r.SubscriptionID != "" {
		subscription = r.SubscriptionID
	}
	return "/subscriptions/" + subscription + "/resourceGroups/" + r.ResourceGroup +
		"/providers/Microsoft.Compute/images/" + r.Name
}

// Source is what an image is made from.
type Source struct {
	Type string `json:"type"` // virtualMachine, managedDisk, snapshot or blob
	ID   string `json:"id"`   // a resource ID, or the blob's URL
}

// Source is the virtual machine, or what the operating system disk is copied
// from. It is empty for a request that did not come from [Decode].
func (r Request) Source() Source {
	p := r.Image.Properties
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

func value(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
