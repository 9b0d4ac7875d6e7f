package request

import (
	"fmt"
	"regexp"
	"strings"
)

// ruleResourceIDs wants each id to be that of a resource of the right type.
func ruleResourceIDs(f *findings, root node) {
	check := func(n node, resourceType string) {
		if id, ok := n.at("id").text(); ok {
			if err := checkResourceID(id, resourceType); err != nil {
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

var (
	guid = regexp.MustCompile(`^[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}$`)
	// The rule of Microsoft.Compute for all its resources, within ASCII.
	computeName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9_.-]{0,78}[A-Za-z0-9_])?$`)
	groupName   = regexp.MustCompile(`^[-_.()\p{L}\p{N}]*[-_()\p{L}\p{N}]$`)
)

const maxGroupName = 90 // characters

// checkResourceID checks an id with or without its leading slash, segment by
// segment: azcore's own parser accepts "..", "?x=1" and any type.
func checkResourceID(id, resourceType string) error {
	form := "/subscriptions/{guid}/resourceGroups/{name}/providers/Microsoft.Compute/" + resourceType + "/{name}"
	segments := strings.Split(strings.TrimPrefix(id, "/"), "/")
	if len(segments) != 8 || !sameWords(segments, "subscriptions", "", "resourceGroups", "", "providers") {
		return fmt.Errorf("must be a resource ID %s, not %s", form, quote(id))
	}
	if !sameWords(segments[5:], "Microsoft.Compute", resourceType) {
		return fmt.Errorf("must be the ID of Microsoft.Compute/%s, not of %s", resourceType, strings.Trim(quote(segments[5]+"/"+segments[6]), `"`))
	}
	subscription, group, name := segments[1], segments[3], segments[7]
	switch {
	case !guid.MatchString(subscription):
		return fmt.Errorf("names the subscription %s, which is no GUID", quote(subscription))
	case !groupName.MatchString(group) || len([]rune(group)) > maxGroupName || strings.Contains(group, ".."):
		return fmt.Errorf("names the resource group %s, which Azure does not allow", quote(group))
	case !computeName.MatchString(name) || strings.Contains(name, ".."):
		return fmt.Errorf("names the resource %s, which Azure does not allow", quote(name))
	}
	return nil
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
