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

// FirstID is the MessageId of a chain's first message: what it is about and nothing else. Whatever asks for the same thing
// again within the queue's duplicate window is dropped.
func FirstID(key string) string { return key + "/1" }

// NextID is the MessageId of the message that follows in the chain. handled is the sequence number of the one before it,
// unique in the queue for ever: delivered again it gives the same id, which is dropped.
func NextID(key string, seq int, handled int64) string {
	return fmt.Sprintf("%s/%d/%d", key, seq, handled)
}

// Resubmitted says whether a chain's message has a MessageId that is not of the chain: a person took it out of the
// dead-letter queue and sent it again. first is the MessageId of the chain's first message.
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
