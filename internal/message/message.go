// Package message is what travels through the two queues: what Service Bus delivered, what is sent, and how the kinds of
// messages are told apart.
//
// Anybody with the right to send may write to the requests queue, and Event Grid does. Only the function itself writes to
// the builds queue. Which queue a message came from is said by the function that the host called, never by the message.
package message

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"
)

// Queue is one of the two queues.
type Queue string

// The queues.
const (
	Requests Queue = "requests" // from anybody: build requests and VM events
	Builds   Queue = "builds"   // from the function alone: builds and work on VMs, under way
)

// Received is a message as Service Bus delivered it.
type Received struct {
	Body           []byte
	ID             string
	LockToken      string
	SequenceNumber int64
	EnqueuedAt     time.Time
	DeliveryCount  int    // 1 at the first delivery
	InvocationID   string // of the Functions host, for the log
}

// Outgoing is a message for the builds queue.
type Outgoing struct {
	ID            string // MessageId: duplicate detection drops a second one
	ContentType   string
	Body          []byte
	Subject       string
	CorrelationID string
	At            time.Time // scheduled enqueue time; zero for now
}

// Kind is what a message is.
type Kind int

// The kinds. The first two come from outside, the others are [Envelope]s.
const (
	Request Kind = iota // a bare request; also what is none of the others
	VMEvent             // an event about a VM, in either of Event Grid's schemas
	Build               // a build under way
	VMWork              // work on a VM's event under way
)

// KindOf reads the envelope: a CloudEvent of Goldmint's own, any other event, or a bare request.
func KindOf(body []byte) Kind {
	trimmed := bytes.TrimSpace(body)
	if bytes.HasPrefix(trimmed, []byte("[")) {
		return kindOfList(trimmed)
	}
	var envelope struct {
		SpecVersion *json.RawMessage `json:"specversion"`
		EventType   *json.RawMessage `json:"eventType"`
		Type        json.RawMessage  `json:"type"`
	}
	if json.Unmarshal(body, &envelope) != nil {
		return Request // whose decoder says what is wrong
	}
	var eventType string
	_ = json.Unmarshal(envelope.Type, &eventType) // another type of value is no type of ours
	switch {
	case eventType == BuildType:
		return Build
	case eventType == VMWorkType:
		return VMWork
	case envelope.SpecVersion == nil && envelope.EventType == nil:
		return Request
	}
	return VMEvent
}

// kindOfList: an older form of Event Grid's has its one event in a list.
func kindOfList(body []byte) Kind {
	var list []json.RawMessage
	if json.Unmarshal(body, &list) == nil && len(list) > 0 && bytes.HasPrefix(list[0], []byte("{")) {
		if KindOf(list[0]) != Request {
			return VMEvent // an envelope comes without a list
		}
	}
	return Request
}

// Sent is the build id and the digest in a MessageId of the form ID/DIGEST, which `goldmint submit` gives its requests: all 64
// digits of the digest, so that a message which cannot be read is still rejected under the ids that its sender waits for.
func Sent(messageID string) (buildID, digest string, ok bool) {
	buildID, digest, ok = strings.Cut(messageID, "/")
	return buildID, digest, ok && idForm.MatchString(buildID) && digestForm.MatchString(digest)
}
