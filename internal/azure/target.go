package azure

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"

	"goldmint/internal/build"
	"goldmint/internal/event"
	"goldmint/internal/request"
)

// target holds the requests to Resource Manager for one kind of resource that a build makes.
type target interface {
	get(ctx context.Context, id *arm.ResourceID) (build.Image, error)
	put(ctx context.Context, b build.Build) (poller, error)
	resume(ctx context.Context, b build.Build) (poller, error)
	remove(ctx context.Context, id *arm.ResourceID) error
}

// poller is what the SDK's pollers have in common.
type poller interface {
	Done() bool
	ResumeToken() (string, error)
	Poll(ctx context.Context) (*http.Response, error)
}

const versionType = "Microsoft.Compute/galleries/images/versions"

// at is the resource's ID, which its request has checked, and a client for its kind and
// subscription. Clients are cheap and not cached, because subscriptions come from messages.
func (a *ARM) at(id string) (*arm.ResourceID, target, error) {
	r, err := arm.ParseResourceID(id)
	if err != nil {
		return nil, nil, err
	}
	if r.ResourceType.String() == versionType {
		client, err := armcompute.NewGalleryImageVersionsClient(r.SubscriptionID, a.credential, a.options)
		return r, versions{client}, err
	}
	client, err := a.images(r.SubscriptionID)
	return r, images{client}, err
}

// images are managed images.
type images struct{ *armcompute.ImagesClient }

func (c images) get(ctx context.Context, id *arm.ResourceID) (build.Image, error) {
	got, err := c.Get(ctx, id.ResourceGroupName, id.Name, nil)
	return observed(got.Image), err
}

func (c images) put(ctx context.Context, b build.Build) (poller, error) {
	image := b.Request.Image
	image.Tags = b.ImageTags()
	return c.BeginCreateOrUpdate(ctx, b.Request.ResourceGroup, b.Request.Name, image, nil)
}

func (c images) resume(ctx context.Context, b build.Build) (poller, error) {
	return c.BeginCreateOrUpdate(ctx, b.Request.ResourceGroup, b.Request.Name, armcompute.Image{},
		&armcompute.ImagesClientBeginCreateOrUpdateOptions{ResumeToken: b.Attempt.Token})
}

func (c images) remove(ctx context.Context, id *arm.ResourceID) error {
	_, err := c.BeginDelete(ctx, id.ResourceGroupName, id.Name, nil)
	return err
}

// versions are gallery image versions.
type versions struct {
	*armcompute.GalleryImageVersionsClient
}

func (c versions) get(ctx context.Context, id *arm.ResourceID) (build.Image, error) {
	got, err := c.Get(ctx, id.ResourceGroupName, id.Parent.Parent.Name, id.Parent.Name, id.Name,
		&armcompute.GalleryImageVersionsClientGetOptions{Expand: to.Ptr(armcompute.ReplicationStatusTypesReplicationStatus)})
	return observedVersion(got.GalleryImageVersion), err
}

func (c versions) put(ctx context.Context, b build.Build) (poller, error) {
	version := *b.Request.GalleryImageVersion
	version.Tags = b.ImageTags()
	r := b.Request
	return c.BeginCreateOrUpdate(ctx, r.ResourceGroup, r.GalleryName, r.GalleryImageName, r.Name, version, nil)
}

func (c versions) resume(ctx context.Context, b build.Build) (poller, error) {
	r := b.Request
	return c.BeginCreateOrUpdate(ctx, r.ResourceGroup, r.GalleryName, r.GalleryImageName, r.Name, armcompute.GalleryImageVersion{},
		&armcompute.GalleryImageVersionsClientBeginCreateOrUpdateOptions{ResumeToken: b.Attempt.Token})
}

// remove deletes for good, because a failed version in the recycle bin could block its number.
func (c versions) remove(ctx context.Context, id *arm.ResourceID) error {
	_, err := c.BeginDelete(ctx, id.ResourceGroupName, id.Parent.Parent.Name, id.Parent.Name, id.Name,
		&armcompute.GalleryImageVersionsClientBeginDeleteOptions{BypassSoftDelete: to.Ptr(true)})
	return err
}

func observedVersion(v armcompute.GalleryImageVersion) build.Image {
	o := build.Image{Exists: true, ID: value(v.ID), Location: value(v.Location)}
	readTags(&o, v.Tags)
	if p := v.Properties; p != nil {
		o.State = string(value(p.ProvisioningState))
		o.Replication = replication(p.ReplicationStatus)
		if o.CreatedAt.IsZero() && p.PublishingProfile != nil {
			o.CreatedAt = value(p.PublishingProfile.PublishedDate)
		}
	}
	if s := v.SystemData; s != nil && s.CreatedAt != nil {
		o.CreatedAt = *s.CreatedAt
	}
	return o
}

func replication(s *armcompute.ReplicationStatus) *event.Replication {
	if s == nil {
		return nil
	}
	r := event.Replication{AggregatedState: string(value(s.AggregatedState))}
	for _, region := range s.Summary {
		if region != nil {
			r.Summary = append(r.Summary, event.Region{
				Region: value(region.Region), State: string(value(region.State)), Progress: value(region.Progress), Details: value(region.Details),
			})
		}
	}
	return &r
}

// tokenOf is the type that a resume token of the target's creation names, and the path of its
// operations.
var tokenOf = map[request.Target]struct{ kind, operations string }{
	request.Image:               {"ImagesClientCreateOrUpdateResponse", "operations"},
	request.GalleryImageVersion: {"GalleryImageVersionsClientCreateOrUpdateResponse", "capsOperations"},
}

// forSource bounds how long the PUT of an image waits for the read of its source.
const forSource = 5 * time.Second

// uniqueID identifies a source, because another resource can get its name later: it is a VM's vmId,
// a disk's or a snapshot's uniqueId. If it cannot be read, for example because a right is missing,
// the build goes on without it.
func (a *ARM) uniqueID(ctx context.Context, source request.Source) string {
	id, err := arm.ParseResourceID("/" + strings.TrimPrefix(source.ID, "/"))
	if err != nil {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, forSource)
	defer cancel()
	group, name := id.ResourceGroupName, id.Name
	switch source.Type {
	case "virtualMachine":
		if client, err := a.vms(id.SubscriptionID); err == nil {
			if got, _ := client.Get(ctx, group, name, nil); got.Properties != nil {
				return value(got.Properties.VMID)
			}
		}
	case "managedDisk":
		if client, err := armcompute.NewDisksClient(id.SubscriptionID, a.credential, a.options); err == nil {
			if got, _ := client.Get(ctx, group, name, nil); got.Properties != nil {
				return value(got.Properties.UniqueID)
			}
		}
	case "snapshot":
		if client, err := armcompute.NewSnapshotsClient(id.SubscriptionID, a.credential, a.options); err == nil {
			if got, _ := client.Get(ctx, group, name, nil); got.Properties != nil {
				return value(got.Properties.UniqueID)
			}
		}
	}
	return ""
}
