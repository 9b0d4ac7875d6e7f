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

// ErrContinues says that Azure continues with the change but the command has stopped waiting.
var ErrContinues = errors.New("interrupted: Azure has taken the change on and continues")

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

// Read reads one. It returns false if it does not exist.
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

// Delete asks for the deletion and does not wait for its end. A gallery's soft delete stays in
// force.
func (v Versions) Delete(ctx context.Context, name string) error {
	_, err := v.azure.versions.BeginDelete(deletion(ctx), v.group, v.gallery, v.image, name, nil)
	if err != nil && !absent(err) {
		return fmt.Errorf("delete version %s: %w", name, err)
	}
	return nil
}

// Promote lets `latest` resolve to a version. It returns the version as it is afterwards.
func (v Versions) Promote(ctx context.Context, name string) (Record, error) {
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
	// Ctrl-C does not cancel the call, because then it would be unknown whether Azure has accepted
	// the change.
	sending, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Minute)
	defer cancel()
	poller, err := v.azure.versions.BeginCreateOrUpdate(sending, v.group, v.gallery, v.image, name, promoted(got.GalleryImageVersion), nil)
	if err != nil {
		return Record{}, fmt.Errorf("promote version %s: %w", name, err)
	}
	result, err := finish(ctx, poller) // its last call reads the version again
	after := recordOfVersion(&result.GalleryImageVersion)
	switch {
	case errors.Is(err, ErrContinues):
		return Record{}, err
	case absent(err):
		return Record{}, fmt.Errorf("version %s was deleted while it was promoted", name)
	case err != nil:
		return Record{}, fmt.Errorf("promote version %s: %w", name, err)
	case before.Places() != after.Places():
		return after, fmt.Errorf("version %s was in %s and is in %s: someone else changed its regions meanwhile", name, before.Places(), after.Places())
	case hidden(after.Regions):
		return after, fmt.Errorf("version %s is still hidden from latest: someone else changed it meanwhile", name)
	}
	return after, nil
}

// finish looks at an operation until it is over: soon, then every 15 s. A promotion takes Azure 150
// s and more.
func finish[T any](ctx context.Context, poller *runtime.Poller[T]) (result T, err error) {
	for pause := time.Second; ; pause = min(2*pause, 15*time.Second) {
		if _, err := poller.Poll(ctx); err != nil && ctx.Err() == nil { //nolint:bodyclose // the poller has read and closed it
			return result, err
		}
		if poller.Done() {
			return poller.Result(ctx)
		}
		select {
		case <-ctx.Done():
			return result, ErrContinues
		case <-time.After(pause):
		}
	}
}

// promoted is the body to send: as it was read, without what is read-only, and with
// excludeFromLatest off everywhere: a region's own flag wins over the version's. The sources are
// left out, as az was recorded to do: they cannot change, they may be gone, and with them Azure
// would ask for rights on them.
func promoted(v armcompute.GalleryImageVersion) armcompute.GalleryImageVersion {
	v.ID, v.Name, v.Type, v.SystemData = nil, nil, nil, nil
	p := v.Properties
	p.ProvisioningState, p.ReplicationStatus, p.ValidationsProfile, p.ImageMetadataProfiles, p.Restore = nil, nil, nil, nil, nil
	if p.SafetyProfile != nil {
		p.SafetyProfile.PolicyViolations, p.SafetyProfile.ReportedForPolicyViolation = nil, nil
	}
	if s := p.StorageProfile; s != nil {
		s.Source = nil
		if s.OSDiskImage != nil {
			s.OSDiskImage.SizeInGB, s.OSDiskImage.Source = nil, nil
		}
		for _, d := range s.DataDiskImages {
			d.SizeInGB, d.Source = nil, nil
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
	r := Record{Item: retention.Item{ID: value(v.ID), Name: value(v.Name), Tags: values(v.Tags)}, Location: value(v.Location)}
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
