package worker

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"goldmint/internal/build"
	"goldmint/internal/event"
	"goldmint/internal/request"
)

// refusal is why a message can never succeed. It ends as a rejected event and in the dead-letter queue.
type refusal struct {
	reason   string // PascalCase, of the dead-letter queue
	text     string // for a person
	buildID  string
	digest   string
	problems []request.Problem
}

func (r *refusal) Error() string { return r.reason + ": " + r.text }

// decode makes the build of a request or of a continuation.
func (w *Worker) decode(m Message, k kind) (build.Build, error) {
	var b build.Build
	var err error
	switch k {
	case kindContinuation:
		b, err = w.decodeContinuation(m.Body)
	default:
		b, err = w.decodeRequest(m)
	}
	if err == nil {
		err = w.Rules.allow(b)
	}
	var refused *refusal
	if errors.As(err, &refused) && refused.digest == "" {
		refused.digest = digestOf(m.Body)
		refused.buildID = request.Identity(refused.buildID, m.ID, m.SequenceNumber)
	}
	return b, err
}

type kind int

const (
	kindRequest kind = iota
	kindContinuation
	kindVMEvent
	kindVMContinuation
)

// kindOf tells the kinds apart by the envelope: a CloudEvent of Goldmint's own, any other event, or a bare request.
func kindOf(body []byte) kind {
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
		return kindRequest // whose decoder says what is wrong
	}
	switch {
	case string(envelope.Type) == `"`+continuationType+`"`:
		return kindContinuation
	case envelope.SpecVersion == nil && envelope.EventType == nil:
		return kindRequest
	case isVMContinuation(envelope.Type):
		return kindVMContinuation
	}
	return kindVMEvent
}

// kindOfList: an older form of Event Grid's has its one event in a list.
func kindOfList(body []byte) kind {
	var list []json.RawMessage
	if json.Unmarshal(body, &list) == nil && len(list) > 0 && bytes.HasPrefix(list[0], []byte("{")) {
		if k := kindOf(list[0]); k == kindVMEvent || k == kindVMContinuation { // which comes without a list
			return kindVMEvent
		}
	}
	return kindRequest
}

func (w *Worker) decodeRequest(m Message) (build.Build, error) {
	r, err := request.Decode(m.Body)
	var invalid *request.Invalid
	if errors.As(err, &invalid) {
		return build.Build{}, &refusal{reason: invalid.Reason, text: invalid.Error(), buildID: invalid.ID, problems: invalid.Problems}
	}
	if err != nil {
		return build.Build{}, err
	}
	r = r.WithIdentity(m.ID, m.SequenceNumber)
	return build.New(r, w.Rules.DefaultSubscription, m.EnqueuedAt), nil
}

// continuationType is the CloudEvents type of Goldmint's own messages to itself.
const continuationType = "goldmint.build.continuation"

// envelope is a continuation as it travels: a CloudEvent in structured JSON.
type envelope[T any] struct {
	SpecVersion     string    `json:"specversion"`
	ID              string    `json:"id"`
	Source          string    `json:"source"`
	Type            string    `json:"type"`
	Subject         string    `json:"subject"`
	Time            time.Time `json:"time"`
	DataContentType string    `json:"datacontenttype"`
	Data            T         `json:"data"`
}

// continuation is the message that brings the build back.
func continuation(b build.Build, handled Message, source string, now time.Time) (Outgoing, error) {
	e := envelope[build.Build]{Source: source, Type: continuationType, Subject: b.ImageID(), Time: now.UTC(), Data: b}
	out, err := e.outgoing(b.Key(), b.Seq, handled)
	out.CorrelationID = b.Request.ID
	return out, err
}

// outgoing is the message for the queue. Its MessageId names what is continued, the link of the chain and the message that
// was handled: stable when that message is delivered again, new after a resubmit, not to be guessed.
func (e envelope[T]) outgoing(key string, seq int, handled Message) (Outgoing, error) {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %d", handled.SequenceNumber, handled.EnqueuedAt.UnixNano()))
	e.SpecVersion, e.DataContentType = "1.0", "application/json"
	e.ID = fmt.Sprintf("%s/%d/%s", key, seq, hex.EncodeToString(sum[:8]))
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false) // a request full of < and & would become three times as large, and too large
	if err := encoder.Encode(e); err != nil {
		return Outgoing{}, fmt.Errorf("encode the continuation of %s: %w", key, err)
	}
	return Outgoing{ID: e.ID, ContentType: event.ContentType, Body: body.Bytes(), Subject: e.Type, CorrelationID: key}, nil
}

// unwrap reads a continuation. What it does not know is left out: while a new version is brought out two of them share the
// queue.
func unwrap[T any](body []byte, e *envelope[T]) error {
	if len(body) > maxContinuation {
		return fmt.Errorf("it has %d bytes, more than %d", len(body), maxContinuation)
	}
	return json.Unmarshal(body, e)
}

// maxContinuation is what the largest request, its build and a resume token need, and some.
const maxContinuation = request.MaxBytes + 64<<10

func (w *Worker) decodeContinuation(body []byte) (build.Build, error) {
	refuse := func(format string, args ...any) (build.Build, error) {
		return build.Build{}, &refusal{reason: "InvalidContinuation", text: fmt.Sprintf(format, args...)}
	}
	var e envelope[build.Build]
	if err := unwrap(body, &e); err != nil {
		return refuse("the continuation cannot be read: %v", err)
	}
	if err := e.Data.Check(w.Now()); err != nil {
		return refuse("the continuation does not fit its build: %v", err)
	}
	return e.Data, nil
}

// allow holds the handler's own rules against the build.
func (r Rules) allow(b build.Build) error {
	refuse := func(reason, format string, args ...any) error {
		return &refusal{reason: reason, text: fmt.Sprintf(format, args...), buildID: b.Request.ID, digest: b.Digest}
	}
	switch {
	case b.SubscriptionID == "":
		return refuse("SubscriptionMissing", "subscriptionId is missing, and the handler has no default (AZURE_SUBSCRIPTION_ID)")
	case !request.Allowed(r.AllowedSubscriptions, b.SubscriptionID):
		return refuse("SubscriptionNotAllowed", "subscription %s is not one that this Goldmint may write (ALLOWED_SUBSCRIPTIONS)", b.SubscriptionID)
	case !request.Allowed(r.AllowedResourceGroups, b.Request.ResourceGroup):
		return refuse("ResourceGroupNotAllowed", "resource group %s is not one that this Goldmint may write (ALLOWED_RESOURCE_GROUPS)", b.Request.ResourceGroup)
	}
	return nil
}

func digestOf(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}
