// Package message is what travels through the two queues: what Service Bus delivered, what is sent,
// and how the kinds of messages are distinguished.
//
// Any sender with the right may write to the requests queue, and Event Grid does. Only the function
// itself writes to the builds queue. The function that the host called says which queue a message
// came from; the content of the message never does.
package message

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"goldmint/internal/event"
	"goldmint/internal/request"
)

// Queue is one of the two queues.
type Queue string

// The queues.
const (
	Requests Queue = "requests" // from anybody: build requests and VM events
	Builds   Queue = "builds"   // from the function alone: builds and work on VMs, in progress
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
	ID            string // MessageId: duplicate detection drops a second message with it
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
	Request Kind = iota // a bare request, and everything that is not of another kind
	VMEvent             // an event about a VM, in either of Event Grid's schemas
	Build               // a build in progress
	VMWork              // work on a VM's event in progress
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
		Data        json.RawMessage  `json:"data"`
	}
	if json.Unmarshal(body, &envelope) != nil {
		return Request // its decoder says what is wrong
	}
	var eventType string
	_ = json.Unmarshal(envelope.Type, &eventType) // a value that is not a string is not one of our types
	switch {
	case eventType == BuildType:
		return Build
	case eventType == VMWorkType:
		return VMWork
	case envelope.SpecVersion == nil && envelope.EventType == nil, holdsRequest(envelope.Data):
		return Request
	}
	return VMEvent
}

// holdsRequest reports whether a CloudEvent wraps a request, as the frameworks of some senders do.
// Such a request is rejected with an error that says so. Otherwise it would be ignored like an
// event of an unknown type.
func holdsRequest(data json.RawMessage) bool {
	var request struct {
		Image   *json.RawMessage `json:"image"`
		Version *json.RawMessage `json:"galleryImageVersion"`
	}
	return json.Unmarshal(data, &request) == nil && (request.Image != nil || request.Version != nil)
}

// kindOfList is the kind of a list: an older schema of Event Grid has its one event in a list.
func kindOfList(body []byte) Kind {
	var list []json.RawMessage
	if json.Unmarshal(body, &list) == nil && len(list) > 0 && bytes.HasPrefix(list[0], []byte("{")) {
		if KindOf(list[0]) != Request {
			return VMEvent // an envelope is never in a list
		}
	}
	return Request
}

// Sent is the build id and the digest in a MessageId of the form ID/DIGEST, which `goldmint submit`
// sets. It has all 64 digits of the digest, so that the rejection of an unreadable message has the
// ids that its sender waits for.
func Sent(messageID string) (buildID, digest string, ok bool) {
	buildID, digest, ok = strings.Cut(messageID, "/")
	return buildID, digest, ok && idForm.MatchString(buildID) && digestForm.MatchString(digest)
}

// The CloudEvents types of Goldmint's own messages to itself.
const (
	BuildType  = "goldmint.build.continuation"
	VMWorkType = "goldmint.vm.continuation"
)

// Version is the version of the data in an envelope. Another one is refused, because its data may
// have another meaning.
const Version = 2

// Envelope is one of Goldmint's own messages: a CloudEvent in structured JSON.
type Envelope[T any] struct {
	SpecVersion     string    `json:"specversion"`
	ID              string    `json:"id"`
	Source          string    `json:"source"`
	Type            string    `json:"type"`
	Subject         string    `json:"subject"`
	Time            time.Time `json:"time"`
	DataContentType string    `json:"datacontenttype"`
	Version         int       `json:"v"`
	Data            T         `json:"data"`
}

// Outgoing is the envelope as a message with that MessageId.
func (e Envelope[T]) Outgoing(id, correlationID string) (Outgoing, error) {
	e.SpecVersion, e.DataContentType, e.Version, e.ID = "1.0", "application/json", Version, id
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false) // escaping would make a request full of < and & several times as large, and too large
	if err := encoder.Encode(e); err != nil {
		return Outgoing{}, fmt.Errorf("encode message %s: %w", id, err)
	}
	return Outgoing{ID: id, ContentType: event.ContentType, Body: body.Bytes(), Subject: e.Type, CorrelationID: correlationID}, nil
}

// MaxBytes is more than the largest request, its build and a resume token need.
const MaxBytes = request.MaxBytes + 64<<10

// Open reads an envelope.
func Open[T any](body []byte) (Envelope[T], error) {
	var e Envelope[T]
	if len(body) > MaxBytes {
		return e, fmt.Errorf("it has %d bytes, more than %d", len(body), MaxBytes)
	}
	if err := json.Unmarshal(body, &e); err != nil {
		return e, err
	}
	if e.Version != Version {
		return e, fmt.Errorf("its version is %d, and this Goldmint writes %d", e.Version, Version)
	}
	return e, nil
}

// FirstID is the MessageId of a chain's first message. It depends only on what the message is
// about, so duplicate detection drops a second message about the same.
func FirstID(key string) string { return key + "/1" }

// NextID is the MessageId of the message that follows in the chain. handled is the sequence number
// of the message before it. A second delivery of that message has the same number and leads to the
// same id, so duplicate detection drops the second message.
func NextID(key string, seq int, handled int64) string {
	return fmt.Sprintf("%s/%d/%d", key, seq, handled)
}

// Resubmitted reports whether a message has a MessageId that is not of its chain: a person took it
// out of the dead-letter queue and sent it again. first is the MessageId of the chain's first
// message.
func Resubmitted(messageID, first, key string, seq int) bool {
	if seq == 1 {
		return messageID != first
	}
	handled, ok := strings.CutPrefix(messageID, fmt.Sprintf("%s/%d/", key, seq))
	_, err := strconv.ParseInt(handled, 10, 64)
	return !ok || err != nil
}

var (
	idForm     = regexp.MustCompile(`^[A-Za-z0-9._-]{1,48}$`)
	digestForm = regexp.MustCompile(`^[0-9a-f]{64}$`)
)
