package doctor

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// builtIn are the ids of the roles that the function's identity holds.
var builtIn = map[string]string{
	"Azure Service Bus Data Owner":    "090c5cfd-751d-490a-894a-3ce6f1109419",
	"Azure Service Bus Data Receiver": "4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0",
	"Azure Service Bus Data Sender":   "69a216fc-b8fb-44d8-bc22-1f3c2cd27a39",
	"Storage Blob Data Owner":         "b7e6dc6d-f1e8-4753-8033-0f276bb0955b",
}

// needed is a role on a scope; another that includes it will do.
type needed struct{ role, orRole, scope string }

type assignment struct {
	Properties struct{ RoleDefinitionID, Scope string }
}

// covers says whether an assignment reaches a scope: it does on the scope itself and on everything
// above it.
func (g assignment) covers(scope string) bool {
	above := strings.ToLower(strings.TrimSuffix(g.Properties.Scope, "/")) + "/"
	return strings.HasPrefix(strings.ToLower(scope)+"/", above)
}

func (g assignment) is(role string) bool {
	return role != "" && strings.HasSuffix(strings.ToLower(g.Properties.RoleDefinitionID), "/"+builtIn[role])
}

// roles compares what the function's identity holds, through groups and from above too, with what
// it needs.
func (a app) roles(ctx context.Context, report func(Finding)) error {
	principal, err := a.principal(ctx)
	if err != nil {
		return err
	}
	account, err := a.storageAccount(ctx)
	if err != nil {
		return err
	}
	held, err := a.assignments(ctx, a.subscription, principal)
	if err != nil {
		return err
	}
	var missing []Grant
	for _, need := range []needed{
		{"Azure Service Bus Data Receiver", "Azure Service Bus Data Owner", a.namespaceID + "/queues/" + a.Requests},
		{"Azure Service Bus Data Owner", "", a.namespaceID + "/queues/" + a.Builds},
		{"Azure Service Bus Data Sender", "Azure Service Bus Data Owner", a.namespaceID + "/topics/" + a.Topic},
		{"Storage Blob Data Owner", "", account},
	} {
		if !slices.ContainsFunc(held, func(g assignment) bool { return g.covers(need.scope) && (g.is(need.role) || g.is(need.orRole)) }) {
			missing = append(missing, Grant{Role: need.role, Scope: need.scope})
		}
	}
	for _, custom := range a.customRoles() {
		for _, scope := range custom.scopes {
			lacks, err := a.lacks(ctx, custom, scope, principal)
			if err != nil {
				return err
			}
			missing = append(missing, lacks...)
		}
	}
	for _, grant := range missing {
		f := Finding{Result: Failed, Detail: "a role is missing", Missing: &grant, Hint: applyAgain}
		if variable := variableOf[grant.Role]; variable != "" {
			f.Hint = "name it in " + variable + ", and " + applyAgain
		}
		report(f)
	}
	if len(missing) == 0 {
		report(Finding{Result: OK, Detail: fmt.Sprintf("on both queues, the topic, the storage account, %d resource groups, %d galleries and %d sources of theirs",
			len(a.ResourceGroups), len(a.Galleries), len(a.GallerySources))})
	}
	return nil
}

// custom is a role of infra/, and where the function needs it.
type custom struct {
	name    string
	actions []string
	scopes  []string
}

func (a app) customRoles() []custom {
	var images, galleries []string
	for _, action := range Actions() {
		images = append(images, action.Name)
	}
	for _, id := range a.Galleries {
		gallery, _, _ := strings.Cut(id, "/images/")
		galleries = append(galleries, gallery)
	}
	return []custom{
		{customRole, images, a.ResourceGroups},
		{galleryRole, GalleryActions(), galleries},
		{sourceRole, SourceActions(), a.GallerySources},
	}
}

// principal is the object id of the app's only user-assigned identity, or of the one that the
// settings name.
func (a app) principal(ctx context.Context) (string, error) {
	var site struct {
		Identity struct {
			UserAssignedIdentities map[string]struct{ PrincipalID, ClientID string }
		}
	}
	if err := a.api.get(ctx, a.App, webAPI, &site); err != nil {
		return "", err
	}
	for _, identity := range site.Identity.UserAssignedIdentities {
		if len(site.Identity.UserAssignedIdentities) == 1 || strings.EqualFold(identity.ClientID, a.Settings["AZURE_CLIENT_ID"]) {
			return identity.PrincipalID, nil
		}
	}
	return "", fmt.Errorf("the app has %d user-assigned identities, and none of them is the one of AZURE_CLIENT_ID", len(site.Identity.UserAssignedIdentities))
}

func (a app) assignments(ctx context.Context, subscription, principal string) ([]assignment, error) {
	var answer struct{ Value []assignment }
	filter := url.QueryEscape("assignedTo('" + principal + "')")
	err := a.api.get(ctx, subscription+"/providers/Microsoft.Authorization/roleAssignments?$filter="+filter, rolesAPI, &answer)
	return answer.Value, err
}

// lacks is what no role of the identity allows on a scope: the custom role, or those of its actions
// that are missing.
func (a app) lacks(ctx context.Context, c custom, scope, principal string) ([]Grant, error) {
	held, err := a.assignments(ctx, strings.Join(strings.Split(scope, "/")[:3], "/"), principal)
	if err != nil {
		return nil, err
	}
	var granted []permission
	for _, g := range held {
		if !g.covers(scope) {
			continue
		}
		var role struct {
			Properties struct{ Permissions []permission }
		}
		if err := a.api.get(ctx, g.Properties.RoleDefinitionID, rolesAPI, &role); err != nil {
			return nil, err
		}
		granted = append(granted, role.Properties.Permissions...)
	}
	var missing []Grant
	for _, action := range c.actions {
		if !slices.ContainsFunc(granted, func(p permission) bool { return p.allows(action) }) {
			missing = append(missing, Grant{Role: c.name, Action: action, Scope: scope})
		}
	}
	if len(missing) == len(c.actions) {
		return []Grant{{Role: c.name, Scope: scope}}, nil
	}
	return missing, nil
}
