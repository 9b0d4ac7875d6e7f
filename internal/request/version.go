package request

import (
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// isVersion reports whether the document asks for a gallery image version, complete or not.
func isVersion(root node) bool {
	return root.at("galleryImageVersion").present && !root.at("image").present
}

// ruleTarget wants one of the two resources that can be asked for.
func ruleTarget(f *findings, root node) {
	image, version := root.at("image"), root.at("galleryImageVersion")
	gallery, definition := root.at("galleryName"), root.at("galleryImageName")
	switch {
	case image.present && version.present:
		f.add(version.pointer, "stands beside image: a request asks for one of the two; send two requests for both")
	case version.present:
		for _, n := range []node{gallery, definition} {
			if !n.present {
				f.add(n.pointer, "is missing%s", purpose(n.pointer[1:]))
			}
		}
	case image.present:
		for _, n := range []node{gallery, definition} {
			if n.present {
				f.add(n.pointer, "belongs to a galleryImageVersion; beside image it has no place")
			}
		}
	case gallery.present || definition.present:
		f.add(version.pointer, "is missing%s", purpose("galleryImageVersion"))
	default:
		f.add(image.pointer, "is missing%s (or give galleryImageVersion, with galleryName and galleryImageName)", purpose("image"))
	}
}

var versionForm = regexp.MustCompile(`^(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)$`)

// ruleVersionName wants what Azure orders versions by: three 32-bit integers.
func ruleVersionName(f *findings, root node) {
	name := root.at("name")
	text, ok := name.text()
	if !ok || !isVersion(root) {
		return
	}
	if !versionForm.MatchString(text) {
		f.add(name.pointer, "must be a version: three integers without leading zeros, such as 1.0.0 or 2026.1127.143000; it is %s", quote(text))
		return
	}
	for number := range strings.SplitSeq(text, ".") {
		if n, err := strconv.ParseInt(number, 10, 64); err != nil || n > math.MaxInt32 {
			f.add(name.pointer, "must be a version of three integers up to 2147483647; it is %s", quote(text))
		}
	}
}

// ruleVersionExists refuses replace: scale sets and machines refer to versions.
func ruleVersionExists(f *findings, root node) {
	if n := root.at("ifExists"); n.value == "replace" && isVersion(root) {
		f.add(n.pointer, `may not be "replace" for a gallery image version: scale sets would lose the image that they refer to;`+
			" give the version a new number")
	}
}

// ruleVersionSource wants one source in all, and one for each disk.
func ruleVersionSource(f *findings, root node) {
	profile := root.at("galleryImageVersion", "properties", "storageProfile")
	if !profile.isObject() {
		return
	}
	source, osDisk, dataDisks := profile.at("source"), profile.at("osDiskImage"), profile.at("dataDiskImages")
	switch {
	case source.present && (osDisk.present || dataDisks.present):
		f.add(profile.pointer, "names two sources: give source, or osDiskImage with dataDiskImages, not both")
	case dataDisks.present && !osDisk.present:
		f.add(osDisk.pointer, "is missing: a version is made from an operating system disk or from a source")
	case !source.present && !osDisk.present:
		f.add(profile.pointer, "names no source: give source, or osDiskImage with dataDiskImages")
	}
	oneSource(f, source, "virtualMachineId", "id", "communityGalleryImageId")
	for _, disk := range versionDisks(root) {
		n := disk.at("source")
		id, account, uri := n.at("id"), n.at("storageAccountId"), n.at("uri")
		switch {
		case !n.isObject():
		case id.present && (account.present || uri.present):
			f.add(n.pointer, "names two sources: keep id (a disk or snapshot), or storageAccountId with uri (a VHD blob)")
		case account.present && !uri.present:
			f.add(uri.pointer, "is missing: the https URL of the VHD blob in the storage account")
		case uri.present && !account.present:
			f.add(account.pointer, "is missing: the resource ID of the storage account that holds the VHD blob")
		case !id.present && !uri.present:
			f.add(n.pointer, "names no source: give id (a disk or snapshot), or storageAccountId with uri (a VHD blob)")
		}
	}
	uniqueLuns(f, dataDisks)
}

// oneSource wants one of the fields in an object.
func oneSource(f *findings, n node, fields ...string) {
	if !n.isObject() {
		return
	}
	given := slices.DeleteFunc(slices.Clone(fields), func(name string) bool { return !n.at(name).present })
	switch len(given) {
	case 0:
		f.add(n.pointer, "names no source: give one of %s", join(fields, "or"))
	case 1:
	default:
		f.add(n.pointer, "names %d sources, %s: keep one", len(given), join(given, "and"))
	}
}

func versionDisks(root node) []node {
	profile := root.at("galleryImageVersion", "properties", "storageProfile")
	disks := profile.at("dataDiskImages").elements()
	if osDisk := profile.at("osDiskImage"); osDisk.present {
		disks = append(disks, osDisk)
	}
	return disks
}

var communityImage = regexp.MustCompile(`(?i)^/?CommunityGalleries/[A-Z0-9][A-Z0-9_.-]*/Images/[A-Z0-9][A-Z0-9_.-]*/Versions/(latest|\d+\.\d+\.\d+)$`)

// ruleVersionIDs wants each id to be that of a resource of the right type.
func ruleVersionIDs(f *findings, root node) {
	check := func(n node, types ...string) {
		if id, ok := n.text(); ok {
			if err := checkResourceID(id, types...); err != nil {
				f.add(n.pointer, "%v", err)
			}
		}
	}
	source := root.at("galleryImageVersion", "properties", "storageProfile", "source")
	check(source.at("virtualMachineId"), "Microsoft.Compute/virtualMachines")
	check(source.at("id"), "Microsoft.Compute/images", "Microsoft.Compute/galleries/images/versions")
	community := source.at("communityGalleryImageId")
	if id, ok := community.text(); ok && (!communityImage.MatchString(id) || strings.Contains(id, "..")) {
		f.add(community.pointer, "must be /CommunityGalleries/{gallery}/Images/{definition}/Versions/{version}, not %s", quote(id))
	}
	for _, disk := range versionDisks(root) {
		check(disk.at("source", "id"), "Microsoft.Compute/disks", "Microsoft.Compute/snapshots")
		check(disk.at("source", "storageAccountId"), "Microsoft.Storage/storageAccounts")
	}
	publishing := root.at("galleryImageVersion", "properties", "publishingProfile")
	for _, place := range slices.Concat(publishing.at("targetRegions").elements(), publishing.at("targetExtendedLocations").elements()) {
		encryption := place.at("encryption")
		uniqueLuns(f, encryption.at("dataDiskImages"))
		for _, disk := range append(encryption.at("dataDiskImages").elements(), encryption.at("osDiskImage")) {
			check(disk.at("diskEncryptionSetId"), "Microsoft.Compute/diskEncryptionSets")
			check(disk.at("securityProfile", "secureVMDiskEncryptionSetId"), "Microsoft.Compute/diskEncryptionSets")
		}
	}
}

// sameRegion is a region's name as Azure compares it: West Europe is westeurope.
func sameRegion(name string) string { return strings.ToLower(strings.ReplaceAll(name, " ", "")) }

// ruleRegions wants each region once, the version's own among them, and no other for a shallow version.
func ruleRegions(f *findings, root node) {
	version := root.at("galleryImageVersion")
	publishing := version.at("properties", "publishingProfile")
	regions := publishing.at("targetRegions")
	home, ok := version.at("location").text()
	shallow := publishing.at("replicationMode").value == "Shallow"
	first := make(map[string]string)
	for _, region := range regions.elements() {
		name, isText := region.at("name").text()
		if !isText {
			continue
		}
		if other, taken := first[sameRegion(name)]; taken {
			f.add(region.at("name").pointer, "is %s, which %s has already; name each region once", quote(name), path(other))
		} else {
			first[sameRegion(name)] = region.pointer
		}
		if shallow && ok && sameRegion(name) != sameRegion(home) {
			f.add(region.at("name").pointer, "is another region than the version's location: a Shallow version is in that one only")
		}
		if count := region.at("regionalReplicaCount"); shallow && count.present && !count.is(1) {
			f.add(count.pointer, "must be 1: a Shallow version has one replica")
		}
	}
	if count := publishing.at("replicaCount"); shallow && count.present && !count.is(1) {
		f.add(count.pointer, "must be 1: a Shallow version has one replica")
	}
	if zones := publishing.at("targetExtendedLocations"); shallow && len(zones.elements()) > 0 {
		f.add(zones.pointer, "has no place in a Shallow version, which is in its own region only")
	}
	if ok && len(first) > 0 && first[sameRegion(home)] == "" {
		f.add(regions.pointer, "must hold the version's own location %s", quote(home))
	}
}

// rulePublishing holds the rest of how a version is kept.
func rulePublishing(f *findings, root node) {
	properties := root.at("galleryImageVersion", "properties")
	publishing := properties.at("publishingProfile")
	if strategy := publishing.at("storageAccountStrategy"); strategy.present && publishing.at("storageAccountType").present {
		f.add(strategy.pointer, "stands beside storageAccountType: keep one of the two")
	}
	end := publishing.at("endOfLifeDate")
	if text, ok := end.text(); ok {
		if _, err := time.Parse(time.RFC3339, text); err != nil {
			f.add(end.pointer, "must be a date and time such as 2027-02-01T00:00:00Z; it is %s", quote(text))
		}
	}
	if block := properties.at("safetyProfile", "blockDeletionBeforeEndOfLife"); block.value == true && !end.present {
		f.add(end.pointer, "is missing: blockDeletionBeforeEndOfLife needs the date until which it blocks")
	}
}

// ruleEndOfLife wants the end of life in the future. It holds for what a sender asks now: a request that was accepted stays
// valid inside Goldmint's own messages when the date passes.
func ruleEndOfLife(f *findings, root node) {
	end := root.at("galleryImageVersion", "properties", "publishingProfile", "endOfLifeDate")
	text, _ := end.text()
	if date, err := time.Parse(time.RFC3339, text); err == nil && date.Before(time.Now()) {
		f.add(end.pointer, "must be in the future; it is %s", quote(text))
	}
}
