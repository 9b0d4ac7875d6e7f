package request

import (
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"goldmint/internal/quote"
	"goldmint/internal/tree"
)

// rules check what a schema cannot express, or not with as good a message.
func (c *check) rules(root *tree.Node) {
	c.ruleTarget(root)
	c.ruleImage(root.At("image", "properties"))
	for _, name := range []string{"resourceGroup", "name", "galleryName", "galleryImageName"} {
		if n := root.At(name); n.Kind == tree.String && strings.Contains(n.Text, "..") {
			c.add(n, `may not hold ".."`) // Azure allows it, but it could change a path
		}
	}
	c.ruleLabels(root)
	version := root.At("galleryImageVersion")
	properties := version.At("properties")
	c.ruleVersionSource(properties.At("storageProfile"))
	c.rulePublishing(version, properties.At("publishingProfile"))
	if end := properties.At("publishingProfile", "endOfLifeDate"); !end.Given() && properties.At("safetyProfile", "blockDeletionBeforeEndOfLife").Is("true") {
		c.add(end, "is missing: blockDeletionBeforeEndOfLife needs the date until which it blocks")
	}
}

// ruleTarget requires exactly one of the two kinds of resource.
func (c *check) ruleTarget(root *tree.Node) {
	image, version := root.At("image"), root.At("galleryImageVersion")
	gallery, definition := root.At("galleryName"), root.At("galleryImageName")
	for _, n := range []*tree.Node{gallery, definition} {
		switch {
		case version.Given() && !image.Given() && !n.Given():
			c.missing(c.contract.schema, n)
		case image.Given() && !version.Given() && n.Given():
			c.add(n, "belongs to a galleryImageVersion; beside image it has no place")
		}
	}
	switch {
	case image.Given() && version.Given():
		c.add(version, "stands beside image: a request asks for one of the two; send two requests for both")
	case image.Given() || version.Given():
	case gallery.Given() || definition.Given():
		c.missing(c.contract.schema, version)
	default:
		c.add(image, "is missing%s (or give galleryImageVersion, with galleryName and galleryImageName)", c.contract.properties["image"].MissingMessage)
	}
}

var versionForm = regexp.MustCompile(`^(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)$`)

// ruleVersionName requires three 32-bit integers, because Azure orders versions by them. It refuses
// a replacement, because scale sets and machines refer to versions.
func (c *check) ruleVersionName(root *tree.Node) {
	if !root.At("galleryImageVersion").Given() || root.At("image").Given() {
		return
	}
	name := root.At("name")
	text, ok := name.String()
	large := func(number string) bool {
		n, err := strconv.ParseInt(number, 10, 64)
		return err != nil || n > math.MaxInt32
	}
	switch {
	case !ok || name.Broken || findPlaceholder(text) != "":
	case !versionForm.MatchString(text):
		c.add(name, "must be a version: three integers without leading zeros, such as 1.0.0 or 2026.1127.143000; it is %s", quote.Foreign(text))
	case slices.ContainsFunc(strings.Split(text, "."), large):
		c.add(name, "must be a version of three integers up to 2147483647; it is %s", quote.Foreign(text))
	}
	if n := root.At("ifExists"); n.Is("replace") {
		c.add(n, `may not be "replace" for a gallery image version: scale sets would lose the image that they refer to;`+
			" give the version a new number")
	}
}

// ruleImage requires either a virtual machine or an operating system disk. Azure accepts
// zoneResilient beside a virtual machine.
func (c *check) ruleImage(properties *tree.Node) {
	vm, profile := properties.At("sourceVirtualMachine"), properties.At("storageProfile")
	osDisk, dataDisks := profile.At("osDisk"), profile.At("dataDisks")
	switch {
	case properties.Kind != tree.Object:
	case vm.Given() && (osDisk.Given() || dataDisks.Given()):
		c.add(properties, "names two sources: give sourceVirtualMachine or storageProfile with osDisk, not both"+
			" (beside sourceVirtualMachine, storageProfile may hold zoneResilient alone)")
	case vm.Given() || osDisk.Given():
	case profile.Given():
		c.add(osDisk, "is missing: an image is made from an operating system disk or from a sourceVirtualMachine")
	default:
		c.add(properties, "names no source: give sourceVirtualMachine, or storageProfile with osDisk")
	}
	if storage := osDisk.At("storageAccountType"); storage.Is("UltraSSD_LRS") {
		c.add(storage, "UltraSSD_LRS is for data disks only, not for the operating system's disk")
	}
	c.uniqueLuns(dataDisks)
}

