package servicebus

import (
	"errors"
	"fmt"
	"strings"

	"goldmint/emulator/servicebus/amqp"
	"goldmint/emulator/servicebus/broker"
)

// Names of nodes that are no entities.
const (
	cbsNode          = "$cbs"
	managementNode   = "$management"
	managementSuffix = "/" + managementNode
)

// attach answers a peer that wants a link: with the link, or with a link that
// ends at once and the reason why.
func (ch *channel) attach(p *amqp.Attach) {
	source, err1 := amqp.ReadTerminus(p.Source)
	target, err2 := amqp.ReadTerminus(p.Target)
	if err := errors.Join(err1, err2); err != nil {
		ch.refuse(p, &amqp.Error{Condition: "amqp:decode-error", Description: err.Error()})
		return
	}
	ch.c.mu.Lock()
	_, taken := ch.links[p.Handle]
	ch.c.mu.Unlock()
	if taken || p.Handle > handleMax {
		ch.end(&amqp.Error{Condition: "amqp:session:handle-in-use", Description: fmt.Sprintf("handle %d is in use or above %d", p.Handle, handleMax)})
		return
	}
	if p.Role == amqp.RoleSender {
		err1 = ch.attachSender(p, target)
	} else {
		err1 = ch.attachReceiver(p, source, target)
	}
	if err1 != nil {
		ch.refuse(p, wireError(err1))
	}
}

// refuse attaches without a terminus and detaches with the reason: part 2,
// section 2.6.3.
func (ch *channel) refuse(p *amqp.Attach, e *amqp.Error) {
	ch.c.srv.logf("link %q refused: %v", p.Name, e)
	reply := &amqp.Attach{Name: p.Name, Handle: p.Handle, Role: !p.Role, SenderSettleMode: p.SenderSettleMode, ReceiverSettleMode: p.ReceiverSettleMode}
	if p.Role == amqp.RoleSender {
		reply.Source = p.Source
	} else {
		reply.Target = p.Target
		zero := uint32(0)
		reply.InitialDeliveryCount = &zero
	}
	ch.send(reply)
	ch.send(&amqp.Detach{Handle: p.Handle, Closed: true, Error: e})
}

// attachSender links a client that sends.
func (ch *channel) attachSender(p *amqp.Attach, target amqp.Terminus) error {
	if target.Coordinator() {
		return &broker.Error{Condition: "amqp:not-implemented", Description: "transactions are not supported here"}
	}
	path := entityPath(target.Address())
	l := &sendLink{ch: ch, handle: p.Handle, path: path, limit: broker.MaxMessageSize}
	if p.InitialDeliveryCount != nil {
		l.deliveryCount = *p.InitialDeliveryCount
	}
	node, q, err := ch.c.node(path, RightSend)
	if err != nil {
		return err
	}
	switch {
	case node != nil:
		l.take, l.limit = ch.answer(node), 4*broker.MaxMessageSize // requests carry messages
	case !q.Sendable():
		return &broker.Error{Condition: broker.NotAllowed, Description: fmt.Sprintf("messages cannot be sent to %q; send to a queue or a topic", path)}
	default:
		l.take = ch.c.srv.deliver(q)
	}
	if err := ch.add(p.Handle, l, path, amqp.RoleSender); err != nil {
		return err
	}
	size := uint64(l.limit)
	ch.send(&amqp.Attach{
		Name: p.Name, Handle: p.Handle, Role: amqp.RoleReceiver, SenderSettleMode: p.SenderSettleMode, ReceiverSettleMode: p.ReceiverSettleMode,
		Source: p.Source, Target: target.Value(), MaxMessageSize: &size, Properties: p.Properties,
	})
	l.grant()
	return nil
}

// node finds what an address names: a node that answers requests, or an entity
// where the connection has claimed the right that it needs.
func (c *conn) node(path string, need Rights) (responder, *broker.Queue, error) {
	if strings.EqualFold(path, cbsNode) {
		return cbs{c}, nil, nil
	}
	base, manage := cutManagement(path)
	q, err := c.srv.broker.Lookup(base)
	if err != nil {
		return nil, nil, err
	}
	rights := c.claims.at(path)
	if manage && rights != 0 {
		return management{c.srv, q, rights}, nil, nil
	}
	if !rights.allow(need) {
		return nil, nil, unauthorized(need, path)
	}
	return nil, q, nil
}

func cutManagement(path string) (base string, manage bool) {
	if n := len(path) - len(managementSuffix); n >= 0 && strings.EqualFold(path[n:], managementSuffix) {
		return path[:n], true
	}
	return path, false
}

// add registers a link. A connection has one $cbs pair.
func (ch *channel) add(handle uint32, l link, path string, role bool) error {
	ch.c.mu.Lock()
	defer ch.c.mu.Unlock()
	if strings.EqualFold(path, cbsNode) && ch.c.hasCBS(role) {
		return &broker.Error{Condition: broker.NotAllowed, Description: "the connection has a link to $cbs already"}
	}
	ch.links[handle] = l
	return nil
}

func (c *conn) hasCBS(role bool) bool {
	for _, ch := range c.channels {
		for _, l := range ch.links {
			switch l := l.(type) {
			case *sendLink:
				if role == amqp.RoleSender && strings.EqualFold(l.path, cbsNode) {
					return true
				}
			case *receiveLink:
				if role == amqp.RoleReceiver && strings.EqualFold(l.path, cbsNode) {
					return true
				}
			}
		}
	}
	return false
}

// wireError is an error as the wire has it.
func wireError(err error) *amqp.Error {
	var be *broker.Error
	if errors.As(err, &be) {
		return &amqp.Error{Condition: be.Condition, Description: be.Description}
	}
	var ae *amqp.Error
	if errors.As(err, &ae) {
		return ae
	}
	return &amqp.Error{Condition: "amqp:internal-error", Description: err.Error()}
}
