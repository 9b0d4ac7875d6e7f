package servicebus

import (
	"fmt"
	"slices"

	"goldmint/emulator/servicebus/amqp"
	"goldmint/emulator/servicebus/broker"
)

// incomingWindow is how many transfer frames a peer may send ahead.
const incomingWindow = 5000

// channel is an AMQP session (the word session is left to the sessions of
// Service Bus). Its fields are guarded by the connection's mu.
type channel struct {
	c            *conn
	id           uint16
	links        map[uint32]link // by the peer's handle, which serves both ways
	nextIncoming uint32
	window       uint32 // transfers the peer may still send
	nextOutgoing uint32
	peerWindow   uint32 // transfers the peer still takes
	nextDelivery uint32
	unsettled    map[uint32]*unsettled
	sweepAt      int
}

// unsettled is a delivery that the peer has not settled yet.
type unsettled struct {
	link  *receiveLink
	queue *broker.Queue
	token amqp.UUID
}

// link is one end of a link: [*sendLink] takes what clients send, [*receiveLink]
// gives them what they receive.
type link interface {
	flow(*amqp.Flow) // under mu
	kick()           // under mu: look whether something can go out
	drop()           // the link is over; not under mu
}

func newChannel(c *conn, id uint16, p *amqp.Begin) *channel {
	return &channel{
		c: c, id: id, links: map[uint32]link{}, unsettled: map[uint32]*unsettled{},
		nextIncoming: p.NextOutgoingID, window: incomingWindow, peerWindow: p.IncomingWindow, sweepAt: 1024,
	}
}

func (ch *channel) handle(f amqp.Frame) {
	switch p := f.Body.(type) {
	case *amqp.Attach:
		ch.attach(p)
	case *amqp.Flow:
		ch.flow(p)
	case *amqp.Transfer:
		ch.transfer(p, f.Payload)
	case *amqp.Disposition:
		ch.disposition(p)
	case *amqp.Detach:
		ch.detach(p)
	case *amqp.End:
		ch.end(nil)
	default:
		ch.end(&amqp.Error{Condition: "amqp:not-allowed", Description: fmt.Sprintf("%T within a session", f.Body)})
	}
}

func (ch *channel) send(p amqp.Performative) { ch.c.send(ch.id, p) }

// end ends the session and its links.
func (ch *channel) end(e *amqp.Error) {
	ch.c.mu.Lock()
	delete(ch.c.channels, ch.id)
	ch.c.mu.Unlock()
	ch.dropLinks()
	ch.send(&amqp.End{Error: e})
}

func (ch *channel) dropLinks() {
	ch.c.mu.Lock()
	links := ch.links
	ch.links = map[uint32]link{}
	ch.c.mu.Unlock()
	for _, l := range links {
		l.drop()
	}
}

func (ch *channel) detach(p *amqp.Detach) {
	l := ch.unlink(p.Handle)
	if l == nil {
		return // the answer to a detach of ours
	}
	l.drop()
	ch.send(&amqp.Detach{Handle: p.Handle, Closed: p.Closed})
}

// detachWith ends a link for a reason.
func (ch *channel) detachWith(handle uint32, e *amqp.Error) {
	if l := ch.unlink(handle); l != nil {
		l.drop()
		ch.send(&amqp.Detach{Handle: handle, Closed: true, Error: e})
	}
}

// unlink forgets a link and its deliveries: nothing can be said about them on
// the wire any more, while their locks hold.
func (ch *channel) unlink(handle uint32) link {
	ch.c.mu.Lock()
	defer ch.c.mu.Unlock()
	l := ch.links[handle]
	delete(ch.links, handle)
	for id, u := range ch.unsettled {
		if link(u.link) == l {
			delete(ch.unsettled, id)
		}
	}
	return l
}

func (ch *channel) flow(p *amqp.Flow) {
	ch.c.mu.Lock()
	defer ch.c.mu.Unlock()
	var next uint32 // the peer counts from our first transfer until it has seen one
	if p.NextIncomingID != nil {
		next = *p.NextIncomingID
	}
	ch.peerWindow = next + p.IncomingWindow - ch.nextOutgoing
	if p.Handle != nil {
		if l := ch.links[*p.Handle]; l != nil {
			l.flow(p)
		}
	} else if p.Echo {
		ch.put(ch.windows())
	}
	ch.kick()
}

