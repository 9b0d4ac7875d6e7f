package functions

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/go-amqp"
	"github.com/google/uuid"
)

// binding is what a trigger knows besides the message.
type binding struct {
	function   string // the function's folder, MethodName in the metadata
	name       string // the binding's name, the member of Data
	binary     bool   // dataType is "binary"
	namespace  string // host name of the Service Bus, without port
	identifier string // of the client, "<namespace>-<guid>"
}

// stamp is what the host adds to one invocation.
type stamp struct {
	now  time.Time
	rand string // a GUID
	// order is the keys of the application properties in the order they are sent; nil is by name.
	// AMQP maps have an order of their own, which the Go client does not keep.
	order func(map[string]any) []string
}

// encode is the body of the POST for one message, byte for byte the host's.
func (b binding) encode(msg *azservicebus.ReceivedMessage, s stamp) []byte {
	body := bodyOf(msg)
	data := quote(base64.StdEncoding.EncodeToString(body))
	metadata := b.metadata(msg, s)
	if !b.binary {
		text := decodeUTF8(body)
		data = quote(quote(text))
		applyBody(&metadata, text)
	}
	envelope := object{
		{"Data", object{{b.name, data}}.json()},
		{"Metadata", metadata.json()},
	}
	return []byte(envelope.json())
}

// metadata is the binding data of a Service Bus trigger in the order in which
// the extension adds it; what is null is left out.
func (b binding) metadata(msg *azservicebus.ReceivedMessage, s stamp) object {
	m := object{}
	for _, name := range []string{"MessageReceiver", "MessageSession", "MessageActions", "SessionActions", "ReceiveActions"} {
		m.set(name, "{}")
	}
	m.set("Client", object{
		{"FullyQualifiedNamespace", quote(b.namespace)},
		{"IsClosed", "false"},
		{"TransportType", "0"},
		{"Identifier", quote(b.identifier)},
	}.json())
	m.set("DeliveryCount", quote(strconv.FormatUint(uint64(deliveries(msg)), 10)))
	m.setText("DeadLetterSource", msg.DeadLetterSource)
	m.setText("LockToken", ptr(uuid.UUID(msg.LockToken).String()))
	m.setTime("ExpiresAt", expiresAt(msg))
	m.setTime("EnqueuedTime", value(msg.EnqueuedTime))
	m.addProperties(msg)
	properties := propertiesJSON(msg.ApplicationProperties, s.order)
	m.set("ApplicationProperties", properties)
	m.set("UserProperties", properties)
	m.setText("SessionId", msg.SessionID)
	m.setText("ReplyToSessionId", msg.ReplyToSessionID)
	m.setText("PartitionKey", msg.PartitionKey)
	m.set("sys", object{
		{"MethodName", quote(b.function)},
		{"UtcNow", jsonTime(s.now)},
		{"RandGuid", quote(s.rand)},
	}.json())
	return m
}

func (o *object) addProperties(msg *azservicebus.ReceivedMessage) {
	if id := messageID(msg); id != "" {
		o.setText("MessageId", &id)
	}
	o.setText("ContentType", msg.ContentType)
	o.setText("ReplyTo", msg.ReplyTo)
	o.set("SequenceNumber", quote(strconv.FormatInt(value(msg.SequenceNumber), 10)))
	o.setText("To", msg.To)
	o.setText("Subject", msg.Subject)
	o.setText("Label", msg.Subject)
	o.setText("CorrelationId", msg.CorrelationID)
}

// expiresAt is what .NET's ServiceBusReceivedMessage says: a message without a
// time to live expires at the end of time.
func expiresAt(msg *azservicebus.ReceivedMessage) time.Time {
	if raw := msg.RawAMQPMessage; raw != nil && raw.Properties != nil && raw.Properties.AbsoluteExpiryTime != nil {
		return *raw.Properties.AbsoluteExpiryTime
	}
	if msg.TimeToLive == nil || *msg.TimeToLive == 0 || msg.EnqueuedTime == nil {
		return time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
	}
	return msg.EnqueuedTime.Add(*msg.TimeToLive)
}

func propertiesJSON(properties map[string]any, order func(map[string]any) []string) string {
	if order == nil {
		order = func(m map[string]any) []string { return slices.Sorted(maps.Keys(m)) }
	}
	o := object{}
	for _, key := range order(properties) {
		o = append(o, member{key, propertyJSON(properties[key])})
	}
	return o.json()
}

