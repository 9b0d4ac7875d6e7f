package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"goldmint/cmd/goldmint/internal/namespace"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
)

// assignHint is for a role that is not Service Bus'.
const assignHint = "role assignments take up to ten minutes to reach every service; docs/deploy.md says which identity needs which"

// customRole is the role that infra/identity.tf creates.
const customRole = "Goldmint image builder"

// Action is an action of the custom role, and how it is found out whether an identity has it.
type Action struct {
	Name    string
	probe   string // to be read below the resource group's compute, existing or not; "": only the list of permissions shows it
	version string // of the API
}

const (
	absent  = "goldmint-doctor-reads-only" // the name of resources that nobody has
	compute = "2021-11-01"
	disks   = "2023-04-02"
)

// Actions are those that the function needs on each resource group: the whole of the custom role.
func Actions() []Action {
	return []Action{
		{"Microsoft.Compute/images/read", "images", compute},
		{"Microsoft.Compute/images/write", "", ""},
		{"Microsoft.Compute/images/delete", "", ""},
		{"Microsoft.Compute/virtualMachines/read", "virtualMachines/" + absent, compute},
		{"Microsoft.Compute/virtualMachines/instanceView/read", "virtualMachines/" + absent + "/instanceView", compute},
		{"Microsoft.Compute/virtualMachines/generalize/action", "", ""},
		{"Microsoft.Compute/disks/read", "disks/" + absent, disks},
		{"Microsoft.Compute/snapshots/read", "snapshots/" + absent, disks},
		{"Microsoft.Compute/diskEncryptionSets/read", "diskEncryptionSets/" + absent, disks},
		{"Microsoft.Compute/locations/operations/read", "", ""}, // asked of the subscription, granted with the group
	}
}

func (d Deployment) examineARM(ctx context.Context, report func(Finding)) {
	const check = "resource groups"
	if len(d.ResourceGroups) == 0 {
		report(Finding{Check: check, Result: Skipped, Detail: "none is named, so none is looked at", Hint: "name those that hold images: --resource-group /subscriptions/…/resourceGroups/…"})
	}
	stop := d.signIn(ctx, "sign in for Resource Manager", d.ARMCredential, d.ARMAudience+"/.default", report)
	for _, group := range d.ResourceGroups {
		if stop != "" {
			report(Finding{Check: groupCheck(group), Result: Skipped, Detail: stop})
			continue
		}
		stop = d.examineGroup(ctx, group, report)
	}
}

func groupCheck(group string) string {
	return "resource group " + group[strings.LastIndexByte(group, '/')+1:]
}

// examineGroup says why no other group can be asked for, where that is so.
func (d Deployment) examineGroup(ctx context.Context, group string, report func(Finding)) (stop string) {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	check := groupCheck(group)
	api := newManager(d.ARMEndpoint, d.ARMAudience, d.ARMCredential)
	granted, err := api.permissions(ctx, group)
	if err != nil {
		return endOfGroup(check, err, report)
	}
	var missing, untold []string
	for _, a := range Actions() {
		allowed, known, err := api.may(ctx, group, a, granted)
		switch {
		case err != nil:
			return endOfGroup(check, err, report)
		case !known:
			untold = append(untold, a.Name)
		case !allowed:
			missing = append(missing, a.Name)
		}
	}
	for _, action := range missing {
		report(Finding{Check: check, Result: Failed, Detail: "may not " + action, Missing: &Grant{Role: customRole, Action: action, Scope: group}, Hint: assignHint})
	}
	if len(untold) > 0 {
		report(Finding{
			Check: check, Result: Unknown, Detail: "whether it may " + strings.Join(untold, ", "),
			Hint: "reading does not tell, and this identity may not read its own permissions (Microsoft.Authorization/permissions/read): see that the role " + customRole + " is assigned here",
		})
	}
	if told := len(Actions()) - len(untold); len(missing) == 0 {
		report(Finding{Check: check, Result: OK, Detail: fmt.Sprintf("%d of %d actions allowed", told, len(Actions()))})
	}
	return ""
}

// endOfGroup reports what keeps a group from being examined.
func endOfGroup(check string, err error, report func(Finding)) (stop string) {
	var answered *azcore.ResponseError
	if !errors.As(err, &answered) {
		report(Finding{Check: check, Result: Unreachable, Detail: namespace.Brief(err), Hint: "check ARM_ENDPOINT, and that it can be reached from here"})
		return "Resource Manager cannot be reached"
	}
	f := Finding{Check: check, Result: Failed, Detail: fmt.Sprintf("Resource Manager answers %d %s", answered.StatusCode, answered.ErrorCode)}
	switch answered.StatusCode {
	case http.StatusNotFound:
		f.Detail = "does not exist (" + answered.ErrorCode + ")"
		f.Hint = "check its id: az group show -n NAME --query id -o tsv"
	case http.StatusUnauthorized:
		f.Hint = "the token is not good there: check ARM_AUDIENCE, and that the identity is of the subscription's tenant"
		stop = "Resource Manager takes no token of this identity"
	default:
		f.Hint = "try again; https://azure.status.microsoft tells of outages"
	}
	report(f)
	return stop
}

// may reports whether the identity has the action, or that this is unknown.
func (m manager) may(ctx context.Context, group string, a Action, granted []permission) (allowed, known bool, err error) {
	if a.probe == "" {
		return slices.ContainsFunc(granted, func(p permission) bool { return p.allows(a.Name) }), granted != nil, nil
	}
	err = m.get(ctx, group+"/providers/Microsoft.Compute/"+a.probe, a.version, nil)
	switch {
	case err == nil, isStatus(err, http.StatusNotFound) && !isGroupMissing(err):
		return true, true, nil
	case isStatus(err, http.StatusForbidden):
		return false, true, nil
	}
	return false, false, err
}
