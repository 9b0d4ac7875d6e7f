package servicebus

import (
	"goldmint/emulator/servicebus/amqp"
	"goldmint/emulator/servicebus/broker"
)

// updateDisposition settles messages by their lock tokens, whichever connection
// received them.
func (n management) updateDisposition(body amqp.Map) (amqp.Map, error) {
	list, err := tokens(body)
	if err != nil {
		return nil, err
	}
	s := broker.Settlement{Reason: text(body, "deadletter-reason"), Description: text(body, "deadletter-description")}
	if changes, ok := body.Get("properties-to-modify"); ok {
		s.Modify, _ = changes.(amqp.Map)
	}
	switch disposition := text(body, "disposition-status"); disposition {
	case "completed":
		s.Verdict = broker.Complete
	case "abandoned":
		s.Verdict = broker.Abandon
	case "suspended":
		s.Verdict = broker.DeadLetter
	case "defered", "deferred":
		s.Verdict = broker.Defer
	default:
		return nil, badRequest("disposition-status %q is none of completed, abandoned, suspended, defered", disposition)
	}
	for _, token := range list {
		if err := n.srv.settle(n.queue, token, s); err != nil {
			return nil, err
		}
	}
	return amqp.Map{}, nil
}

func (n management) renewLock(body amqp.Map) (amqp.Map, error) {
	list, err := tokens(body)
	if err != nil {
		return nil, err
	}
	renewed, err := n.queue.Renew(list...)
	if err != nil {
		return nil, err
	}
	until := make(amqp.Array, len(renewed))
	for i, d := range renewed {
		until[i] = d.LockedUntil
	}
	return amqp.Map{{Key: "expirations", Value: until}}, nil
}
