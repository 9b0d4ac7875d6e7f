package servicebus

import (
	"fmt"

	"goldmint/emulator/servicebus/amqp"
	"goldmint/emulator/servicebus/broker"
)

const (
	senderCredit = 1000
	batchFormat  = 0x80013700 // message format: the data sections are messages
)

// sendLink takes the messages that a client sends. Only the reading goroutine
// uses it, but for kick and flow, which have nothing to do here.
type sendLink struct {
	ch            *channel
	handle        uint32
	path          string
	limit         int // bytes of a message
	take          func(format uint32, payload []byte) *amqp.Error
	credit        uint32
	deliveryCount uint32

	delivery *amqp.Transfer // the first transfer of a message under way
	payload  []byte
}

func (l *sendLink) kick() {}
func (l *sendLink) drop() {}

func (l *sendLink) flow(p *amqp.Flow) {
	if p.Echo {
		l.ch.put(l.state())
	}
}

// grant sends the sender credit.
func (l *sendLink) grant() {
	l.credit = senderCredit
	l.ch.c.mu.Lock()
	defer l.ch.c.mu.Unlock()
	l.ch.put(l.state())
}

func (l *sendLink) state() *amqp.Flow {
	f := l.ch.windows()
	count, credit := l.deliveryCount, l.credit
	f.Handle, f.DeliveryCount, f.LinkCredit = &l.handle, &count, &credit
	return f
}

func (l *sendLink) transfer(p *amqp.Transfer, payload []byte) {
	if l.delivery == nil {
		l.delivery, l.payload = p, payload
	} else {
		l.payload = append(l.payload, payload...)
	}
	if len(l.payload) > l.limit {
		l.ch.detachWith(l.handle, &amqp.Error{Condition: broker.TooLarge, Description: fmt.Sprintf("the message takes more than %d bytes", l.limit)})
		return
	}
	if p.Aborted {
		l.delivery, l.payload = nil, nil
	}
	if p.More || p.Aborted {
		return
	}
	first, whole := l.delivery, l.payload
	settled := isTrue(first.Settled) || isTrue(p.Settled)
	l.delivery, l.payload = nil, nil
	l.deliveryCount++
	l.credit--
	l.complete(first, settled, whole)
	if l.credit < senderCredit/2 {
		l.grant()
	}
}

func isTrue(b *bool) bool { return b != nil && *b }

// complete passes a whole message to the broker and reports the outcome to the sender.
func (l *sendLink) complete(first *amqp.Transfer, settled bool, whole []byte) {
	var format uint32
	if first.MessageFormat != nil {
		format = *first.MessageFormat
	}
	faults := l.ch.c.srv.faults
	if faults.strike("drop", faults.DropEvery/2) {
		l.ch.c.abort()
		return
	}
	refusal := l.take(format, whole)
	if faults.strike("drop", faults.DropEvery/2) {
		l.ch.c.abort() // taken in, but the sender will not know
		return
	}
	if settled || first.DeliveryID == nil {
		return
	}
	state := amqp.Accepted()
	if refusal != nil {
		state = amqp.Rejected(refusal)
	}
	l.ch.send(&amqp.Disposition{Role: amqp.RoleReceiver, First: *first.DeliveryID, Last: first.DeliveryID, Settled: true, State: state})
}

// deliver takes messages in for an entity.
func (s *Server) deliver(q *broker.Queue) func(uint32, []byte) *amqp.Error {
	return func(format uint32, payload []byte) *amqp.Error {
		if s.faults.strike("busy", s.faults.Busy) {
			return &amqp.Error{Condition: "com.microsoft:server-busy", Description: "the server is busy; wait and send again"}
		}
		messages, err := readMessages(format, payload)
		if err != nil {
			return &amqp.Error{Condition: "amqp:decode-error", Description: err.Error()}
		}
		if _, err := q.Send(messages...); err != nil {
			return wireError(err)
		}
		return nil
	}
}

// readMessages decodes what one delivery carries: a message or a batch of them.
func readMessages(format uint32, payload []byte) ([]*amqp.Message, error) {
	m, err := amqp.ReadMessage(payload)
	if err != nil || format != batchFormat {
		return []*amqp.Message{m}, err
	}
	sections, err := m.DataSections()
	if err != nil {
		return nil, err
	}
	out := make([]*amqp.Message, len(sections))
	for i, section := range sections {
		// A copy, so that one message left of a batch does not hold all of it.
		if out[i], err = amqp.ReadMessage(append([]byte(nil), section...)); err != nil {
			return nil, err
		}
	}
	return out, nil
}
