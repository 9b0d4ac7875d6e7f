package catalog

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"

	"goldmint/cmd/goldmint/internal/retention"
)

// Versions are those of one definition in a gallery.
type Versions struct {
	azure                 *Azure
	group, gallery, image string
}

// Versions of the definition.
func (a *Azure) Versions(group, gallery, image string) Versions {
	return Versions{a, group, gallery, image}
}

// List reads all pages.
func (v Versions) List(ctx context.Context) ([]Record, error) {
	var all []Record
	pager := v.azure.versions.NewListByGalleryImagePager(v.group, v.gallery, v.image, nil)
	for pager.More() {
		page, err := pager.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("list the versions of %s/%s: %w", v.gallery, v.image, err)
		}
		for _, version := range page.Value {
			all = append(all, recordOfVersion(version))
		}
	}
	return all, nil
}

// Read reads one; false is one that is not there.
func (v Versions) Read(ctx context.Context, name string) (Record, bool, error) {
	got, err := v.azure.versions.Get(ctx, v.group, v.gallery, v.image, name, nil)
	if absent(err) {
		return Record{}, false, nil
	}
	if err != nil {
		return Record{}, false, fmt.Errorf("read version %s: %w", name, err)
	}
	return recordOfVersion(&got.GalleryImageVersion), true, nil
}

// Delete asks for the deletion and does not wait for its end. A gallery's soft delete stays in force.
func (v Versions) Delete(ctx context.Context, name string) error {
	_, err := v.azure.versions.BeginDelete(ctx, v.group, v.gallery, v.image, name, nil)
	if err != nil && !absent(err) {
		return fmt.Errorf("delete version %s: %w", name, err)
	}
	return nil
}

// Promote lets `latest` resolve to a version. It gives the version as it is afterwards.
func (v Versions) Promote(ctx context.Context, name string, look time.Duration) (Record, error) {
	got, err := v.azure.versions.Get(ctx, v.group, v.gallery, v.image, name, nil)
	if err != nil {
		return Record{}, fmt.Errorf("read version %s: %w", name, err)
	}
	before := recordOfVersion(&got.GalleryImageVersion)
	if !strings.EqualFold(before.State, "Succeeded") {
		return Record{}, fmt.Errorf("version %s is %s: only one that is Succeeded can be promoted", name, before.State)
	}
	if !hidden(before.Regions) {
		return before, nil
	}
	poller, err := v.azure.versions.BeginCreateOrUpdate(ctx, v.group, v.gallery, v.image, name, promoted(got.GalleryImageVersion), nil)
	if err != nil {
		return Record{}, fmt.Errorf("promote version %s: %w", name, err)
	}
	if _, err := poller.PollUntilDone(ctx, &runtime.PollUntilDoneOptions{Frequency: look}); err != nil {
		return Record{}, fmt.Errorf("promote version %s: %w", name, err)
	}
	after, found, err := v.Read(ctx, name)
	switch {
	case err != nil:
		return Record{}, err
	case !found:
		return Record{}, fmt.Errorf("version %s was deleted while it was promoted", name)
	case names(before.Regions) != names(after.Regions):
		return after, fmt.Errorf("version %s was in %s and is in %s: someone else changed its regions meanwhile", name, names(before.Regions), names(after.Regions))
	case hidden(after.Regions):
		return after, fmt.Errorf("version %s is still hidden from latest: someone else changed it meanwhile", name)
	}
	return after, nil
}

// promoted is the body to send: as it was read, without what is read-only, and with excludeFromLatest off everywhere: a
// region's own flag wins over the version's.
func promoted(v armcompute.GalleryImageVersion) armcompute.GalleryImageVersion {
	v.ID, v.Name, v.Type, v.SystemData = nil, nil, nil, nil
	p := v.Properties
	p.ProvisioningState, p.ReplicationStatus, p.ValidationsProfile, p.ImageMetadataProfiles = nil, nil, nil, nil
	if p.SafetyProfile != nil {
		p.SafetyProfile.PolicyViolations, p.SafetyProfile.ReportedForPolicyViolation = nil, nil
	}
	if s := p.StorageProfile; s != nil {
		if s.OSDiskImage != nil {
			s.OSDiskImage.SizeInGB = nil
		}
		for _, d := range s.DataDiskImages {
			d.SizeInGB = nil
		}
	}
	off := false
	p.PublishingProfile.PublishedDate = nil
	p.PublishingProfile.ExcludeFromLatest = &off
	for _, r := range p.PublishingProfile.TargetRegions {
		if value(r.ExcludeFromLatest) {
			r.ExcludeFromLatest = &off
		}
	}
	return v
}

func recordOfVersion(v *armcompute.GalleryImageVersion) Record {
	r := Record{Item: retention.Item{ID: value(v.ID), Name: value(v.Name), Tags: values(v.Tags)}}
	r.Number = retention.Version(r.Name)
	p := v.Properties
	if p == nil {
		return r
	}
	r.State = string(value(p.ProvisioningState))
	if s := p.SafetyProfile; s != nil {
		r.Blocked = value(s.BlockDeletionBeforeEndOfLife)
	}
	if publishing := p.PublishingProfile; publishing != nil {
		r.Created, r.EndOfLife = value(publishing.PublishedDate), value(publishing.EndOfLifeDate)
		for _, region := range publishing.TargetRegions {
			excluded := value(region.ExcludeFromLatest)
			r.Regions = append(r.Regions, retention.Region{
				Name: value(region.Name), Excluded: excluded, Hidden: excluded || value(publishing.ExcludeFromLatest),
			})
		}
	}
	if s := p.StorageProfile; s != nil {
		if s.Source != nil {
			r.Source = either(value(s.Source.VirtualMachineID), value(s.Source.ID), value(s.Source.CommunityGalleryImageID))
		}
		if s.OSDiskImage != nil {
			r.SizeGB = value(s.OSDiskImage.SizeInGB)
			if s.OSDiskImage.Source != nil {
				r.Source = either(r.Source, value(s.OSDiskImage.Source.ID), value(s.OSDiskImage.Source.URI))
			}
		}
		for _, d := range s.DataDiskImages {
			r.SizeGB += value(d.SizeInGB)
		}
	}
	return r
}

func hidden(regions []retention.Region) bool {
	for _, r := range regions {
		if r.Hidden {
			return true
		}
	}
	return false
}

func names(regions []retention.Region) string {
	all := make([]string, len(regions))
	for i, r := range regions {
		all[i] = r.Name
	}
	return strings.Join(all, ", ")
}

func either(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

func absent(err error) bool {
	var r *azcore.ResponseError
	return errors.As(err, &r) && r.StatusCode == http.StatusNotFound
}
