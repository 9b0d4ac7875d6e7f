package request

import (
	"fmt"
	"slices"
	"strings"

	"goldmint/internal/armid"
)

// ruleResourceIDs wants each id to be that of a resource of the right type.
func ruleResourceIDs(f *findings, root node) {
	check := func(n node, resourceType string) {
		if id, ok := n.at("id").text(); ok {
			if err := checkResourceID(id, "Microsoft.Compute/"+resourceType); err != nil {
				f.add(n.at("id").pointer, "%v", err)
			}
		}
	}
	check(root.at("image", "properties", "sourceVirtualMachine"), "virtualMachines")
	for _, disk := range disks(root) {
		check(disk.at("managedDisk"), "disks")
		check(disk.at("snapshot"), "snapshots")
		check(disk.at("diskEncryptionSet"), "diskEncryptionSets")
	}
}

// checkResourceID checks an id with or without its leading slash, segment by segment: azcore's own parser accepts "..",
// "?x=1" and any type. A type is written as in Microsoft.Compute/galleries/images/versions; each part but the first has a name.
func checkResourceID(id string, types ...string) error {
	segments := strings.Split(strings.TrimPrefix(id, "/"), "/")
	if len(segments) < 8 || len(segments)%2 != 0 || !sameWords(segments, "subscriptions", "", "resourceGroups", "", "providers") {
		return notAnID(id, types)
	}
	given, names := segments[5:6:6], []string{}
	for i := 6; i < len(segments); i += 2 {
		given, names = append(given, segments[i]), append(names, segments[i+1])
	}
	resourceType := strings.Join(given, "/")
	if !slices.ContainsFunc(types, func(t string) bool { return strings.EqualFold(t, resourceType) }) {
		if len(names) > 1 && !slices.ContainsFunc(types, func(t string) bool { return strings.Count(t, "/") > 1 }) {
			return notAnID(id, types)
		}
		return fmt.Errorf("must be the ID of %s, not of %s", join(types, "or"), strings.Trim(quote(resourceType), `"`))
	}
	subscription, group := segments[1], segments[3]
	switch {
	case !armid.IsGUID(subscription):
		return fmt.Errorf("names the subscription %s, which is no GUID", quote(subscription))
	case !armid.ValidGroup(group):
		return fmt.Errorf("names the resource group %s, which Azure does not allow", quote(group))
	}
	for _, name := range names {
		if !armid.ValidName(name) {
			return fmt.Errorf("names the resource %s, which Azure does not allow", quote(name))
		}
	}
	return nil
}

func notAnID(id string, types []string) error {
	var form strings.Builder
	form.WriteString("/subscriptions/{guid}/resourceGroups/{name}/providers")
	for i, part := range strings.Split(types[0], "/") {
		form.WriteString("/" + part)
		if i > 0 {
			form.WriteString("/{name}")
		}
	}
	return fmt.Errorf("must be a resource ID %s, not %s", &form, quote(id))
}

// sameWords compares segments without case; an empty word stands for anything.
func sameWords(segments []string, words ...string) bool {
	for i, word := range words {
		if word != "" && !strings.EqualFold(segments[i], word) {
			return false
		}
	}
	return true
}

// withSlash is the id as Azure wants it.
func withSlash(id string) string {
	return "/" + strings.TrimPrefix(id, "/")
}
