// Package message is what travels through the two queues: what Service Bus delivered, what is sent,
// and how the kinds of messages are told apart.
//
// Anybody with the right to send may write to the requests queue, and Event Grid does. Only the
// function itself writes to the builds queue. Which queue a message came from is said by the
// function that the host called, never by the message.
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
		Data        json.RawMessage  `json:"data"`
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
	case envelope.SpecVersion == nil && envelope.EventType == nil, holdsRequest(envelope.Data):
		return Request
	}
	return VMEvent
}

// holdsRequest tells a request that its sender's framework wrapped in a CloudEvent from an event
// about a VM, so that it is refused with words for that, and not ignored as an event of another
// type.
func holdsRequest(data json.RawMessage) bool {
	var request struct {
		Image   *json.RawMessage `json:"image"`
		Version *json.RawMessage `json:"galleryImageVersion"`
	}
	return json.Unmarshal(data, &request) == nil && (request.Image != nil || request.Version != nil)
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

// Sent is the build id and the digest in a MessageId of the form ID/DIGEST, which `goldmint submit`
// gives its requests: all 64 digits of the digest, so that a message which cannot be read is still
// rejected under the ids that its sender waits for.
func Sent(messageID string) (buildID, digest string, ok bool) {
	buildID, digest, ok = strings.Cut(messageID, "/")
	return buildID, digest, ok && idForm.MatchString(buildID) && digestForm.MatchString(digest)
}

// The CloudEvents types of Goldmint's own messages to itself.
const (
	BuildType  = "goldmint.build.continuation"
	VMWorkType = "goldmint.vm.continuation"
)

// Version is that of the data in an envelope. Another one is refused: nothing is done by halves.
const Version = 2

// Envelope is one of Goldmint's own messages as it travels: a CloudEvent in structured JSON.
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
	encoder.SetEscapeHTML(false) // a request full of < and & would become three times as large, and too large
	if err := encoder.Encode(e); err != nil {
		return Outgoing{}, fmt.Errorf("encode message %s: %w", id, err)
	}
	return Outgoing{ID: id, ContentType: event.ContentType, Body: body.Bytes(), Subject: e.Type, CorrelationID: correlationID}, nil
}

// MaxBytes is what the largest request, its build and a resume token need, and some.
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

// FirstID is the MessageId of a chain's first message: what it is about and nothing else. Whatever
// asks for the same thing again within the queue's duplicate window is dropped.
func FirstID(key string) string { return key + "/1" }

// NextID is the MessageId of the message that follows in the chain. handled is the sequence number
// of the one before it, unique in the queue for ever: delivered again it gives the same id, which
// is dropped.
func NextID(key string, seq int, handled int64) string {
	return fmt.Sprintf("%s/%d/%d", key, seq, handled)
}

// Resubmitted says whether a chain's message has a MessageId that is not of the chain: a person
// took it out of the dead-letter queue and sent it again. first is the MessageId of the chain's
// first message.
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
