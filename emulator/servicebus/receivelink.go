package servicebus

import (
	"sync"

	"goldmint/emulator/servicebus/amqp"
	"goldmint/emulator/servicebus/broker"
)

const (
	pumpBatch     = 100 // messages taken from the broker at once
	frameOverhead = 128 // bytes of a frame beside the payload, at most
)

// receiveLink sends messages to a client, as many as the client has granted credit for. Its own
// goroutine fetches them.
type receiveLink struct {
	ch         *channel
	handle     uint32
	name, path string
	attach     *amqp.Attach
	source     amqp.Terminus
	properties amqp.Map
	replyTo    string // of a link for answers
	settled    bool   // receive and delete
	supply     supply

	wake     chan struct{}
	stop     chan struct{}
	stopOnce sync.Once

	// Guarded by the connection's mu.
	credit        uint32
	deliveryCount uint32
	drain         bool
}

func newReceiveLink(ch *channel, p *amqp.Attach, path string) *receiveLink {
	return &receiveLink{
		ch: ch, handle: p.Handle, name: p.Name, path: path, attach: p, properties: p.Properties,
		settled: p.SenderSettleMode != nil && *p.SenderSettleMode == amqp.SenderSettled,
		wake:    make(chan struct{}, 1), stop: make(chan struct{}),
	}
}

// reply is the answer to the peer's attach.
func (l *receiveLink) reply() *amqp.Attach {
	zero, size := uint32(0), uint64(broker.MaxMessageSize)
	return &amqp.Attach{
		Name: l.name, Handle: l.handle, Role: amqp.RoleSender, SenderSettleMode: l.attach.SenderSettleMode, ReceiverSettleMode: l.attach.ReceiverSettleMode,
		Source: l.source.Value(), Target: l.attach.Target, InitialDeliveryCount: &zero, MaxMessageSize: &size, Properties: l.properties,
	}
}

func (l *receiveLink) kick() { poke(l.wake) }

func (l *receiveLink) drop() {
	l.ch.c.mu.Lock()
	l.stopOnce.Do(func() { close(l.stop) })
	s := l.supply
	l.ch.c.mu.Unlock()
	s.close()
}

func (l *receiveLink) stopped() bool {
	select {
	case <-l.stop:
		return true
	default:
		return false
	}
}

// flow takes the peer's credit: part 2, section 2.6.7.
func (l *receiveLink) flow(p *amqp.Flow) {
	if p.LinkCredit != nil {
		seen := uint32(0)
		if p.DeliveryCount != nil {
			seen = *p.DeliveryCount
		}
		l.credit = uint32(max(int32(seen+*p.LinkCredit-l.deliveryCount), 0))
	}
	l.drain = p.Drain
	if p.Echo {
		l.tell()
	}
}

// tell reports the link's state to the peer.
func (l *receiveLink) tell() {
	f := l.ch.windows()
	f.Handle, f.DeliveryCount, f.LinkCredit, f.Drain = &l.handle, &l.deliveryCount, &l.credit, l.drain
	l.ch.put(f)
}

// run fetches and sends until the link is over.
func (l *receiveLink) run() {
	defer l.ch.c.recovered("link")
	w := &broker.Waiter{Wake: l.kick}
	defer l.supply.leave(w)
	for !l.stopped() {
		limit := l.wanted()
		var batch []parcel
		if limit > 0 {
			batch = l.supply.next(limit, w)
		} else {
			l.supply.leave(w)
		}
		for i, p := range batch {
			if !l.send(p) {
				giveBack(batch[i:])
				break
			}
		}
		if len(batch) > 0 {
			l.ch.sweep()
			continue
		}
		if l.drained() {
			continue
		}
		select {
		case <-l.wake:
		case <-l.stop:
		case <-l.ch.c.done:
			return
		}
	}
}

// wanted is how many messages may be fetched now.
func (l *receiveLink) wanted() int {
	c := l.ch.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if l.ch.peerWindow == 0 || len(c.out) > pumpBacklog {
		return 0
	}
	return int(min(l.credit, pumpBatch))
}

// drained uses up the credit of a client that wants to know that there is
// nothing more.
func (l *receiveLink) drained() bool {
	l.ch.c.mu.Lock()
	defer l.ch.c.mu.Unlock()
	if !l.drain || l.ch.peerWindow == 0 {
		return false
	}
	l.deliveryCount += l.credit
	l.credit = 0
	l.tell()
	l.drain = false
	return true
}

// giveBack returns messages that did not go out, as if they never had.
func giveBack(batch []parcel) {
	for _, p := range batch {
		if p.queue != nil {
			_ = p.queue.Settle(p.token, broker.Settlement{Verdict: broker.Release}) // a lock that is over needs no return
		}
	}
}

// send puts one message on the wire. It returns false when the link is over or
// the credit is gone.
func (l *receiveLink) send(p parcel) bool {
	faults := l.ch.c.srv.faults
	if p.queue != nil && faults.strike("drop", faults.DropEvery/2) {
		l.ch.c.abort()
		return false
	}
	if !l.transfer(p) {
		return false
	}
	if l.settled && p.queue != nil {
		_ = p.queue.Settle(p.token, broker.Settlement{Verdict: broker.Complete}) // the message is the client's now
	}
	if p.queue != nil && faults.strike("drop", faults.DropEvery/2) {
		l.ch.c.abort()
	}
	return true
}

func (l *receiveLink) transfer(p parcel) bool {
	c, ch := l.ch.c, l.ch
	c.mu.Lock()
	defer c.mu.Unlock()
	if l.credit == 0 || l.stopped() {
		return false
	}
	l.credit--
	l.deliveryCount++
	id, format, settled := ch.nextDelivery, uint32(0), l.settled
	ch.nextDelivery++
	if !settled {
		ch.unsettled[id] = &unsettled{l, p.queue, p.token}
	}
	t := &amqp.Transfer{Handle: l.handle, DeliveryID: &id, DeliveryTag: p.tag, MessageFormat: &format, Settled: &settled}
	for rest := p.payload; ; {
		if !l.awaitWindow() {
			return true // the connection or the link broke within the message
		}
		n := min(len(rest), c.peerFrame-frameOverhead)
		t.More = n < len(rest)
		ch.peerWindow--
		ch.nextOutgoing++
		c.put(amqp.Frame{Channel: ch.id, Body: t, Payload: rest[:n]})
		if rest = rest[n:]; len(rest) == 0 {
			return true
		}
		t = &amqp.Transfer{Handle: l.handle}
	}
}

// awaitWindow waits, letting go of mu, until the peer takes another transfer.
func (l *receiveLink) awaitWindow() bool {
	c := l.ch.c
	for l.ch.peerWindow == 0 && !c.closing {
		c.mu.Unlock()
		select {
		case <-l.wake:
		case <-l.stop:
			c.mu.Lock()
			return false
		case <-c.done:
			c.mu.Lock()
			return false
		}
		c.mu.Lock()
	}
	return !c.closing
}
