package servicebus

import (
	"fmt"
	"sync"

	"goldmint/emulator/servicebus/amqp"
	"goldmint/emulator/servicebus/broker"
)

// maxReplies is how many answers may wait for a client to read them.
const maxReplies = 10000

// responder answers requests: the $cbs and the $management nodes.
type responder interface {
	respond(request *amqp.Message) *amqp.Message
}

// replies are answers on their way to a client.
type replies struct {
	mu    sync.Mutex
	queue []parcel
	tag   uint32
}

func newReplies() *replies { return &replies{} }

func (r *replies) add(payload []byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.queue) >= maxReplies {
		return fmt.Errorf("%d answers wait for the client to read them", maxReplies)
	}
	r.tag++
	r.queue = append(r.queue, parcel{tag: amqp.Append(nil, r.tag), payload: payload})
	return nil
}

func (r *replies) next(limit int, _ *broker.Waiter) []parcel {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := min(limit, len(r.queue))
	out := r.queue[:n:n]
	r.queue = r.queue[n:]
	return out
}

func (r *replies) leave(*broker.Waiter) {}
func (r *replies) close()               {}

// answer takes requests in and puts the node's answers on the link they ask for.
func (ch *channel) answer(node responder) func(uint32, []byte) *amqp.Error {
	return func(_ uint32, payload []byte) *amqp.Error {
		request, err := amqp.ReadMessage(payload)
		if err != nil {
			return &amqp.Error{Condition: "amqp:decode-error", Description: err.Error()}
		}
		to, _ := request.Properties.Text(amqp.PropReplyTo)
		l := ch.c.replyLink(to)
		if l == nil {
			return &amqp.Error{Condition: broker.NotFound, Description: fmt.Sprintf("no link of this connection takes answers to %q", to)}
		}
		response := node.respond(request)
		response.Properties[amqp.PropCorrelationID] = request.Properties[amqp.PropMessageID]
		if err := l.supply.(*replies).add(response.Append(nil)); err != nil {
			return &amqp.Error{Condition: "amqp:resource-limit-exceeded", Description: err.Error()}
		}
		l.kick()
		return nil
	}
}

// replyLink finds the link for an answer: by its target's address, by its name,
// or because there is only one.
func (c *conn) replyLink(address string) *receiveLink {
	c.mu.Lock()
	defer c.mu.Unlock()
	var byName, only *receiveLink
	count := 0
	for _, ch := range c.channels {
		for _, l := range ch.links {
			l, ok := l.(*receiveLink)
			if !ok {
				continue
			}
			if _, ok := l.supply.(*replies); !ok {
				continue
			}
			target, name := l.isReplyTo(address)
			if target && address != "" {
				return l
			}
			if name {
				byName = l
			}
			only = l
			count++
		}
	}
	if byName != nil || count != 1 {
		return byName
	}
	return only
}

// response makes an answer with a status in application properties of those
// names.
func response(codeKey string, code int32, textKey, text string, body any) *amqp.Message {
	return &amqp.Message{
		Application: amqp.Map{{Key: codeKey, Value: code}, {Key: textKey, Value: text}},
		Body:        amqp.ValueBody(body),
	}
}
