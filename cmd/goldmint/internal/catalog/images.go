package catalog

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"

	"goldmint/cmd/goldmint/internal/retention"
)

// Images are the managed images of a resource group whose names begin with the prefix.
type Images struct {
	azure         *Azure
	group, prefix string
}

// Images of the resource group.
func (a *Azure) Images(group, prefix string) Images { return Images{a, group, prefix} }

// List reads all pages.
func (i Images) List(ctx context.Context) ([]Record, error) {
	var all []Record
	pager := i.azure.images.NewListByResourceGroupPager(i.group, nil)
	for pager.More() {
		page, err := pager.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("list the images of %s: %w", i.group, err)
		}
		for _, image := range page.Value {
			if strings.HasPrefix(value(image.Name), i.prefix) {
				all = append(all, i.record(image))
			}
		}
	}
	return all, nil
}

// Read reads one. It returns false if it does not exist.
func (i Images) Read(ctx context.Context, name string) (Record, bool, error) {
	got, err := i.azure.images.Get(ctx, i.group, name, nil)
	if absent(err) {
		return Record{}, false, nil
	}
	if err != nil {
		return Record{}, false, fmt.Errorf("read image %s: %w", name, err)
	}
	return i.record(&got.Image), true, nil
}

// Delete asks for the deletion and does not wait for its end.
func (i Images) Delete(ctx context.Context, name string) error {
	_, err := i.azure.images.BeginDelete(deletion(ctx), i.group, name, nil)
	if err != nil && !absent(err) {
		return fmt.Errorf("delete image %s: %w", name, err)
	}
	return nil
}

// record has no region: `latest` does not know managed images. Older answers of Azure lack the time
// of creation; then the time of the request counts.
func (i Images) record(image *armcompute.Image) Record {
	r := Record{Item: retention.Item{ID: value(image.ID), Name: value(image.Name), Tags: values(image.Tags)}, Location: value(image.Location)}
	r.Number = retention.Suffix(r.Name, i.prefix)
	r.Created, _ = time.Parse(time.RFC3339, r.Tags[retention.TagRequestedAt])
	if image.SystemData != nil && image.SystemData.CreatedAt != nil {
		r.Created = *image.SystemData.CreatedAt
	}
	p := image.Properties
	if p == nil {
		return r
	}
	r.State = value(p.ProvisioningState)
	if p.SourceVirtualMachine != nil {
		r.Source = value(p.SourceVirtualMachine.ID)
	}
	if p.StorageProfile == nil || p.StorageProfile.OSDisk == nil {
		return r
	}
	disk := p.StorageProfile.OSDisk
	r.SizeGB = value(disk.DiskSizeGB)
	for _, source := range []*armcompute.SubResource{disk.ManagedDisk, disk.Snapshot} {
		if source != nil {
			r.Source = either(r.Source, value(source.ID))
		}
	}
	r.Source = either(r.Source, value(disk.BlobURI))
	for _, d := range p.StorageProfile.DataDisks {
		r.SizeGB += value(d.DiskSizeGB)
	}
	return r
}
