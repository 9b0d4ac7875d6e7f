package servicebus

import (
	"math"
	"time"

	"goldmint/emulator/servicebus/amqp"
)

func (n management) renewSessionLock(body amqp.Map) (amqp.Map, error) {
	until, err := n.queue.RenewSession(sessionID(body))
	if err != nil {
		return nil, err
	}
	return amqp.Map{{Key: "expiration", Value: until}}, nil
}

func (n management) sessionState(body amqp.Map) (amqp.Map, error) {
	state, err := n.queue.SessionState(sessionID(body))
	if err != nil {
		return nil, err
	}
	if state == nil {
		return amqp.Map{{Key: "session-state", Value: nil}}, nil
	}
	return amqp.Map{{Key: "session-state", Value: state}}, nil
}

func (n management) setSessionState(body amqp.Map) (amqp.Map, error) {
	v, _ := body.Get("session-state")
	state, ok := v.([]byte)
	if !ok && v != nil {
		return nil, badRequest("session-state is %T, want bytes", v)
	}
	return amqp.Map{}, n.queue.SetSessionState(sessionID(body), state)
}

// messageSessions lists session ids. A time beyond the year 9999 asks for those
// with messages or a state, any other for those whose state was set after it.
func (n management) messageSessions(body amqp.Map) (amqp.Map, error) {
	skip, err := integer(body, "skip")
	if err != nil {
		return nil, err
	}
	top, err := integer(body, "top")
	if err != nil {
		return nil, err
	}
	v, _ := body.Get("last-updated-time")
	var after *time.Time
	if t, ok := v.(time.Time); ok && t.Year() <= 9999 {
		after = &t
	}
	ids := n.queue.Sessions(after, int(min(max(skip, 0), math.MaxInt32)), int(min(max(top, 0), math.MaxInt32)))
	if len(ids) == 0 {
		return nil, errNothing
	}
	out := make(amqp.Array, len(ids))
	for i, id := range ids {
		out[i] = id
	}
	return amqp.Map{{Key: "skip", Value: int32(skip) + int32(len(ids))}, {Key: "sessions-ids", Value: out}}, nil
}

// sessionID reads a session's id; the JavaScript client sends it back as the
// described value it got.
func sessionID(body amqp.Map) string {
	v, _ := body.Get("session-id")
	s, _ := amqp.Text(amqp.Plain(v))
	return s
}
