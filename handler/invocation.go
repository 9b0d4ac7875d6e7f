package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"goldmint/internal/message"
)

// decodeInvocation reads what the Functions host sends for one message of the queue.
//
// The binding's dataType is binary, so the body comes as base64 and Metadata is Service Bus's own. A host that ignores
// dataType sends the body as text, JSON-encoded twice; then top-level fields of the body overwrite Metadata of the same
// name, which is why a request has none of these names and nothing in Metadata is trusted beyond what its form allows.
func decodeInvocation(body []byte) (message.Received, error) {
	var in struct {
		Data struct {
			Message json.RawMessage `json:"message"`
		}
		Metadata map[string]json.RawMessage
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return message.Received{}, fmt.Errorf("invocation is not the host's JSON: %w", err)
	}
	if in.Data.Message == nil {
		return message.Received{}, fmt.Errorf(`invocation has no Data.message: the binding in function.json must be named "message"`)
	}
	content, err := messageBody(in.Data.Message)
	if err != nil {
		return message.Received{}, err
	}
	m := message.Received{Body: content, ID: text(in.Metadata["MessageId"]), LockToken: text(in.Metadata["LockToken"])}
	if m.SequenceNumber, err = strconv.ParseInt(text(in.Metadata["SequenceNumber"]), 10, 64); err != nil {
		return message.Received{}, fmt.Errorf("metadata SequenceNumber: %w", err)
	}
	if m.DeliveryCount, err = strconv.Atoi(text(in.Metadata["DeliveryCount"])); err != nil {
		return message.Received{}, fmt.Errorf("metadata DeliveryCount: %w", err)
	}
	if m.EnqueuedAt, err = hostTime(text(in.Metadata["EnqueuedTimeUtc"])); err != nil {
		return message.Received{}, fmt.Errorf("metadata EnqueuedTimeUtc: %w", err)
	}
	return m, nil
}

// messageBody is the message's bytes: base64 in a JSON string, or text in a JSON string in a JSON string.
func messageBody(raw json.RawMessage) ([]byte, error) {
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return raw, nil //nolint:nilerr // a host that sends JSON bodies as JSON
	}
	if strings.HasPrefix(s, `"`) {
		var inner string
		if err := json.Unmarshal([]byte(s), &inner); err != nil {
			return nil, fmt.Errorf("invocation's Data.message is text that is not JSON: %w", err)
		}
		return []byte(inner), nil
	}
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return []byte(s), nil //nolint:nilerr // text as it is: the request's decoder says what is wrong with it
	}
	return b, nil
}

// text is a metadata value: the host encodes strings twice and numbers once.
func text(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return strings.TrimSpace(string(raw))
	}
	var inner string
	if strings.HasPrefix(s, `"`) && json.Unmarshal([]byte(s), &inner) == nil {
		return inner
	}
	return s
}

// hostTime reads the host's DateTime, which is UTC without saying so, or a time with its zone.
func hostTime(s string) (time.Time, error) {
	if t, err := time.Parse("2006-01-02T15:04:05.999999999", s); err == nil {
		return t, nil
	}
	return time.Parse(time.RFC3339Nano, s)
}
