package vmevent

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"goldmint/internal/armid"
)

// Work is what is known of the work on one event. It is the state that a continuation message
// carries; it does not hold what was read of the VM, because the next look reads that again.
type Work struct {
	Event      Event     `json:"event"`
	EnqueuedAt time.Time `json:"enqueuedAt"` // of the event's message, by Service Bus's clock

	Seq       int `json:"seq"`                 // position of the message in the chain, from 1
	Looks     int `json:"looks,omitempty"`     // at a VM that was not ready
	Grace     int `json:"grace,omitempty"`     // waits after a refusal that may pass
	Transient int `json:"transient,omitempty"` // temporary failures of ARM or the bus

	Poison bool   `json:"poison,omitempty"` // a message of it was delivered too often once
	VMID   string `json:"vmId,omitempty"`   // of the VM, once it was read

	vm    VM
	plan  plan
	acted bool // Generalize was called while handling this message
}

// New is the work on an event whose message was enqueued at that time.
func New(e Event, enqueued time.Time) Work { return Work{Event: e, EnqueuedAt: enqueued, Seq: 1} }

// Key names the work in MessageIds. It is safe even if the event's id is hostile.
func (w Work) Key() string {
	e := w.Event
	sum := sha256.Sum256([]byte(strings.ToLower(e.VM.String()) + "\n" + string(e.Operation) + "\n" + e.ID))
	return "vm-event-" + hex.EncodeToString(sum[:12])
}

// Check returns what is wrong with work that came in a message, or nil. Only Goldmint writes to the
// builds queue, so this is a second defence.
func (w Work) Check() error {
	e := w.Event
	switch {
	case e.ID == "" || len(e.ID) > maxEventID:
		return fmt.Errorf("event.id is missing or too long")
	case e.Operation != Generalize && e.Operation != Deallocate:
		return fmt.Errorf("event.operation is neither generalize nor deallocate")
	case e.VM == ID{}:
		return fmt.Errorf("event.vm is missing")
	case w.VMID != "" && !armid.IsGUID(w.VMID):
		return fmt.Errorf("vmId is no GUID")
	}
	return nil
}