// propertyJSON writes a value of an AMQP application property.
func propertyJSON(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case string:
		return quote(v)
	case []byte:
		return quote(base64.StdEncoding.EncodeToString(v))
	case time.Time:
		return jsonTime(v)
	case float64:
		return jsonDouble(v)
	case float32:
		f, _ := strconv.ParseFloat(strconv.FormatFloat(float64(v), 'g', -1, 32), 64)
		return jsonDouble(f)
	case amqp.UUID:
		return quote(v.String())
	case amqp.Symbol:
		return quote(string(v))
	}
	return compositeJSON(reflect.ValueOf(v))
}

// compositeJSON writes what is neither text nor a number by its kind: a map as an object, a list as
// an array. Values of the client's own types become text, so that no property breaks the
// invocation.
func compositeJSON(v reflect.Value) string {
	kind := v.Kind()
	if kind == reflect.Bool || v.CanInt() || v.CanUint() {
		return fmt.Sprint(v.Interface())
	}
	if kind == reflect.Map {
		o := object{}
		for entries := v.MapRange(); entries.Next(); { // MapIndex does not find the key NaN
			o = append(o, member{fmt.Sprint(entries.Key().Interface()), propertyJSON(entries.Value().Interface())})
		}
		slices.SortFunc(o, func(a, b member) int { return strings.Compare(a.name, b.name) })
		return o.json()
	}
	if kind == reflect.Slice || kind == reflect.Array {
		items := make([]string, v.Len())
		for i := range items {
			items[i] = propertyJSON(v.Index(i).Interface())
		}
		return "[" + strings.Join(items, ",") + "]"
	}
	return quote(fmt.Sprint(v.Interface()))
}

// bodyOf joins the data sections of a body, as .NET does: the Go client returns the body of a
// message with only one section.
func bodyOf(msg *azservicebus.ReceivedMessage) []byte {
	if raw := msg.RawAMQPMessage; msg.Body == nil && raw != nil {
		return bytes.Join(raw.Body.Data, nil)
	}
	return msg.Body
}

// messageID is the text of a message id of any AMQP type: the Go client sends strings alone.
func messageID(msg *azservicebus.ReceivedMessage) string {
	raw := msg.RawAMQPMessage
	if msg.MessageID != "" || raw == nil || raw.Properties == nil {
		return msg.MessageID
	}
	switch id := raw.Properties.MessageID.(type) {
	case nil:
		return ""
	case amqp.UUID:
		return id.String()
	case []byte:
		return string(id)
	default:
		return fmt.Sprint(id)
	}
}

// object is a JSON object whose members keep their order and whose names are
// found without regard to case, as in the host's dictionary of binding data.
type object []member

type member struct{ name, value string }

func (o *object) set(name, value string) {
	for i := range *o {
		if strings.EqualFold((*o)[i].name, name) {
			(*o)[i].value = value
			return
		}
	}
	*o = append(*o, member{name, value})
}

// setText sets a string, which the host encodes twice.
func (o *object) setText(name string, s *string) {
	if s != nil {
		o.set(name, quote(quote(*s)))
	}
}

// setTime sets a time twice: as DateTime without a zone, as the extension's
// first version had it, and as DateTimeOffset. Both go through ToString in the
// host and lose their fraction.
func (o *object) setTime(name string, t time.Time) {
	s := t.UTC().Format("2006-01-02T15:04:05")
	o.set(name+"Utc", quote(s))
	o.set(name, quote(s+"+00:00"))
}

func (o object) json() string {
	var b strings.Builder
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(quote(m.name) + ":" + m.value)
	}
	b.WriteByte('}')
	return b.String()
}

func ptr[T any](v T) *T { return &v }

func value[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// deliveries is the delivery count of a message, 1 at the first. The Go client reads it only
// together with the message's properties, which a sender may leave out.
func deliveries(msg *azservicebus.ReceivedMessage) uint32 {
	if raw := msg.RawAMQPMessage; msg.DeliveryCount == 0 && raw != nil && raw.Header != nil {
		return raw.Header.DeliveryCount + 1
	}
	return msg.DeliveryCount
}
