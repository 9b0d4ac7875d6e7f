// Package deadletter works on the dead letters of a queue: it lists them with their reasons, sends
// them again after a fix, or discards them.
package deadletter

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"goldmint/internal/request"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
)

// Kind is what a message is.
type Kind string

// The kinds of messages that the build queue carries.
const (
	Request      Kind = "request"      // or what was meant to be one
	Continuation Kind = "continuation" // Goldmint's own message about a build that goes on
	Event        Kind = "event"        // of a virtual machine, from Event Grid
	Unreadable   Kind = "unreadable"   // a message that the AMQP client cannot decode: nothing is known of it but its number
)

// Letter is one dead-lettered message.
type Letter struct {
	SequenceNumber int64     `json:"sequenceNumber"`  // names it within the queue
	Queue          string    `json:"queue,omitempty"` // requests or builds, where the caller says so
	MessageID      string    `json:"messageId,omitempty"`
	BuildID        string    `json:"buildId,omitempty"` // empty for an event, which has none yet
	Kind           Kind      `json:"kind"`
	Reason         string    `json:"reason,omitempty"`
	Description    string    `json:"description,omitempty"`
	EnqueuedAt     time.Time `json:"enqueuedAt"`
	DeliveryCount  int       `json:"deliveryCount"`

	message *azservicebus.ReceivedMessage
	body    []byte
}

// unreadable is the letter that stands for a message which cannot be decoded.
func unreadable(number int64, err error) Letter {
	return Letter{SequenceNumber: number, Kind: Unreadable, Reason: "Unreadable", Description: "this message cannot be read: " + err.Error()}
}

// continuationType is the CloudEvents type of Goldmint's messages to itself.
const continuationType = "goldmint.build.continuation"

// envelope is the part of any body that identifies its kind and its build.
type envelope struct {
	ID          any             `json:"id"`
	SpecVersion json.RawMessage `json:"specversion"`
	EventType   json.RawMessage `json:"eventType"`
	Type        any             `json:"type"`
	Data        struct {
		Request json.RawMessage `json:"request"`
	} `json:"data"`
}

func newLetter(m *azservicebus.ReceivedMessage) Letter {
	l := Letter{
		MessageID: m.MessageID, Reason: text(m.DeadLetterReason), Description: text(m.DeadLetterErrorDescription),
		DeliveryCount: int(m.DeliveryCount), message: m, body: bodyOf(m),
	}
	if m.SequenceNumber != nil {
		l.SequenceNumber = *m.SequenceNumber
	}
	if m.EnqueuedTime != nil {
		l.EnqueuedAt = m.EnqueuedTime.UTC()
	}
	e := open(l.body)
	switch {
	case e.Type == continuationType:
		l.Kind, l.BuildID = Continuation, request.IDOf(e.Data.Request)
		if l.BuildID == "" {
			l.BuildID = text(m.CorrelationID)
		}
	case e.SpecVersion != nil, e.EventType != nil:
		l.Kind = Event
	default:
		l.Kind, l.BuildID = Request, request.Identity(request.IDOf(l.body), m.MessageID, l.SequenceNumber)
	}
	return l
}

// bodyOf is what a message holds, whichever of AMQP's kinds of body it has: of a value, such as
// other clients send, the text or its JSON.
func bodyOf(m *azservicebus.ReceivedMessage) []byte {
	if m.Body != nil || m.RawAMQPMessage == nil {
		return m.Body
	}
	switch v := m.RawAMQPMessage.Body.Value.(type) {
	case nil:
		return bytes.Join(m.RawAMQPMessage.Body.Data, nil)
	case string:
		return []byte(v)
	case []byte:
		return v
	default:
		text, err := json.Marshal(v)
		if err != nil {
			return fmt.Append(nil, v)
		}
		return text
	}
}

// open reads a body as far as it goes. Event Grid's own schema may come as an array of one.
func open(body []byte) envelope {
	var list []envelope
	if json.Unmarshal(body, &list) == nil && len(list) == 1 {
		return list[0]
	}
	var e envelope
	_ = json.Unmarshal(body, &e) // a body that is not JSON counts as a request
	return e
}

// Body is the message's body for people to see: a continuation's without its token, because that
// grants access.
func (l Letter) Body() []byte {
	if l.Kind != Continuation {
		return l.body
	}
	var whole map[string]any
	if json.Unmarshal(l.body, &whole) != nil {
		return []byte("(unreadable)")
	}
	if data, ok := whole["data"].(map[string]any); ok && data["token"] != nil {
		data["token"] = "(hidden)"
	}
	body, err := json.Marshal(whole)
	if err != nil {
		return []byte("(unreadable)")
	}
	return body
}

// Request is the text of the request that the message carries: its body, or what a continuation
// holds of it.
func (l Letter) Request() ([]byte, error) {
	switch l.Kind {
	case Request:
		return l.body, nil
	case Continuation:
		if r := open(l.body).Data.Request; len(r) > 0 {
			return r, nil
		}
	case Unreadable:
		return nil, fmt.Errorf("message %d cannot be read, so it cannot be sent again: discard it", l.SequenceNumber)
	case Event:
	}
	return nil, fmt.Errorf("message %d is %s %s and holds no request", l.SequenceNumber, article(l.Kind), l.Kind)
}

// Digest is that of the request that the message carries; empty where there is none, or one that is
// not valid.
func (l Letter) Digest() string {
	text, err := l.Request()
	if err != nil {
		return ""
	}
	r, err := request.Decode(text)
	if err != nil {
		return ""
	}
	return r.Digest()
}

func article(k Kind) string {
	if k == Event {
		return "an"
	}
	return "a"
}

// Again is the message as it is sent again: all its own, but for its MessageId. The MessageId is
// new, because duplicate detection would drop the old one. It is always the same for one dead
// letter, so that two people do not send it twice.
func (l Letter) Again() *azservicebus.Message {
	m := l.message
	id := l.again(m.MessageID)
	properties := maps.Clone(m.ApplicationProperties)
	delete(properties, "DeadLetterReason")
	delete(properties, "DeadLetterErrorDescription")
	return &azservicebus.Message{
		Body: l.body, MessageID: &id, ContentType: m.ContentType, Subject: m.Subject, CorrelationID: m.CorrelationID,
		ApplicationProperties: properties,
	}
}

// AgainAs is the message that sends the given request in the letter's place.
func (l Letter) AgainAs(r request.Request) *azservicebus.Message {
	id, contentType := l.again(request.Key(r.ID, r.Digest())), "application/json"
	return &azservicebus.Message{Body: r.Canonical(), MessageID: &id, ContentType: &contentType, CorrelationID: &r.ID}
}

// maxMessageID is what Service Bus takes.
const maxMessageID = 128

func (l Letter) again(id string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %d", l.SequenceNumber, l.EnqueuedAt.UnixNano()))
	suffix := "/again/" + hex.EncodeToString(sum[:8])
	return id[:min(len(id), maxMessageID-len(suffix))] + suffix
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
