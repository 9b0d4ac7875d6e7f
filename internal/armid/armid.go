// Package armid reads the ids and names of Azure's resources, strictly: they become parts of URLs,
// and azcore's own parser accepts "..", "?x=1" and any type.
package armid

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"goldmint/internal/quote"
)

// ID is the resource ID of a resource of Microsoft.Compute directly below its resource group.
// [Parse] checks its parts, so that they cannot change the path of a URL.
type ID struct{ SubscriptionID, ResourceGroup, Type, Name string }

// String is the ID as Resource Manager spells it, "" for the zero ID.
func (i ID) String() string {
	if i == (ID{}) {
		return ""
	}
	return "/subscriptions/" + i.SubscriptionID + "/resourceGroups/" + i.ResourceGroup + "/providers/Microsoft.Compute/" + i.Type + "/" + i.Name
}

// Same reports whether both are IDs of one resource. Letter case does not count.
func (i ID) Same(o ID) bool { return strings.EqualFold(i.String(), o.String()) }

var (
	guid = regexp.MustCompile(`^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`)
	// Letters, digits and marks of all scripts: \w in .NET, in which these rules are written. A
	// circled digit is not among them.
	groupName = regexp.MustCompile(`^[-_.()\p{L}\p{M}\p{Nd}]{0,89}[-_()\p{L}\p{M}\p{Nd}]$`)
	// Compute's rule for the names of its resources.
	computeName = regexp.MustCompile(`^[\p{L}\p{Nd}]([-_.\p{L}\p{M}\p{Nd}]{0,78}[_\p{L}\p{M}\p{Nd}])?$`)
	// Storage accounts have their own rule.
	storageAccount = regexp.MustCompile(`^[a-z0-9]{3,24}$`)
)

// IsGUID reports whether s is a GUID in its usual form.
func IsGUID(s string) bool { return guid.MatchString(s) }

// ValidGroup reports whether Azure allows a resource group of that name. Two dots in a row are
// refused too, here and in [ValidName], because ".." could change a path.
func ValidGroup(name string) bool {
	return groupName.MatchString(name) && !strings.Contains(name, "..")
}

// ValidName reports whether Azure allows a VM, image, disk or snapshot of that name.
func ValidName(name string) bool {
	return computeName.MatchString(name) && !strings.Contains(name, "..")
}

// OtherTypeError says that an ID is well formed but of a resource of another type.
type OtherTypeError struct{ Found, Want string }

func (e *OtherTypeError) Error() string {
	return "it is the ID of a " + e.Found + ", not of a Microsoft.Compute/" + e.Want
}

// Parts are what the ID of a resource below a resource group consists of, unchecked.
type Parts struct {
	SubscriptionID, ResourceGroup string
	Type                          string   // Microsoft.Compute/disks, Microsoft.Compute/galleries/images/versions
	Names                         []string // one for each part of the type but the first
}

// Split parses an ID, in any letter case and with or without its leading slash.
func Split(s string) (Parts, bool) {
	segments := strings.Split(strings.TrimPrefix(s, "/"), "/")
	if len(segments) < 8 || len(segments)%2 != 0 || !strings.EqualFold(segments[0], "subscriptions") ||
		!strings.EqualFold(segments[2], "resourceGroups") || !strings.EqualFold(segments[4], "providers") {
		return Parts{}, false
	}
	p := Parts{SubscriptionID: segments[1], ResourceGroup: segments[3], Type: segments[5]}
	for i := 6; i < len(segments); i += 2 {
		p.Type += "/" + segments[i]
		p.Names = append(p.Names, segments[i+1])
	}
	return p, true
}

// Check reports why the ID is not that of a resource of one of the types, such as
// Microsoft.Compute/disks. The caller puts the name of the field in front of the error.
func Check(id string, types ...string) error {
	p, ok := Split(id)
	if !ok {
		return notAnID(id, types)
	}
	if !slices.ContainsFunc(types, func(t string) bool { return strings.EqualFold(t, p.Type) }) {
		if len(p.Names) > 1 && !slices.ContainsFunc(types, func(t string) bool { return strings.Count(t, "/") > 1 }) {
			return notAnID(id, types)
		}
		return fmt.Errorf("must be the ID of %s, not of %s", quote.List(types, "or"), strings.Trim(quote.Foreign(p.Type), `"`))
	}
	switch {
	case !IsGUID(p.SubscriptionID):
		return fmt.Errorf("names the subscription %s, which is no GUID", quote.Foreign(p.SubscriptionID))
	case !ValidGroup(p.ResourceGroup):
		return fmt.Errorf("names the resource group %s, which Azure does not allow", quote.Foreign(p.ResourceGroup))
	}
	valid := ValidName
	if strings.EqualFold(p.Type, "Microsoft.Storage/storageAccounts") {
		valid = storageAccount.MatchString
	}
	for _, name := range p.Names {
		if !valid(name) {
			return fmt.Errorf("names the resource %s, which Azure does not allow", quote.Foreign(name))
		}
	}
	return nil
}

func notAnID(id string, types []string) error {
	form := "/subscriptions/{guid}/resourceGroups/{name}/providers"
	for i, part := range strings.Split(types[0], "/") {
		form += "/" + part
		if i > 0 {
			form += "/{name}"
		}
	}
	return fmt.Errorf("must be a resource ID %s, not %s", form, quote.Foreign(id))
}

// Parse reads the ID of a resource of that type, such as "virtualMachines", in any letter case and
// with or without its leading slash, and checks every segment.
func Parse(s, resourceType string) (ID, error) {
	p, ok := Split(s)
	if !ok {
		return ID{}, fmt.Errorf("it has to be /subscriptions/{guid}/resourceGroups/{name}/providers/Microsoft.Compute/%s/{name}", resourceType)
	}
	id := ID{SubscriptionID: p.SubscriptionID, ResourceGroup: p.ResourceGroup, Type: resourceType, Name: p.Names[0]}
	switch {
	case !IsGUID(id.SubscriptionID):
		return ID{}, fmt.Errorf("its subscription is not a GUID")
	case !ValidGroup(id.ResourceGroup):
		return ID{}, fmt.Errorf("its resource group has a name that Azure does not allow")
	case !strings.EqualFold(p.Type, "Microsoft.Compute/"+resourceType):
		return ID{}, &OtherTypeError{Found: "resource of another type", Want: resourceType}
	case !ValidName(id.Name):
		return ID{}, fmt.Errorf("its last part is a name that Azure does not allow")
	}
	return id, nil
}

// Allowed reports whether an allow-list has the name of a subscription or resource group. An empty
// list allows all.
func Allowed(list []string, name string) bool {
	return len(list) == 0 || slices.ContainsFunc(list, func(v string) bool { return sameName(v, name) })
}

// sameName compares as Azure does, without case. strings.EqualFold takes the Kelvin sign for a k
// and the long s for an s, but Azure does not. So two names are the same only when both their lower
// case and their upper case are equal.
func sameName(a, b string) bool {
	both := func(s string) string { return strings.ToLower(s) + "/" + strings.ToUpper(s) }
	return both(a) == both(b)
}
