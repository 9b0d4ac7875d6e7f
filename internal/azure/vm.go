package azure

import (
	"context"
	"fmt"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"

	"goldmint/internal/build"
	"goldmint/internal/request"
	"goldmint/internal/vmevent"
)

// VM reads the VM with its instance view, which alone shows whether the VM is generalized. A VM
// that does not exist is an error.
func (a *ARM) VM(ctx context.Context, id vmevent.ID) (vmevent.VM, error) {
	client, err := a.vms(id.SubscriptionID)
	if err != nil {
		return vmevent.VM{}, err
	}
	got, err := client.Get(ctx, id.ResourceGroup, id.Name,
		&armcompute.VirtualMachinesClientGetOptions{Expand: to.Ptr(armcompute.InstanceViewTypesInstanceView)})
	if e := armError(err); e != nil {
		return vmevent.VM{}, fmt.Errorf("read VM %q: %w", id.Name, e)
	}
	return observedVM(id, got.VirtualMachine), nil
}

// Generalize marks the VM as generalized: it can never be started again. ARM answers when it is
// done, and answers the same for a VM that is generalized already.
func (a *ARM) Generalize(ctx context.Context, id vmevent.ID) error {
	client, err := a.vms(id.SubscriptionID)
	if err != nil {
		return err
	}
	_, err = client.Generalize(ctx, id.ResourceGroup, id.Name, nil)
	if e := armError(err); e != nil {
		return fmt.Errorf("generalize VM %q: %w", id.Name, e)
	}
	return nil
}

// ImageOf returns the resource ID of an image that a build of the request's id has made or is
// making, or "". It searches where the request wants its image: in the resource group or the image
// definition. An image that failed or is being deleted does not count.
func (a *ARM) ImageOf(ctx context.Context, r request.Request) (string, error) {
	if r.Target() == request.GalleryImageVersion {
		client, err := armcompute.NewGalleryImageVersionsClient(r.SubscriptionID, a.credential, a.options)
		if err != nil {
			return "", err
		}
		return find(ctx, r, client.NewListByGalleryImagePager(r.ResourceGroup, r.GalleryName, r.GalleryImageName, nil),
			func(page armcompute.GalleryImageVersionsClientListByGalleryImageResponse) []*armcompute.GalleryImageVersion {
				return page.Value
			}, observedVersion)
	}
	client, err := a.images(r.SubscriptionID)
	if err != nil {
		return "", err
	}
	return find(ctx, r, client.NewListByResourceGroupPager(r.ResourceGroup, nil),
		func(page armcompute.ImagesClientListByResourceGroupResponse) []*armcompute.Image { return page.Value }, observed)
}

// find searches a list of images.
func find[P, I any](ctx context.Context, r request.Request, pager *runtime.Pager[P], all func(P) []*I, observe func(I) build.Image) (string, error) {
	for pager.More() {
		page, err := pager.NextPage(ctx)
		if e := armError(err); e != nil && e.Absent() {
			return "", nil
		} else if e != nil {
			return "", fmt.Errorf("list the images of resource group %q: %w", r.ResourceGroup, e)
		}
		for _, i := range all(page) {
			if i == nil {
				continue
			}
			if o := observe(*i); madeBy(o, r.ID) && !strings.EqualFold(o.State, "Failed") && !strings.EqualFold(o.State, "Deleting") {
				return o.ID, nil
			}
		}
	}
	return "", nil
}

func madeBy(i build.Image, buildID string) bool {
	id, _, _ := strings.Cut(i.BuildTag, "/")
	return id == buildID
}

func observedVM(asked vmevent.ID, got armcompute.VirtualMachine) vmevent.VM {
	v := vmevent.VM{ID: asked, Location: value(got.Location), Tags: map[string]string{}}
	if id, err := vmevent.ParseID(value(got.ID)); err == nil {
		v.ID = id // in ARM's own letter case, so that all events about the VM have the same ID
	}
	for name, tag := range got.Tags {
		v.Tags[name] = value(tag)
	}
	p := got.Properties
	if p == nil {
		return v
	}
	v.VMID, v.State = value(p.VMID), value(p.ProvisioningState)
	v.InScaleSet = p.VirtualMachineScaleSet != nil
	if p.SecurityProfile != nil {
		v.SecurityType = string(value(p.SecurityProfile.SecurityType))
	}
	if s := p.StorageProfile; s != nil && s.OSDisk != nil {
		v.EphemeralOSDisk = s.OSDisk.DiffDiskSettings != nil
	}
	if p.InstanceView != nil {
		readInstanceView(&v, p.InstanceView)
	}
	return v
}

// readInstanceView reads codes such as OSState/generalized, whose letter case has varied.
func readInstanceView(v *vmevent.VM, view *armcompute.VirtualMachineInstanceView) {
	v.HyperVGeneration = string(value(view.HyperVGeneration))
	for _, s := range view.Statuses {
		if s == nil {
			continue
		}
		switch kind, state, _ := strings.Cut(strings.ToLower(value(s.Code)), "/"); kind {
		case "osstate":
			v.Generalized = v.Generalized || state == "generalized"
		case "powerstate":
			v.Power = state
		}
	}
}
