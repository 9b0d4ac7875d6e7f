package broker

import (
	"time"

	"goldmint/emulator/servicebus/amqp"
)

// State of a message, in the numbers of the annotation x-opt-message-state.
type State int32

// The states.
const (
	Active State = iota
	Deferred
	Scheduled
)

// Delivery is a message as a receiver or a peek gets it: a copy of the broker's
// record. The message itself is shared and must not be changed.
type Delivery struct {
	Message          *amqp.Message
	SequenceNumber   int64
	EnqueuedSequence int64 // the number it was first given; 0 when it is the same
	EnqueuedAt       time.Time
	ScheduledFor     time.Time // zero when it was not scheduled
	DeliveryCount    uint32    // failed deliveries before this one
	TimeToLive       time.Duration
	State            State
	LockToken        amqp.UUID // zero for a peeked message
	LockedUntil      time.Time
	DeadLetterSource string
}

// entry is the broker's record of a message.
type entry struct {
	Delivery
	queue   *Queue
	timer   timer // activation, end of lock or end of life, by its state
	locked  bool
	session *session // nil where sessions are not required
	ready   int      // place in the heap of ready messages plus one
	gone    bool
}

// expiresAt is when the message's life ends; ok is false for never.
func (e *entry) expiresAt() (at time.Time, ok bool) {
	if e.TimeToLive == Forever {
		return time.Time{}, false
	}
	return e.EnqueuedAt.Add(e.TimeToLive), true
}

// lifetime is the shorter of the message's and the entity's time to live.
func lifetime(m *amqp.Message, s Settings) time.Duration {
	if own, ok := m.Header.Lifetime(); ok {
		return min(own, s.TimeToLive)
	}
	return s.TimeToLive
}

// readyHeap orders the messages that wait for a receiver by sequence number.
type readyHeap []*entry

func (h readyHeap) Len() int           { return len(h) }
func (h readyHeap) Less(i, j int) bool { return h[i].SequenceNumber < h[j].SequenceNumber }
func (h readyHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].ready, h[j].ready = i+1, j+1
}

func (h *readyHeap) Push(x any) {
	e := x.(*entry)
	*h = append(*h, e)
	e.ready = len(*h)
}

func (h *readyHeap) Pop() any {
	old := *h
	e := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	e.ready = 0
	return e
}
