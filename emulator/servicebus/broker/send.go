package broker

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"time"

	"goldmint/emulator/servicebus/amqp"
)

// Limits of the service's Standard tier.
const (
	MaxMessageSize    = 256 << 10 // bytes of a message or of a batch
	MaxPropertiesSize = 64 << 10  // bytes of all properties of a message
	MaxIDLength       = 128       // characters of a message id or a session id
	maxHops           = 4         // entities that a message is forwarded through
)

// Annotations of a message and of its delivery.
const (
	AnnotationScheduled = "x-opt-scheduled-enqueue-time" // a sender sets it
	AnnotationLockToken = "x-opt-lock-token"             //nolint:gosec // its name, no secret
)

// Send accepts all messages or none, and returns the sequence number of each. A message that
// duplicate detection drops gets a number too, which names nothing: its sender is not to notice.
func (q *Queue) Send(messages ...*amqp.Message) ([]int64, error) {
	q.b.enter()
	defer q.b.mu.Unlock()
	if !q.Sendable() {
		return nil, &Error{NotAllowed, fmt.Sprintf("messages cannot be sent to %q; send to a queue or a topic", q.path)}
	}
	if q.refusal != nil && (q.refusedUntil.IsZero() || q.b.now.Before(q.refusedUntil)) {
		return nil, q.refusal
	}
	for _, m := range messages {
		if err := q.check(m); err != nil {
			return nil, err
		}
	}
	numbers := make([]int64, len(messages))
	for i, m := range messages {
		numbers[i] = q.accept(m)
	}
	return numbers, nil
}

func (q *Queue) check(m *amqp.Message) error {
	for index, what := range map[int]string{amqp.PropMessageID: "message id", amqp.PropGroupID: "session id"} {
		if id, _ := m.Properties.Text(index); len([]rune(id)) > MaxIDLength {
			return &Error{NotAllowed, fmt.Sprintf("the %s has more than %d characters", what, MaxIDLength)}
		}
	}
	if _, ok := m.Properties.Text(amqp.PropGroupID); q.settings.RequiresSession && !ok {
		return &Error{NotAllowed, "the SessionId was not set on a message, and it cannot be sent to an entity that requires sessions"}
	}
	if n := m.PropertiesSize(); n > MaxPropertiesSize {
		return &Error{TooLarge, fmt.Sprintf("the message's properties take %d bytes, the limit is %d", n, MaxPropertiesSize)}
	}
	if at, ok := m.Annotations.Get(AnnotationScheduled); ok {
		if _, ok := at.(time.Time); !ok {
			return &Error{InvalidField, fmt.Sprintf("the annotation %s is %T, want a timestamp", AnnotationScheduled, at)}
		}
	}
	return nil
}

func (q *Queue) accept(m *amqp.Message) int64 {
	if q.settings.DetectDuplicates {
		id, ok := m.Properties.Text(amqp.PropMessageID)
		if ok && !q.seen.add(id, q.b.now, q.settings.DuplicateWindow) {
			q.sequence++
			return q.sequence
		}
	}
	d := Delivery{Message: strip(m), EnqueuedAt: q.b.now, TimeToLive: lifetime(m, q.settings)}
	if at, ok := m.Annotations.Get(AnnotationScheduled); ok {
		d.ScheduledFor = at.(time.Time)
		if d.ScheduledFor.After(q.b.now) {
			return q.schedule(d)
		}
	}
	return q.arrive(d, 0)
}

// Refuse makes the entity refuse what is sent to it for a time, or until the next call where d is
// 0. A nil error ends a refusal.
func (q *Queue) Refuse(why *Error, d time.Duration) {
	q.b.enter()
	defer q.b.mu.Unlock()
	q.refusal, q.refusedUntil = why, time.Time{}
	if d > 0 {
		q.refusedUntil = q.b.now.Add(d)
	}
}

