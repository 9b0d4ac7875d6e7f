package functions

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/go-amqp"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
)

// recorded is one invocation of testdata/host-servicebus-invocations.json.
type recorded struct {
	Method           string
	Path             string
	Headers          string
	TransferEncoding string
	RawBody          string
	Body             struct {
		Data     map[string]string
		Metadata map[string]json.RawMessage
	}
}

func readRecordings(t *testing.T) []recorded {
	t.Helper()
	data, err := os.ReadFile("testdata/host-servicebus-invocations.json")
	if err != nil {
		t.Fatal(err)
	}
	var list []recorded
	if err := json.Unmarshal(data, &list); err != nil {
		t.Fatal(err)
	}
	if len(list) != 33 {
		t.Fatalf("got %d recordings, want 33", len(list))
	}
	return list
}

// TestEncodeIsWhatTheHostSent rebuilds the message of every recorded
// invocation and compares the bytes.
func TestEncodeIsWhatTheHostSent(t *testing.T) {
	for i, r := range readRecordings(t) {
		t.Run(strconv.Itoa(i)+r.Path, func(t *testing.T) {
			b, msg, s := r.rebuild(t)
			if diff := cmp.Diff(r.RawBody, string(b.encode(msg, s))); diff != "" {
				t.Errorf("body differs (-recorded +sent):\n%s", diff)
			}
		})
	}
}

// rebuild makes the message that was sent in the recording. What a text body
// overwrote in the metadata comes from the sender's own list.
func (r recorded) rebuild(t *testing.T) (binding, *azservicebus.ReceivedMessage, stamp) {
	t.Helper()
	forged := strings.Contains(r.Body.Data["message"], "forged")
	msg := &azservicebus.ReceivedMessage{
		Body:          r.sentBody(t),
		DeliveryCount: 1,
		MessageID:     r.text(t, "MessageId"),
		ContentType:   r.optional(t, "ContentType"),
		ReplyTo:       r.optional(t, "ReplyTo"),
		Subject:       r.optional(t, "Subject"),
		CorrelationID: r.optional(t, "CorrelationId"),
		PartitionKey:  r.optional(t, "PartitionKey"),
		To:            r.optional(t, "To"),
		LockToken:     uuid.MustParse(r.text(t, "LockToken")),
		EnqueuedTime:  ptr(r.time(t, "EnqueuedTime")),
	}
	if forged {
		msg.MessageID, msg.To = "id-1", ptr("to-x")
	} else {
		msg.DeliveryCount = uint32(r.number(t, "DeliveryCount"))
	}
	msg.SequenceNumber = ptr(r.number(t, "SequenceNumber"))
	if expires := r.time(t, "ExpiresAt"); expires.Year() < 9999 {
		msg.TimeToLive = ptr(expires.Sub(*msg.EnqueuedTime))
	}
	order := keysInOrder(t, r.Body.Metadata["ApplicationProperties"])
	if len(order) > 0 {
		msg.ApplicationProperties = map[string]any{
			"bin": []byte{1, 2}, "attempt": int64(1), "s": "text", "b": true, "f": 1.5,
			"t": time.Date(2026, 11, 23, 10, 0, 0, 123e6, time.UTC),
		}
	}
	b, s := r.binding(t)
	s.order = func(map[string]any) []string { return order }
	return b, msg, s
}

func (r recorded) binding(t *testing.T) (binding, stamp) {
	t.Helper()
	var client struct{ Identifier string }
	var sys struct {
		UtcNow   time.Time
		RandGUID string
	}
	unmarshal(t, r.Body.Metadata["Client"], &client)
	unmarshal(t, r.Body.Metadata["sys"], &sys)
	b := binding{
		function:   strings.TrimPrefix(r.Path, "/"),
		name:       "message",
		binary:     r.Path == "/ImageBuild",
		namespace:  "127.0.0.1",
		identifier: client.Identifier,
	}
	return b, stamp{now: sys.UtcNow, rand: sys.RandGUID}
}

func (r recorded) sentBody(t *testing.T) []byte {
	t.Helper()
	data := r.Body.Data["message"]
	if r.Path == "/ImageBuild" {
		body, err := base64.StdEncoding.DecodeString(data)
		if err != nil {
			t.Fatal(err)
		}
		return body
	}
	var text string
	unmarshal(t, []byte(data), &text)
	// One recorded sender wrote Latin-1; the host can only show that it did.
	return []byte(strings.ReplaceAll(text, "\uFFFD", "\xe9"))
}

func (r recorded) optional(t *testing.T, name string) *string {
	t.Helper()
	if r.Body.Metadata[name] == nil {
		return nil
	}
	return ptr(r.text(t, name))
}

func (r recorded) text(t *testing.T, name string) string {
	t.Helper()
	var once, twice string
	unmarshal(t, r.Body.Metadata[name], &once)
	unmarshal(t, []byte(once), &twice)
	return twice
}

