package catalog

import (
	"context"
	"fmt"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"
)

// Users returns, by lower-case id of an image or version, the VMs and scale sets of the
// subscription that were made from it or would be. Other subscriptions are not seen, nor instances
// of a scale set that are older than its model.
func (a *Azure) Users(ctx context.Context) (map[string][]string, error) {
	users := map[string][]string{}
	machines := a.machines.NewListAllPager(nil)
	for machines.More() {
		page, err := machines.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("list the VMs: %w", err)
		}
		for _, vm := range page.Value {
			if p := vm.Properties; p != nil && p.StorageProfile != nil {
				add(users, p.StorageProfile.ImageReference, "VM "+value(vm.Name))
			}
		}
	}
	sets := a.sets.NewListAllPager(nil)
	for sets.More() {
		page, err := sets.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("list the scale sets: %w", err)
		}
		for _, set := range page.Value {
			if p := set.Properties; p != nil && p.VirtualMachineProfile != nil && p.VirtualMachineProfile.StorageProfile != nil {
				add(users, p.VirtualMachineProfile.StorageProfile.ImageReference, "scale set "+value(set.Name))
			}
		}
	}
	return users, nil
}

// add notes who refers to what. A reference to a definition counts for the version that it was
// resolved to, where Azure says so; otherwise it means the latest, which stays anyway.
func add(users map[string][]string, r *armcompute.ImageReference, who string) {
	if r == nil || value(r.ID) == "" {
		return
	}
	id := strings.ToLower(value(r.ID))
	if exact := value(r.ExactVersion); exact != "" && !strings.Contains(id, "/versions/") {
		id += "/versions/" + exact
	}
	users[id] = append(users[id], who)
}