// unique requires a different key in each element. say gets a repeated key and the element that has
// it already.
func unique(elements []*tree.Node, key func(*tree.Node) (string, bool), say func(n, other *tree.Node)) {
	first := make(map[string]*tree.Node)
	for _, n := range elements {
		switch k, ok := key(n); {
		case !ok:
		case first[k] != nil:
			say(n, first[k])
		default:
			first[k] = n
		}
	}
}

func (c *check) uniqueLuns(disks *tree.Node) {
	number := func(disk *tree.Node) (string, bool) {
		n, err := strconv.ParseInt(disk.At("lun").Text, 10, 64)
		return strconv.FormatInt(n, 10), err == nil && disk.At("lun").Kind == tree.Number
	}
	unique(disks.Elements(), number, func(disk, other *tree.Node) {
		lun := disk.At("lun")
		c.add(lun, "is %s, which %s has already; each data disk needs a lun of its own", lun.Text, other.Path())
	})
}

// ruleVersionSource requires one source for the whole version, or one for each disk.
func (c *check) ruleVersionSource(profile *tree.Node) {
	source, osDisk, dataDisks := profile.At("source"), profile.At("osDiskImage"), profile.At("dataDiskImages")
	switch {
	case profile.Kind != tree.Object:
	case source.Given() && (osDisk.Given() || dataDisks.Given()):
		c.add(profile, "names two sources: give source, or osDiskImage with dataDiskImages, not both")
	case dataDisks.Given() && !osDisk.Given():
		c.add(osDisk, "is missing: a version is made from an operating system disk or from a source")
	case !source.Given() && !osDisk.Given():
		c.add(profile, "names no source: give source, or osDiskImage with dataDiskImages")
	}
	for _, disk := range append(slices.Clone(dataDisks.Elements()), osDisk) {
		n := disk.At("source")
		id, account, uri := n.At("id").Given(), n.At("storageAccountId"), n.At("uri")
		switch {
		case n.Kind != tree.Object:
		case id && (account.Given() || uri.Given()):
			c.add(n, "names two sources: keep id (a disk or snapshot), or storageAccountId with uri (a VHD blob)")
		case account.Given() && !uri.Given():
			c.add(uri, "is missing: the https URL of the VHD blob in the storage account")
		case uri.Given() && !account.Given():
			c.add(account, "is missing: the resource ID of the storage account that holds the VHD blob")
		case !id && !uri.Given():
			c.add(n, "names no source: give id (a disk or snapshot), or storageAccountId with uri (a VHD blob)")
		}
	}
	c.uniqueLuns(dataDisks)
}

// sameRegion is a region's name in the form that Azure compares: West Europe is westeurope.
func sameRegion(name string) string { return strings.ToLower(strings.ReplaceAll(name, " ", "")) }

// rulePublishing requires each region once and the version's own region among them. A shallow
// version may have only its own.
func (c *check) rulePublishing(version, publishing *tree.Node) {
	regions, zones := publishing.At("targetRegions"), publishing.At("targetExtendedLocations")
	home, ok := version.At("location").String()
	shallow := publishing.At("replicationMode").Is("Shallow")
	name := func(region *tree.Node) (string, bool) {
		text, ok := region.At("name").String()
		return sameRegion(text), ok
	}
	unique(regions.Elements(), name, func(region, other *tree.Node) {
		n := region.At("name")
		c.add(n, "is %s, which %s has already; name each region once", quote.Foreign(n.Text), other.Path())
	})
	oneReplica := func(count *tree.Node) {
		if shallow && count.Given() && !count.Is("1") {
			c.add(count, "must be 1: a Shallow version has one replica")
		}
	}
	oneReplica(publishing.At("replicaCount"))
	named, atHome := false, false
	for _, region := range regions.Elements() {
		oneReplica(region.At("regionalReplicaCount"))
		if text, isText := name(region); isText && ok {
			named, atHome = true, atHome || text == sameRegion(home)
			if shallow && text != sameRegion(home) {
				c.add(region.At("name"), "is another region than the version's location: a Shallow version is in that one only")
			}
		}
	}
	if named && !atHome {
		c.add(regions, "must hold the version's own location %s", quote.Foreign(home))
	}
	if shallow && len(zones.Elements()) > 0 {
		c.add(zones, "has no place in a Shallow version, which is in its own region only")
	}
	for _, place := range slices.Concat(regions.Elements(), zones.Elements()) {
		c.uniqueLuns(place.At("encryption", "dataDiskImages"))
	}
	if strategy := publishing.At("storageAccountStrategy"); strategy.Given() && publishing.At("storageAccountType").Given() {
		c.add(strategy, "stands beside storageAccountType: keep one of the two")
	}
}