// ownAnnotations are what only the service sets, and a message still has when it
// was received before. A sender's own, of the message and of its delivery, are
// kept.
var ownAnnotations = map[string]bool{
	"x-opt-enqueued-time": true, "x-opt-sequence-number": true, "x-opt-enqueue-sequence-number": true, "x-opt-message-state": true,
	"x-opt-locked-until": true, "x-opt-deadletter-source": true, AnnotationLockToken: true,
}

// strip removes the service's own annotations and fills in an absent message id:
// a GUID without dashes.
func strip(m *amqp.Message) *amqp.Message {
	out := *m
	out.Header.DeliveryCount = 0
	out.Annotations, out.Delivery = sendersOwn(m.Annotations), sendersOwn(m.Delivery)
	if out.Properties[amqp.PropMessageID] == nil {
		var id [16]byte
		_, _ = rand.Read(id[:]) // never fails: crypto/rand
		out.Properties[amqp.PropMessageID] = hex.EncodeToString(id[:])
	}
	return &out
}

func sendersOwn(annotations amqp.Map) amqp.Map {
	var out amqp.Map
	for _, p := range annotations {
		if name, _ := amqp.Text(p.Key); !ownAnnotations[name] {
			out = append(out, p)
		}
	}
	return out
}

// arrive puts a message where it belongs: to the entity's receivers, to its
// subscriptions, or on to where it forwards to.
func (q *Queue) arrive(d Delivery, hops int) int64 {
	d.State, d.SequenceNumber = Active, 0
	if q.kind == kindTopic {
		q.sequence++
		q.publish(d, hops)
		return q.sequence
	}
	if q.settings.ForwardTo != "" {
		q.sequence++
		q.forward(d, q.settings.ForwardTo, q.sequence, hops)
		return q.sequence
	}
	return q.enqueue(d).SequenceNumber
}

// publish puts a copy into each subscription whose filters match.
func (q *Queue) publish(d Delivery, hops int) {
	if d.EnqueuedSequence == 0 {
		d.EnqueuedSequence = q.sequence
	}
	for _, s := range q.subscriptions {
		if !s.matches(d.Message) {
			continue
		}
		d := d
		d.TimeToLive = min(d.TimeToLive, s.settings.TimeToLive)
		if _, ok := d.Message.Properties.Text(amqp.PropGroupID); s.settings.RequiresSession && !ok {
			s.sequence++
			d.SequenceNumber = s.sequence
			s.bury(d, "Session id is null.", "An entity that requires sessions takes no message without a session id.")
			continue
		}
		s.arrive(d, hops)
	}
}

func (q *Queue) matches(m *amqp.Message) bool {
	for _, f := range q.filters {
		if f.Match(m) {
			return true
		}
	}
	return len(q.filters) == 0
}

// forward sends a message on. Where that is not possible it is dead-lettered.
func (q *Queue) forward(d Delivery, to string, sequence int64, hops int) {
	target, err := q.b.lookup(to)
	if err == nil && (hops >= maxHops || !target.Sendable()) {
		err = &Error{NotAllowed, fmt.Sprintf("forwarding ends at %q: more than %d entities, or no queue or topic", to, maxHops)}
	}
	if err == nil {
		err = target.check(d.Message)
	}
	if err != nil {
		d.SequenceNumber = sequence
		q.bury(d, "AutoForwardingFailed", err.Error())
		return
	}
	if d.EnqueuedSequence == 0 {
		d.EnqueuedSequence = sequence
	}
	if target.settings.DetectDuplicates {
		id, ok := d.Message.Properties.Text(amqp.PropMessageID)
		if ok && !target.seen.add(id, q.b.now, target.settings.DuplicateWindow) {
			return
		}
	}
	d.EnqueuedAt, d.DeliveryCount = q.b.now, 0
	d.TimeToLive = min(lifetime(d.Message, target.settings), d.TimeToLive)
	target.arrive(d, hops+1)
}
