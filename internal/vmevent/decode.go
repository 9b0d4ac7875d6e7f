package vmevent

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"goldmint/internal/armid"
)

// Reason is why an event is ignored. Alerts and the workbook group by it.
type Reason string

// The reasons.
const (
	OtherType       Reason = "other event type"
	OtherOperation  Reason = "other operation"
	OtherResource   Reason = "other resource type"
	NotSucceeded    Reason = "operation did not succeed"
	Off             Reason = "VM_EVENTS is off"
	NotAllowed      Reason = "subscription not allowed"
	NotTagged       Reason = "not tagged goldmint=capture"
	NotGeneralized  Reason = "not generalized"
	NotDeallocated  Reason = "not deallocated"
	Unreadable      Reason = "the VM cannot be read"
	ImageExists     Reason = "its image exists"
	CouldNotPublish Reason = "the failed event could not be published"
)

// Ignored says that an event asks for nothing.
type Ignored struct{ Reason Reason } //nolint:errname // callers read vmevent.Ignored

func (i *Ignored) Error() string { return string(i.Reason) }

// Malformed says what is wrong with an event. It quotes nothing of the body, which may hold
// personal data.
type Malformed struct{ Problem string } //nolint:errname // callers read vmevent.Malformed

func (m *Malformed) Error() string { return m.Problem }

func malformed(format string, args ...any) error { return &Malformed{fmt.Sprintf(format, args...)} }

// wire is an event in Event Grid's own schema or in that of CloudEvents 1.0.
type wire struct {
	ID          string          `json:"id"`
	Data        json.RawMessage `json:"data"`
	EventType   string          `json:"eventType"`
	EventTime   string          `json:"eventTime"`
	SpecVersion string          `json:"specversion"`
	Type        string          `json:"type"`
	Time        string          `json:"time"`
}

// wireData is what is read of an action's data. The caller's claims are not read, so that they
// cannot be logged.
type wireData struct {
	OperationName string `json:"operationName"`
	ResourceURI   string `json:"resourceUri"`
	ResourceURL   string `json:"resourceUrl"` // some clients' name for it
	Status        string `json:"status"`
	CorrelationID string `json:"correlationId"`
}

const maxEventID = 256

// Decode reads one event, or an array of one, in either schema. enqueued replaces the time of an
// event without one. The error is an [*Ignored] or a [*Malformed].
func Decode(body []byte, enqueued time.Time) (Event, error) {
	w, err := decodeWire(body)
	if err != nil {
		return Event{}, err
	}
	eventType, at := w.EventType, w.EventTime
	if w.SpecVersion != "" {
		if w.SpecVersion != "1.0" {
			return Event{}, malformed("specversion is not 1.0")
		}
		eventType, at = w.Type, w.Time
	}
	switch {
	case eventType == "":
		return Event{}, malformed("the event has no type")
	case !strings.EqualFold(eventType, "Microsoft.Resources.ResourceActionSuccess"):
		return Event{}, &Ignored{OtherType}
	case w.ID == "" || len(w.ID) > maxEventID:
		return Event{}, malformed("id is missing, or longer than %d bytes", maxEventID)
	}
	e, err := w.decodeData()
	if err != nil {
		return Event{}, err
	}
	e.ID, e.Time = w.ID, enqueued.UTC()
	if at != "" {
		if e.Time, err = time.Parse(time.RFC3339Nano, at); err != nil {
			return Event{}, malformed("the event's time is not a time such as 2026-11-23T09:31:00Z")
		}
		e.Time = e.Time.UTC()
	}
	return e, nil
}

func decodeWire(body []byte) (wire, error) {
	if list := bytes.TrimSpace(body); bytes.HasPrefix(list, []byte("[")) {
		var elements []json.RawMessage
		if err := json.Unmarshal(list, &elements); err != nil {
			return wire{}, malformed("the event is not JSON")
		}
		if len(elements) != 1 {
			return wire{}, malformed("the message holds %d events: one message carries one", len(elements))
		}
		body = elements[0]
	}
	var w wire
	if err := json.Unmarshal(body, &w); err != nil {
		return wire{}, malformed("the event is not a JSON object with an event's fields")
	}
	return w, nil
}

func (w wire) decodeData() (Event, error) {
	var d wireData
	if len(w.Data) == 0 || json.Unmarshal(w.Data, &d) != nil {
		return Event{}, malformed("data is missing, or not that of an action on a resource")
	}
	var e Event
	switch strings.ToLower(d.OperationName) {
	case "":
		return Event{}, malformed("data.operationName is missing")
	case "microsoft.compute/virtualmachines/generalize/action":
		e.Operation = Generalize
	case "microsoft.compute/virtualmachines/deallocate/action":
		e.Operation = Deallocate
	default:
		return Event{}, &Ignored{OtherOperation}
	}
	if d.Status != "" && !strings.EqualFold(d.Status, "Succeeded") {
		return Event{}, &Ignored{NotSucceeded}
	}
	if d.ResourceURI == "" {
		d.ResourceURI = d.ResourceURL
	}
	if d.ResourceURI == "" {
		return Event{}, malformed("data.resourceUri is missing")
	}
	var err error
	var other *armid.OtherTypeError
	if e.VM, err = ParseID(d.ResourceURI); errors.As(err, &other) {
		return Event{}, &Ignored{OtherResource}
	} else if err != nil {
		return Event{}, malformed("data.resourceUri is not the resource ID of a VM: %v", err)
	}
	if armid.IsGUID(d.CorrelationID) {
		e.CorrelationID = d.CorrelationID
	}
	return e, nil
}
