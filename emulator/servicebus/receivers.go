package servicebus

import (
	"fmt"
	"strings"
	"time"

	"goldmint/emulator/servicebus/amqp"
	"goldmint/emulator/servicebus/broker"
)

// The filter and the properties of links that receive from a session.
const (
	sessionFilter       = "com.microsoft:session-filter"
	propertyTimeout     = "com.microsoft:timeout"          // milliseconds to wait for a session
	propertyLockedUntil = "com.microsoft:locked-until-utc" // ticks of 100 ns since year 1
	defaultAcceptWait   = time.Minute
	unixEpochTicks      = 621355968000000000
)

// attachReceiver links a client that receives: answers to its requests, an
// entity's messages or a session's.
func (ch *channel) attachReceiver(p *amqp.Attach, source, target amqp.Terminus) error {
	path := entityPath(source.Address())
	node, q, err := ch.c.node(path, RightListen)
	if err != nil {
		return err
	}
	l := newReceiveLink(ch, p, path)
	l.source = source
	if node != nil {
		l.replyTo = target.Address()
		l.supply = newReplies()
		l.settled = true
		return ch.startReceiver(l)
	}
	if !q.Receivable() {
		return &broker.Error{Condition: broker.NotAllowed, Description: fmt.Sprintf("messages cannot be received from the topic %q; receive from a subscription", path)}
	}
	id, wanted := source.Filter(sessionFilter)
	if q.RequiresSession() && !wanted {
		return &broker.Error{Condition: broker.NotAllowed, Description: "It is not possible for an entity that requires sessions to create a non-sessionful message receiver."}
	}
	if wanted != q.RequiresSession() {
		return &broker.Error{Condition: broker.NotAllowed, Description: fmt.Sprintf("%q has no sessions, and the receiver asks for one", path)}
	}
	if !wanted {
		l.supply = entitySupply{q}
		return ch.startReceiver(l)
	}
	if name, ok := amqp.Text(id); ok {
		lock, err := q.Accept(name, l.sessionLost)
		if err != nil {
			return err
		}
		return ch.startSession(l, q, lock)
	}
	return ch.acceptNext(l, q)
}

func (ch *channel) startReceiver(l *receiveLink) error {
	if err := ch.add(l.handle, l, l.path, amqp.RoleReceiver); err != nil {
		return err
	}
	ch.send(l.reply())
	ch.c.tasks.Go(l.run)
	return nil
}

// startSession links a client to a session that was locked for it.
func (ch *channel) startSession(l *receiveLink, q *broker.Queue, lock *broker.SessionLock) error {
	l.use(q, lock, lock.LockedUntil())
	if err := ch.startReceiver(l); err != nil {
		lock.Close()
		return err
	}
	return nil
}

func (l *receiveLink) use(q *broker.Queue, lock *broker.SessionLock, until time.Time) {
	l.supply = sessionSupply{q, lock}
	l.source = l.source.WithFilter(sessionFilter, lock.ID())
	l.properties = l.properties.With(amqp.Symbol(propertyLockedUntil), unixEpochTicks+until.UnixNano()/100)
}

// acceptNext waits for a session that has messages and that nobody holds. The
// link is answered only then.
func (ch *channel) acceptNext(l *receiveLink, q *broker.Queue) error {
	wait := defaultAcceptWait
	if v, ok := l.properties.Get(propertyTimeout); ok {
		if ms, ok := amqp.Int(v); ok {
			wait = time.Duration(ms) * time.Millisecond
		}
	}
	l.supply = pendingSupply{}
	if err := ch.add(l.handle, l, l.path, amqp.RoleReceiver); err != nil {
		return err
	}
	ch.c.tasks.Go(func() {
		defer ch.c.recovered("accept")
		lock := l.awaitSession(q, wait)
		if lock == nil {
			ch.giveUp(l)
			return
		}
		until := lock.LockedUntil()
		ch.c.mu.Lock()
		if l.stopped() {
			ch.c.mu.Unlock()
			lock.Close()
			return
		}
		l.use(q, lock, until)
		ch.put(l.reply())
		ch.c.mu.Unlock()
		l.run()
	})
	return nil
}

func (l *receiveLink) awaitSession(q *broker.Queue, wait time.Duration) *broker.SessionLock {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	woken := make(chan struct{}, 1)
	w := &broker.Waiter{Wake: func() { poke(woken) }}
	defer q.LeaveAcceptors(w)
	for {
		if lock := q.AcceptNext(w, l.sessionLost); lock != nil {
			return lock
		}
		select {
		case <-woken:
		case <-timer.C:
			return nil
		case <-l.stop:
			return nil
		}
	}
}

// giveUp answers a client that no session came, unless the client left already.
func (ch *channel) giveUp(l *receiveLink) {
	ch.c.mu.Lock()
	here := ch.links[l.handle] == link(l)
	if here {
		delete(ch.links, l.handle)
	}
	ch.c.mu.Unlock()
	if here {
		l.drop()
		ch.refuse(l.attach, &amqp.Error{Condition: broker.Timeout, Description: "no session with messages was free within the time given"})
	}
}

// sessionLost ends the link when its session's lock ends. The broker calls it,
// so it must not wait for anything.
func (l *receiveLink) sessionLost() {
	go l.ch.detachWith(l.handle, &amqp.Error{Condition: broker.SessionLockLost, Description: "the lock of the session expired; accept the session again"})
}

// supply is where the messages of a link come from.
type supply interface {
	next(limit int, w *broker.Waiter) []parcel
	leave(w *broker.Waiter)
	close()
}

// parcel is a message on its way out.
type parcel struct {
	tag     []byte
	payload []byte
	queue   *broker.Queue // nil for answers to requests
	token   amqp.UUID
}

type entitySupply struct{ q *broker.Queue }

func (s entitySupply) next(limit int, w *broker.Waiter) []parcel {
	return parcels(s.q, s.q.Receive(limit, w))
}
func (s entitySupply) leave(w *broker.Waiter) { s.q.Leave(w) }
func (entitySupply) close()                   {} // locks outlive the receiver

type sessionSupply struct {
	q    *broker.Queue
	lock *broker.SessionLock
}

func (s sessionSupply) next(limit int, w *broker.Waiter) []parcel {
	return parcels(s.q, s.lock.Receive(limit, w))
}
func (s sessionSupply) leave(w *broker.Waiter) { s.lock.Leave(w) }
func (s sessionSupply) close()                 { s.lock.Close() }

// pendingSupply stands in until a session is there.
type pendingSupply struct{}

func (pendingSupply) next(int, *broker.Waiter) []parcel { return nil }
func (pendingSupply) leave(*broker.Waiter)              {}
func (pendingSupply) close()                            {}

func parcels(q *broker.Queue, deliveries []broker.Delivery) []parcel {
	out := make([]parcel, len(deliveries))
	for i, d := range deliveries {
		out[i] = parcel{tag: netOrder(d.LockToken), payload: encode(d), queue: q, token: d.LockToken}
	}
	return out
}

// netOrder is a lock token in the byte order of a .NET GUID, as delivery tags
// have it.
func netOrder(u amqp.UUID) []byte {
	return append([]byte{u[3], u[2], u[1], u[0], u[5], u[4], u[7], u[6]}, u[8:]...)
}

// isReplyTo reports whether answers to that address go out on this link. Clients name the link's
// target, and the JavaScript one the link itself.
func (l *receiveLink) isReplyTo(address string) (target, name bool) {
	return address == l.replyTo, strings.EqualFold(address, l.name)
}