func (r recorded) number(t *testing.T, name string) int64 {
	t.Helper()
	var s string
	unmarshal(t, r.Body.Metadata[name], &s)
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func (r recorded) time(t *testing.T, name string) time.Time {
	t.Helper()
	var v time.Time
	unmarshal(t, r.Body.Metadata[name], &v)
	return v
}

func keysInOrder(t *testing.T, raw json.RawMessage) []string {
	t.Helper()
	fields, err := members(json.NewDecoder(strings.NewReader(string(raw))))
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, f := range fields {
		keys = append(keys, f.name)
	}
	return keys
}

func unmarshal(t *testing.T, data []byte, v any) {
	t.Helper()
	if err := json.Unmarshal(data, v); err != nil {
		t.Fatalf("%s: %v", data, err)
	}
}

func TestOptionalMembersKeepTheExtensionsOrder(t *testing.T) {
	msg := &azservicebus.ReceivedMessage{
		DeadLetterSource: ptr("image-builds"), SessionID: ptr("s"), ReplyToSessionID: ptr("r"), PartitionKey: ptr("p"),
		SequenceNumber: ptr(int64(7)), EnqueuedTime: ptr(time.Unix(0, 0)),
	}
	body := binding{name: "message", binary: true}.encode(msg, stamp{})
	var envelope struct{ Metadata json.RawMessage }
	unmarshal(t, body, &envelope)
	got := keysInOrder(t, envelope.Metadata)
	want := []string{
		"MessageReceiver", "MessageSession", "MessageActions", "SessionActions", "ReceiveActions", "Client", "DeliveryCount",
		"DeadLetterSource", "LockToken", "ExpiresAtUtc", "ExpiresAt", "EnqueuedTimeUtc", "EnqueuedTime", "SequenceNumber",
		"ApplicationProperties", "UserProperties", "SessionId", "ReplyToSessionId", "PartitionKey", "sys",
	}
	if !slices.Equal(got, want) {
		t.Errorf("members are\n%v, want\n%v", got, want)
	}
}

func TestApplicationPropertiesAreWrittenAsNewtonsoftDoes(t *testing.T) {
	for _, c := range []struct {
		value any
		want  string
	}{
		{nil, "null"},
		{"a<b>&\u2028\u0001\t\"", `"a<b>&\u2028\u0001\t\""`},
		{int32(-3), "-3"},
		{true, "true"},
		{1.0, "1.0"},
		{float32(0.1), "0.1"},
		{map[string]any{"b": int64(1), "a": "x"}, `{"a":"x","b":1}`},
		{map[any]any{int32(1): []any{true, nil}}, `{"1":[true,null]}`},
		{[]string{"x", "y"}, `["x","y"]`},
		{struct{ x int }{1}, `"{1}"`},
		{1e15, "1E+15"},
		{0.00001, "1E-05"},
		{time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), `"2026-01-02T03:04:05Z"`},
	} {
		if got := propertyJSON(c.value); got != c.want {
			t.Errorf("%v is written as %s, want %s", c.value, got, c.want)
		}
	}
}

// TestAMessageIDOfAnyType: .NET shows the text of whatever AMQP allows.
func TestAMessageIDOfAnyType(t *testing.T) {
	id := amqp.UUID{1, 2, 3}
	for _, c := range []struct {
		id   any
		want string
	}{
		{"text", "text"}, {uint64(7), "7"}, {id, id.String()}, {[]byte("bytes"), "bytes"}, {nil, ""},
	} {
		raw := &azservicebus.AMQPAnnotatedMessage{Properties: &azservicebus.AMQPAnnotatedMessageProperties{MessageID: c.id}}
		if got := messageID(&azservicebus.ReceivedMessage{RawAMQPMessage: raw}); got != c.want {
			t.Errorf("%v is %q, want %q", c.id, got, c.want)
		}
	}
}

// FuzzPropertyIsJSON: whatever AMQP value a sender puts into a property, the invocation's body
// stays JSON.
func FuzzPropertyIsJSON(f *testing.F) {
	f.Add("text", []byte{1}, 1.5, int64(-1))
	f.Add("\xff\u2028\"\\", []byte{}, math.NaN(), int64(math.MaxInt64))
	f.Add("\x00", []byte(nil), math.Inf(-1), int64(0))
	f.Fuzz(func(t *testing.T, text string, bytes []byte, number float64, integer int64) {
		values := []any{text, bytes, number, float32(number), integer, uint8(integer), time.Unix(integer, 0), amqp.Symbol(text), nil, text == ""}
		properties := map[string]any{
			text:     values,
			"map":    map[any]any{text: values, integer: map[string]any{text: number}, number: nil},
			"guid":   amqp.UUID{},
			"nested": []any{[]any{map[any]any{false: text}}},
		}
		msg := &azservicebus.ReceivedMessage{MessageID: text, Body: bytes, ApplicationProperties: properties}
		for _, binary := range []bool{true, false} {
			if body := (binding{name: "message", binary: binary}).encode(msg, stamp{}); !json.Valid(body) {
				t.Errorf("the body is no JSON: %s", body)
			}
		}
	})
}
