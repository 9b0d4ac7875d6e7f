// Package vmevent decides what an event about a virtual machine leads to: one ordinary build
// request, a failed event, or nothing.
//
// Event Grid reports that a VM was deallocated or generalized, perhaps twice, late, or in the wrong
// order. So an event is only a reason to look: [Policy.Step] believes the VM's own instance view
// and tags. Like a build it is a pure state machine: it takes what was observed and returns the one
// thing to do next, and its [Work] travels in a continuation message when it has to look again.
//
// Many events lead to only one image, because the request's id and MessageId are vm-<vmId>.
// Generalizing is irreversible, so the first request fixes the image's name and Service Bus drops
// the others.
package vmevent

import (
	"time"

	"goldmint/internal/armid"
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
	ID            string    `json:"id"` // the event's id, the same when Event Grid delivers it again
	Operation     Operation `json:"operation"`
	VM            ID        `json:"vm"`
	Time          time.Time `json:"time"`
	CorrelationID string    `json:"correlationId,omitempty"` // of the operation, a GUID
}

// ID is the resource ID of a virtual machine.
type ID struct{ armid.ID }

// ParseID reads the resource ID of a VM in any letter case and checks every segment.
func ParseID(s string) (ID, error) {
	id, err := armid.Parse(s, "virtualMachines")
	return ID{id}, err
}

// MarshalText writes the ID as in [armid.ID.String].
func (i ID) MarshalText() ([]byte, error) { return []byte(i.String()), nil }

// UnmarshalText is [ParseID].
func (i *ID) UnmarshalText(text []byte) (err error) {
	*i, err = ParseID(string(text))
	return err
}

// Same reports whether both are IDs of one resource. Letter case does not count.
func (i ID) Same(o ID) bool { return i.ID.Same(o.ID) }