func (ch *channel) kick() {
	for _, l := range ch.links {
		l.kick()
	}
}

func (ch *channel) put(p amqp.Performative) { ch.c.put(amqp.Frame{Channel: ch.id, Body: p}) }

// windows is a flow that reports the session's state.
func (ch *channel) windows() *amqp.Flow {
	next := ch.nextIncoming
	return &amqp.Flow{NextIncomingID: &next, IncomingWindow: ch.window, NextOutgoingID: ch.nextOutgoing, OutgoingWindow: incomingWindow}
}

func (ch *channel) transfer(p *amqp.Transfer, payload []byte) {
	ch.c.mu.Lock()
	ch.nextIncoming++
	ch.window--
	if ch.window < incomingWindow/2 {
		ch.window = incomingWindow
		ch.put(ch.windows())
	}
	l, ok := ch.links[p.Handle].(*sendLink)
	ch.c.mu.Unlock()
	if !ok {
		ch.end(&amqp.Error{Condition: "amqp:session:unattached-handle", Description: fmt.Sprintf("transfer on handle %d, which is no sender's", p.Handle)})
		return
	}
	l.transfer(p, payload)
}

// disposition settles deliveries. Only those that are known count, so a range
// may be as wide as a peer likes.
func (ch *channel) disposition(p *amqp.Disposition) {
	if p.Role != amqp.RoleReceiver {
		return // a sender that settles what was settled already
	}
	outcome, err := amqp.Outcome(p.State)
	if err != nil {
		ch.end(&amqp.Error{Condition: "amqp:decode-error", Description: err.Error()})
		return
	}
	if _, pending := outcome.(amqp.OutcomePending); pending {
		return
	}
	for _, id := range ch.known(p) {
		ch.c.mu.Lock()
		u := ch.unsettled[id]
		delete(ch.unsettled, id)
		ch.c.mu.Unlock()
		if u == nil {
			continue
		}
		state := p.State
		if _, dead := outcome.(amqp.OutcomeRejected); dead {
			state = amqp.Rejected(nil) // an error here would say that settling failed
		}
		if outcome != nil {
			if err := ch.c.srv.settle(u.queue, u.token, settlement(outcome)); err != nil {
				state = amqp.Rejected(wireError(err))
			}
		}
		if !p.Settled {
			ch.confirm(u.link, id, state)
		}
	}
}

// confirm answers a disposition, unless the link is over: then nobody listens.
func (ch *channel) confirm(l *receiveLink, id uint32, state any) {
	ch.c.mu.Lock()
	defer ch.c.mu.Unlock()
	if ch.links[l.handle] == link(l) {
		ch.put(&amqp.Disposition{Role: amqp.RoleSender, First: id, Last: &id, Settled: true, State: state})
	}
}

func (ch *channel) known(p *amqp.Disposition) []uint32 {
	if p.Last == nil || *p.Last == p.First {
		return []uint32{p.First}
	}
	ch.c.mu.Lock()
	defer ch.c.mu.Unlock()
	var ids []uint32
	for id := range ch.unsettled {
		if id-p.First <= *p.Last-p.First {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b uint32) int { return int(int32(a - b)) })
	return ids
}

// sweep forgets deliveries whose locks ended elsewhere: by time, or by a request
// to the management node.
func (ch *channel) sweep() {
	ch.c.mu.Lock()
	if len(ch.unsettled) < ch.sweepAt {
		ch.c.mu.Unlock()
		return
	}
	all := make(map[uint32]*unsettled, len(ch.unsettled))
	for id, u := range ch.unsettled {
		all[id] = u
	}
	ch.c.mu.Unlock()
	for id, u := range all {
		if u.queue.Locked(u.token) {
			delete(all, id)
		}
	}
	ch.c.mu.Lock()
	defer ch.c.mu.Unlock()
	for id := range all {
		delete(ch.unsettled, id)
	}
	ch.sweepAt = max(1024, 2*len(ch.unsettled))
}
