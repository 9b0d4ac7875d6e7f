package vmevent

import (
	"strconv"
	"strings"
)

// Tags with which a VM's owner says what to do. Azure compares the names without case.
const (
	TagCapture       = "goldmint"                // "capture": make an image when the VM is generalized
	TagName          = "goldmint-name"           // template of the image's name, or the version's number
	TagGroup         = "goldmint-resource-group" // where the image goes
	TagGallery       = "goldmint-gallery-image"  // "gallery/definition", in the resource group: make a version of it instead of a managed image
	TagGeneralize    = "goldmint-generalize"     // "true": generalize the VM once it is deallocated
	TagZoneResilient = "goldmint-zone-resilient" // "true" or "false", over the setting
	TagCommit        = "goldmint-commit"         // of the source the VM was made from: the request's metadata.commit
)

// VM is what a GET of the VM with its instance view says.
type VM struct {
	ID               ID
	VMID             string // the machine's GUID; a new VM of the same name has another
	Location         string
	Tags             map[string]string
	Generalized      bool
	Power            string // instance view, behind "PowerState/": running, stopped, deallocating, deallocated, …
	State            string // provisioningState
	HyperVGeneration string // V1, V2 or ""
	SecurityType     string // "", Standard, TrustedLaunch or ConfidentialVM
	InScaleSet       bool
	EphemeralOSDisk  bool
}

// BuildID is the id, and the MessageId, of the build of this VM's image.
func (v VM) BuildID() string { return "vm-" + strings.ToLower(v.VMID) }

// tag is the value of a tag, or "".
func (v VM) tag(name string) string {
	for k, value := range v.Tags {
		if strings.EqualFold(k, name) {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func (v VM) optedIn() bool { return strings.EqualFold(v.tag(TagCapture), "capture") }

func (v VM) wantsGeneralize() bool { return strings.EqualFold(v.tag(TagGeneralize), "true") }

func (v VM) zoneResilient(setting bool) bool {
	if b, err := strconv.ParseBool(strings.ToLower(v.tag(TagZoneResilient))); err == nil {
		return b
	}
	return setting
}

// resting reports whether the VM is deallocated and no operation runs on it. If an image is
// requested earlier, ARM refuses it for good.
func (v VM) resting() bool {
	switch strings.ToLower(v.State) {
	case "creating", "updating", "deleting":
		return false
	}
	return strings.EqualFold(v.Power, "deallocated")
}

// obstacle is why the VM can never become what is asked for, a managed image or a gallery image
// version: ARM's code and words, and what to do instead.
func (v VM) obstacle(gallery bool) (code, message string, found bool) {
	const code409 = "OperationNotAllowed"
	switch {
	case !gallery && v.SecurityType != "" && !strings.EqualFold(v.SecurityType, "Standard"):
		return code409, "Creation of managed images are not supported for virtual machine with " + v.SecurityType + " security type." +
			" Capture it as an image version of an Azure Compute Gallery instead: tag the VM with " + TagGallery + " = gallery/definition, or set VM_GALLERY_IMAGE" +
			" (an image definition with the same security type), or create the VM with security type Standard.", true
	case v.InScaleSet:
		return code409, "Creation of managed images are not supported for virtual machine '" + v.ID.Name +
			"' since it belongs to a Virtual Machine Scale Set. Prepare the image on a VM of its own.", true
	case v.EphemeralOSDisk:
		return code409, "Operation 'Create Image' is not supported for VM '" + v.ID.Name +
			"' since it uses an ephemeral OS disk. Such a disk is gone once the VM is deallocated: prepare the image on a VM with a managed OS disk.", true
	}
	return "", "", false
}
