package build

import (
	"regexp"
	"strings"

	"goldmint/internal/armid"
	"goldmint/internal/event"
)

// hint is what to do about a failure. It is empty where Azure's message says it or nothing is
// known.
func (b Build) hint(e event.Error) string {
	said := e.Code + ": " + e.Message
	for _, d := range e.Details {
		said += "\n" + d.Code + ": " + d.Message
	}
	text := ""
	for _, h := range hints {
		if h.said.MatchString(said) {
			text = strings.ReplaceAll(h.text, "LOCATION", b.Request.Location())
			break
		}
	}
	if guid, ok := strings.CutPrefix(b.Request.ID, "vm-"); ok && armid.IsGUID(guid) { // another event does not start it again
		text = strings.TrimPrefix(text+"; later events of this VM start nothing for 7 days: once the cause is gone, goldmint submit --vm "+b.Request.Source().ID, "; ")
	}
	return text
}

// hints are chosen by the code or the message of Azure's error. The first match counts.
// docs/gallery-errors.md shows each of them.
var hints = []struct {
	said *regexp.Regexp
	text string
}{
	{regexp.MustCompile(`DeleteGalleryImageVersionBlockedBeforeEndOfLife`), "the failed version keeps its number until its end of life: set blockDeletionBeforeEndOfLife to false, delete it, or choose another number"},
	{regexp.MustCompile(`^ParentResourceNotFound:`), "create the gallery and the image definition first, because Goldmint creates neither; or correct galleryName and galleryImageName"},
	{regexp.MustCompile(`^(Linked)?AuthorizationFailed:`), "give Goldmint's identity a role with the action that Azure names (Terraform: gallery_ids, gallery_source_ids, image_resource_group_ids)"},
	{regexp.MustCompile(`(?i)source was not found|^NotFound: source .* is not found`), "check the source's id: it must exist in LOCATION"},
	{regexp.MustCompile(`(?i)different OS state|since the OS State`), "generalize the machine and deallocate it, or choose an image definition whose osState is the source's"},
	{regexp.MustCompile(`(?i)different (OS type|Hypervisor generation|plan)`), "choose an image definition that has what the source has; a definition's cannot be changed"},
	{regexp.MustCompile(`(?i)managed images are not supported`), "make a gallery image version of it: goldmint new version"},
	{regexp.MustCompile(`(?i)the security type`), "choose an image definition whose SecurityType fits: TrustedLaunch for a Trusted Launch machine and its disks, TrustedLaunchSupported for a VHD, a managed image or a version"},
	{regexp.MustCompile(`(?i)ephemeral OS disk`), "prepare the image on a machine with a managed OS disk"},
	{regexp.MustCompile(`(?i)UltraSSD`), "detach the Ultra disk, or copy it to another type first"},
	{regexp.MustCompile(`(?i)must be created from Managed Disks`), "convert the machine to managed disks: az vm convert"},
	{regexp.MustCompile(`(?i)too many requests on source`), "wait until nothing else is made from this source, then submit the request again"},
	{regexp.MustCompile(`GallerySourceResourceExceedsMaxSize`), "use a smaller disk, or replicationMode Shallow, which takes up to 32 TB in one region"},
	{regexp.MustCompile(`(?i)replication jobs failed`), "submit the request again, or leave the failing region out: data.replicationStatus names it"},
	{regexp.MustCompile(`^InvalidBeginGetAccess`), "Azure failed inside: submit the request again"},
	{regexp.MustCompile(`(?i)marked for deletion`), "wait until the version is gone, or choose another number"},
	{regexp.MustCompile(`(?i)soft-deleted`), "choose another number, or purge the soft-deleted version first"},
	{regexp.MustCompile(`(?i)exceeding quota limits`), "delete versions that nobody needs (goldmint prune), or ask Azure for a higher limit"},
	{regexp.MustCompile(`(?i)ZRS storage account type`), "choose Standard_LRS for that region"},
	{regexp.MustCompile(`(?i)Duplicated source ids`), "give each disk a source of its own"},
	{regexp.MustCompile(`(?i)not available for gallery image versions`), "choose a region that the subscription has"},
}
