package servicebus

import (
	"goldmint/emulator/servicebus/amqp"
	"goldmint/emulator/servicebus/broker"
)

// schedule takes messages in for later. Each carries its time as an annotation.
func (n management) schedule(body amqp.Map) (amqp.Map, error) {
	items, err := elements(body, "messages")
	if err != nil {
		return nil, err
	}
	messages := make([]*amqp.Message, len(items))
	for i, item := range items {
		entry, _ := item.(amqp.Map)
		v, _ := entry.Get("message")
		encoded, ok := v.([]byte)
		if !ok {
			return nil, badRequest("messages[%d].message is %T, want bytes", i, v)
		}
		if len(encoded) > broker.MaxMessageSize {
			return nil, &broker.Error{Condition: broker.TooLarge, Description: "a message takes more than 256 KB"}
		}
		if messages[i], err = amqp.ReadMessage(encoded); err != nil {
			return nil, badRequest("messages[%d]: %v", i, err)
		}
	}
	numbers, err := n.queue.Send(messages...)
	if err != nil {
		return nil, err
	}
	out := make(amqp.Array, len(numbers))
	for i, number := range numbers {
		out[i] = number
	}
	return amqp.Map{{Key: "sequence-numbers", Value: out}}, nil
}

func (n management) cancelScheduled(body amqp.Map) (amqp.Map, error) {
	numbers, err := integers(body, "sequence-numbers")
	if err != nil {
		return nil, err
	}
	return amqp.Map{}, n.queue.Cancel(numbers...)
}