// ruleEndOfLife requires an end of life in the future. It applies only to new requests: an accepted
// request stays valid inside Goldmint's own messages when the date passes.
func (c *check) ruleEndOfLife(root *tree.Node) {
	end := root.At("galleryImageVersion", "properties", "publishingProfile", "endOfLifeDate")
	if date, err := time.Parse(time.RFC3339, end.Text); err == nil && date.Before(time.Now()) {
		c.add(end, "must be in the future; it is %s", quote.Foreign(end.Text))
	}
}

// Azure's own prefixes of tag names.
var reservedTags = []string{"microsoft", "azure", "windows"}

// ruleLabels checks tags against Azure's rules, refuses the names of Goldmint's own tags, and
// bounds metadata.
func (c *check) ruleLabels(root *tree.Node) {
	c.ruleTags(root.At("image", "tags"))
	c.ruleTags(root.At("galleryImageVersion", "tags"))
	metadata := root.At("metadata")
	size := 0
	for _, entry := range metadata.Members() {
		size += len(entry.Name) + len(entry.Text)
		if entry.Name == "" {
			c.add(entry, "a metadata entry needs a name")
		}
		if strings.ContainsFunc(entry.Name, unprintable) {
			c.add(entry, "a metadata name may not hold control characters")
		}
		c.ruleLabel(entry)
	}
	if size > MaxMetadataBytes {
		c.add(metadata, "has %d bytes of keys and values; at most %d are allowed", size, MaxMetadataBytes)
	}
}

func (c *check) ruleTags(tags *tree.Node) {
	if n := len(tags.Members()); n > MaxTags {
		c.add(tags, "has %d tags; at most %d are allowed", n, MaxTags)
	}
	for _, tag := range tags.Members() {
		if problem := tagNameProblem(tag.Name); problem != "" {
			c.add(tag, "%s", problem)
		}
		c.ruleLabel(tag)
	}
	lower := func(tag *tree.Node) (string, bool) { return strings.ToLower(tag.Name), true }
	byName := slices.SortedFunc(slices.Values(tags.Members()), func(a, b *tree.Node) int { return strings.Compare(a.Name, b.Name) })
	unique(byName, lower, func(tag, other *tree.Node) {
		c.add(tag, "is the same tag as %s: Azure compares names without case", quote.Foreign(other.Name))
	})
}

func tagNameProblem(name string) string {
	lower := strings.ToLower(name)
	switch {
	case name == "":
		return "a tag needs a name"
	case len([]rune(name)) > 512:
		return "a tag's name may have at most 512 characters"
	case strings.ContainsAny(name, `<>%&\?/`):
		return `a tag's name may hold none of < > % & \ ? /`
	case strings.ContainsFunc(name, unprintable):
		return "a tag's name may not hold control characters"
	case strings.HasPrefix(lower, TagPrefix):
		return "tags that start with " + TagPrefix + " are Goldmint's own; choose another name"
	}
	for _, prefix := range reservedTags {
		if strings.HasPrefix(lower, prefix) {
			return "Azure reserves tags that start with " + prefix + "; choose another name"
		}
	}
	return ""
}

// The signature of a SAS token.
var signature = regexp.MustCompile(`(?i)[?&]sig=[^&\s]{16}`)

// ruleLabel checks the value of a tag or metadata entry.
func (c *check) ruleLabel(n *tree.Node) {
	text, ok := n.String()
	switch {
	case !ok:
	case strings.ContainsFunc(text, unprintable):
		c.add(n, "may not hold control characters or line breaks")
	case signature.MatchString(text):
		c.add(n, "holds a SAS token: tags and metadata are no place for secrets, everyone can read them")
	}
}

// unprintable are the control characters and Unicode's line and paragraph separators, which also
// break a log line.
func unprintable(r rune) bool {
	return unicode.IsControl(r) || r == '\u2028' || r == '\u2029'
}
