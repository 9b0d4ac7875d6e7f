package main

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"
)

// recorded is an invocation as the production host sent it.
type recorded struct {
	Path    string          `json:"path"`
	RawBody string          `json:"rawBody"`
	Body    json.RawMessage `json:"body"`
}

func recordings(tb testing.TB, file string) []recorded {
	tb.Helper()
	text, err := os.ReadFile("../emulator/functions/testdata/" + file)
	if err != nil {
		tb.Fatal(err)
	}
	var all []recorded
	if err := json.Unmarshal(text, &all); err != nil {
		tb.Fatal(err)
	}
	return all
}

// TestDecodesWhatTheHostSends holds the decoder against each Service Bus invocation of the
// production host. What it should find is read from the recording in another way: path by path, by
// the rules of the host's encoding.
func TestDecodesWhatTheHostSends(t *testing.T) {
	all := recordings(t, "host-servicebus-invocations.json")
	if len(all) != 33 {
		t.Fatalf("%d recordings, want 33", len(all))
	}
	for i, r := range all {
		m, err := decodeInvocation([]byte(r.RawBody))
		if err != nil {
			t.Errorf("recording %d (%s): %v", i, r.Path, err)
			continue
		}
		var raw struct {
			Data     struct{ Message string }
			Metadata map[string]any
		}
		if err := json.Unmarshal([]byte(r.RawBody), &raw); err != nil {
			t.Fatal(err)
		}
		binary := !strings.HasSuffix(r.Path, "Str")
		if want := expectedBody(t, raw.Data.Message, binary); string(m.Body) != want {
			t.Errorf("recording %d: body %q, want %q", i, m.Body, want)
		}
		if binary && m.DeliveryCount < 1 || m.SequenceNumber < 1 || len(m.LockToken) != 36 {
			t.Errorf("recording %d: delivery count %d, sequence number %d, lock token %q", i, m.DeliveryCount, m.SequenceNumber, m.LockToken)
		}
		if want := raw.Metadata["EnqueuedTimeUtc"].(string) + "Z"; m.EnqueuedAt.Format(time.RFC3339) != want {
			t.Errorf("recording %d: enqueued at %s, want %s", i, m.EnqueuedAt.Format(time.RFC3339), want)
		}
	}
}

func expectedBody(t *testing.T, s string, binary bool) string {
	t.Helper()
	if binary {
		b, err := base64.StdEncoding.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	var inner string
	if err := json.Unmarshal([]byte(s), &inner); err != nil {
		t.Fatal(err)
	}
	return inner
}

// TestTextBindingCanBeForged shows why function.json says binary: with text the body's fields reach
// Metadata.
func TestTextBindingCanBeForged(t *testing.T) {
	all := recordings(t, "host-servicebus-invocations.json")
	honest, err := decodeInvocation([]byte(all[0].RawBody))
	if err != nil {
		t.Fatal(err)
	}
	forged, err := decodeInvocation([]byte(all[1].RawBody))
	if err != nil {
		t.Fatal(err)
	}
	if honest.ID != "id-1" || honest.DeliveryCount != 1 {
		t.Errorf("binary: message id %q, delivery count %d: the body reached the metadata", honest.ID, honest.DeliveryCount)
	}
	if forged.ID != "forged" || forged.DeliveryCount != 99 {
		t.Errorf("text: message id %q, delivery count %d: the recording no longer shows the forgery", forged.ID, forged.DeliveryCount)
	}
}

// TestOtherTriggersAreErrors: invocations of other triggers say what is wrong with the binding, and
// never panic.
func TestOtherTriggersAreErrors(t *testing.T) {
	for i, r := range recordings(t, "host-invocations.json") {
		body := []byte(r.RawBody)
		if len(body) == 0 {
			body = r.Body
		}
		if _, err := decodeInvocation(body); err == nil {
			t.Errorf("recording %d (%s) was taken for a Service Bus message", i, r.Path)
		}
	}
}

func FuzzDecodeInvocation(f *testing.F) {
	for i, r := range recordings(f, "host-servicebus-invocations.json") {
		if i%6 == 0 {
			f.Add([]byte(r.RawBody))
		}
	}
	f.Add([]byte(`{"Data":{"message":{"a":1}},"Metadata":{"SequenceNumber":1,"DeliveryCount":"\"x\""}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		m, err := decodeInvocation(body)
		if err == nil && m.EnqueuedAt.IsZero() {
			t.Errorf("a message without its enqueued time was let through")
		}
	})
}
