package servicebus

import (
	"goldmint/emulator/servicebus/amqp"
	"goldmint/emulator/servicebus/broker"
)

// Properties of a dead-lettered message, as the rejected outcome names them.
const (
	deadLetterReason      = "DeadLetterReason"
	deadLetterDescription = "DeadLetterErrorDescription"
)

// settlement is what an outcome on a link means.
func settlement(outcome any) broker.Settlement {
	switch o := outcome.(type) {
	case amqp.OutcomeAccepted:
		return broker.Settlement{Verdict: broker.Complete}
	case amqp.OutcomeModified:
		if o.NotHere {
			return broker.Settlement{Verdict: broker.Defer, Modify: o.Annotations}
		}
		return broker.Settlement{Verdict: broker.Abandon, Modify: o.Annotations}
	case amqp.OutcomeRejected:
		s := broker.Settlement{Verdict: broker.DeadLetter}
		if o.Error == nil {
			return s
		}
		for _, p := range o.Error.Info {
			switch name, _ := amqp.Text(p.Key); name {
			case deadLetterReason:
				s.Reason, _ = amqp.Text(p.Value)
			case deadLetterDescription:
				s.Description, _ = amqp.Text(p.Value)
			default:
				s.Modify = append(s.Modify, p)
			}
		}
		return s
	}
	return broker.Settlement{Verdict: broker.Release}
}

// settle passes a verdict to the broker, unless a fault loses it.
func (s *Server) settle(q *broker.Queue, token amqp.UUID, v broker.Settlement) error {
	if v.Verdict == broker.Complete && s.faults.strike("duplicate", s.faults.Duplicate) {
		v = broker.Settlement{Verdict: broker.Abandon}
	}
	return q.Settle(token, v)
}

// encode is a delivery as clients read it. The types of the annotations matter:
// a client may panic on others.
func encode(d broker.Delivery) []byte {
	m := *d.Message
	m.Header.DeliveryCount = d.DeliveryCount
	if d.TimeToLive != broker.Forever {
		ms := amqp.Milliseconds(d.TimeToLive)
		m.Header.TTL = &ms
	}
	a := append(amqp.Map(nil), m.Annotations...)
	a = append(a,
		amqp.Pair{Key: amqp.Symbol("x-opt-enqueued-time"), Value: d.EnqueuedAt},
		amqp.Pair{Key: amqp.Symbol("x-opt-sequence-number"), Value: d.SequenceNumber},
	)
	if d.EnqueuedSequence != 0 {
		a = append(a, amqp.Pair{Key: amqp.Symbol("x-opt-enqueue-sequence-number"), Value: d.EnqueuedSequence})
	}
	if d.State != broker.Active {
		a = append(a, amqp.Pair{Key: amqp.Symbol("x-opt-message-state"), Value: int32(d.State)})
	}
	if d.LockToken != (amqp.UUID{}) {
		a = append(a, amqp.Pair{Key: amqp.Symbol("x-opt-locked-until"), Value: d.LockedUntil})
		m.Delivery = append(append(amqp.Map(nil), m.Delivery...), amqp.Pair{Key: amqp.Symbol(broker.AnnotationLockToken), Value: d.LockToken})
	}
	if d.DeadLetterSource != "" {
		a = append(a, amqp.Pair{Key: amqp.Symbol("x-opt-deadletter-source"), Value: d.DeadLetterSource})
	}
	m.Annotations = a
	return m.Append(make([]byte, 0, len(m.Body)+512))
}
