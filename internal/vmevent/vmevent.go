// Package vmevent decides what an event about a virtual machine comes to: one ordinary build request, a failed event, or
// nothing.
//
// Event Grid tells that a VM was deallocated or generalized, perhaps twice, late, or in the wrong order. So an event is
// only a reason to look: [Policy.Step] believes the VM's own instance view and tags. Like a build it is a pure state
// machine: told what was observed, it says the one thing to do next, and its [Work] travels in a continuation message
// when it has to look again.
//
// That many events give one image rests on the request that is sent. Its id and MessageId are vm-<vmId>, and generalizing
// is irreversible, so the first request freezes what the image is called and Service Bus drops the others.
package vmevent

import (
	"fmt"
	"regexp"
	"strings"
	"time"
)

// Operation is what was done to the VM.
type Operation string

// The operations that can lead to an image.
const (
	Generalize Operation = "generalize"
	Deallocate Operation = "deallocate"
)

// Event says that an operation on a VM succeeded.
type Event struct {
	ID            string    `json:"id"` // the event's own, the same when Event Grid delivers it again
	Operation     Operation `json:"operation"`
	VM            ID        `json:"vm"`
	Time          time.Time `json:"time"`
	CorrelationID string    `json:"correlationId,omitempty"` // of the operation, a GUID
}

// ID is the resource ID of a virtual machine. It comes from [ParseID] or from a checked message, so that its parts cannot
// leave their place in a URL.
type ID struct{ SubscriptionID, ResourceGroup, Name string }

// String is the ID as Resource Manager spells it.
func (i ID) String() string {
	return "/subscriptions/" + i.SubscriptionID + "/resourceGroups/" + i.ResourceGroup + "/providers/Microsoft.Compute/virtualMachines/" + i.Name
}

var (
	guid      = regexp.MustCompile(`^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`)
	groupName = regexp.MustCompile(`^[-_.()\p{L}\p{N}]{0,89}[-_()\p{L}\p{N}]$`)
	// Compute's rule for the names of VMs and images, within ASCII.
	computeName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9_.-]{0,78}[A-Za-z0-9_])?$`)
)

// errOtherType says that an ID is in order but that of something else.
type errOtherType struct{ found string } //nolint:errname // a kind of answer, not a failure

func (e *errOtherType) Error() string { return "it is the ID of a " + e.found }

// ParseID reads the resource ID of a VM in any letter case and checks every segment: azcore's own parser accepts "..",
// "?x=1" and any type.
func ParseID(s string) (ID, error) {
	segments := strings.Split(strings.TrimPrefix(s, "/"), "/")
	if len(segments) < 8 || len(segments)%2 != 0 || !strings.EqualFold(segments[0], "subscriptions") ||
		!strings.EqualFold(segments[2], "resourceGroups") || !strings.EqualFold(segments[4], "providers") {
		return ID{}, fmt.Errorf("it has to be /subscriptions/{guid}/resourceGroups/{name}/providers/Microsoft.Compute/virtualMachines/{name}")
	}
	id := ID{SubscriptionID: segments[1], ResourceGroup: segments[3], Name: segments[7]}
	switch {
	case !guid.MatchString(id.SubscriptionID):
		return ID{}, fmt.Errorf("its subscription is no GUID")
	case !ValidGroup(id.ResourceGroup):
		return ID{}, fmt.Errorf("its resource group has a name that Azure does not allow")
	case !strings.EqualFold(segments[5], "Microsoft.Compute") || !strings.EqualFold(segments[6], "virtualMachines") || len(segments) > 8:
		return ID{}, &errOtherType{"resource of another type"}
	case !computeName.MatchString(id.Name) || strings.Contains(id.Name, ".."):
		return ID{}, fmt.Errorf("its VM has a name that Azure does not allow")
	}
	return id, nil
}

// ValidGroup says whether Azure allows a resource group of that name. Two dots in a row are refused too: no honest name
// needs them.
func ValidGroup(name string) bool {
	return groupName.MatchString(name) && !strings.Contains(name, "..")
}

// MarshalText writes the ID as in [ID.String].
func (i ID) MarshalText() ([]byte, error) { return []byte(i.String()), nil }

// UnmarshalText is [ParseID].
func (i *ID) UnmarshalText(text []byte) (err error) {
	*i, err = ParseID(string(text))
	return err
}

// same says whether both IDs are of one resource: their letter case means nothing.
func (i ID) same(o ID) bool { return strings.EqualFold(i.String(), o.String()) }
