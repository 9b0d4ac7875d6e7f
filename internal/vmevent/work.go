package vmevent

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"goldmint/internal/armid"
)

// Work is what is known of the work on one event. It is the state that a continuation message carries; what was read of
// the VM is not in it, for the next look reads anew.
type Work struct {
	Event      Event     `json:"event"`
	EnqueuedAt time.Time `json:"enqueuedAt"` // of the event's message, by Service Bus's clock

	Seq       int `json:"seq"`                 // continuations sent so far
	Looks     int `json:"looks,omitempty"`     // at a VM that was not ready
	Grace     int `json:"grace,omitempty"`     // waits before a refusal is believed that may heal
	Transient int `json:"transient,omitempty"` // temporary failures of ARM or the bus

	vm    VM
	plan  plan
	acted bool // Generalize was called while handling this message
}

// New is the work on an event whose message was enqueued at that time.
func New(e Event, enqueued time.Time) Work { return Work{Event: e, EnqueuedAt: enqueued} }

// Key names the work in MessageIds, however hostile the event's own id is.
func (w Work) Key() string {
	e := w.Event
	sum := sha256.Sum256([]byte(strings.ToLower(e.VM.String()) + "\n" + string(e.Operation) + "\n" + e.ID))
	return "vm-event-" + hex.EncodeToString(sum[:12])
}

// maxSeq is far above what the longest MAX_WAIT of six days can use with waits of five minutes.
const maxSeq = 10_000

// Check says what work that came in a message gets wrong, or nil. A sender can write any continuation; one that passes
// has no power that an event would not give.
func (w Work) Check(now time.Time) error {
	const skew = 10 * time.Minute
	e := w.Event
	switch {
	case e.ID == "" || len(e.ID) > maxEventID:
		return fmt.Errorf("event.id is missing or too long")
	case e.Operation != Generalize && e.Operation != Deallocate:
		return fmt.Errorf("event.operation is neither generalize nor deallocate")
	case e.VM == ID{}:
		return fmt.Errorf("event.vm is missing")
	case e.CorrelationID != "" && !armid.IsGUID(e.CorrelationID):
		return fmt.Errorf("event.correlationId is no GUID")
	case w.Seq < 1 || w.Seq > maxSeq:
		return fmt.Errorf("seq is %d, not between 1 and %d", w.Seq, maxSeq)
	case w.Looks < 0 || w.Grace < 0 || w.Transient < 0:
		return fmt.Errorf("a count is below zero")
	case max(w.Looks, w.Grace, w.Transient) > maxSeq:
		return fmt.Errorf("a count is above %d", maxSeq)
	case w.EnqueuedAt.IsZero() || w.EnqueuedAt.After(now.Add(skew)):
		return fmt.Errorf("enqueuedAt is not a time before now")
	}
	return nil
}
