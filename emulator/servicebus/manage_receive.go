package servicebus

import (
	"math"

	"goldmint/emulator/servicebus/amqp"
	"goldmint/emulator/servicebus/broker"
)

// peek returns messages from a sequence number on, as many as fit an answer.
func (n management) peek(body amqp.Map) (amqp.Map, error) {
	from, err := integer(body, "from-sequence-number")
	if err != nil {
		return nil, err
	}
	count, err := integer(body, "message-count")
	if err != nil {
		return nil, err
	}
	var session *string
	if v, ok := body.Get("session-id"); ok {
		if id, ok := amqp.Text(amqp.Plain(v)); ok {
			session = &id
		}
	}
	deliveries := n.queue.Peek(from, int(min(max(count, 0), math.MaxInt32)), session)
	return messageList(deliveries, false)
}

// receiveDeferred locks deferred messages, or removes them in the settle mode of
// receive and delete.
func (n management) receiveDeferred(body amqp.Map) (amqp.Map, error) {
	numbers, err := integers(body, "sequence-numbers")
	if err != nil {
		return nil, err
	}
	mode, err := integer(body, "receiver-settle-mode")
	if err != nil {
		return nil, err
	}
	deliveries, err := n.queue.ReceiveDeferred(numbers...)
	if err != nil {
		return nil, err
	}
	if mode == 0 {
		for _, d := range deliveries {
			if err := n.queue.Settle(d.LockToken, broker.Settlement{Verdict: broker.Complete}); err != nil {
				return nil, err
			}
		}
	}
	return messageList(deliveries, mode != 0)
}

// What an answer needs besides the messages: a client drops the link over one
// that exceeds the size of the largest message.
const (
	answerRoom = 4 << 10
	itemRoom   = 32 // a message's place in the list
)

// messageList is the body that peeked and deferred messages come in. The first
// is in it however large it is.
func messageList(deliveries []broker.Delivery, locked bool) (amqp.Map, error) {
	if len(deliveries) == 0 {
		return nil, errNothing
	}
	list, size := amqp.List{}, answerRoom
	for _, d := range deliveries {
		encoded := encode(d)
		if size += len(encoded) + itemRoom; !locked && len(list) > 0 && size > broker.MaxMessageSize {
			break
		}
		item := amqp.Map{{Key: "message", Value: encoded}}
		if locked {
			item = append(item, amqp.Pair{Key: "lock-token", Value: d.LockToken})
		}
		list = append(list, item)
	}
	return amqp.Map{{Key: "messages", Value: list}}, nil
}
