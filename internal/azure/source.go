package azure

import (
	"context"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"

	"goldmint/internal/request"
)

// forSource is how long the PUT of an image waits for what its source is.
const forSource = 5 * time.Second

// uniqueID is what a source has beside its name, which another may take: a VM's vmId, a disk's or snapshot's uniqueId.
// Where ARM does not tell, for want of a right perhaps, the build goes on without it.
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
