package servicebus

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"goldmint/emulator/servicebus/amqp"
	"goldmint/emulator/servicebus/broker"
)

// management is an entity's node for what links cannot say. Each operation is a
// function of the request's body, a map, that returns the answer's.
type management struct {
	srv    *Server
	queue  *broker.Queue
	rights Rights // of the connection, when it linked
}

// errNothing is answered with 204: there is nothing to return.
var errNothing = errors.New("no content")

func (n management) respond(request *amqp.Message) *amqp.Message {
	body, err := n.run(request)
	code, condition := status(err)
	text := "OK"
	if err != nil {
		text = err.Error()
	}
	m := response("statusCode", code, "statusDescription", text, body)
	if condition != "" {
		m.Application = append(m.Application, amqp.Pair{Key: "errorCondition", Value: amqp.Symbol(condition)})
	}
	return m
}

func (n management) run(request *amqp.Message) (amqp.Map, error) {
	v, err := request.Value()
	if err != nil {
		return nil, badRequest("%v", err)
	}
	body, ok := v.(amqp.Map)
	if !ok {
		return nil, badRequest("the body holds %T, want a map", v)
	}
	name := property(request, "operation")
	op := n.operation(name)
	if op == nil {
		return nil, &broker.Error{Condition: "amqp:not-implemented", Description: fmt.Sprintf("operation %q is not supported", name)}
	}
	need := RightListen
	if strings.HasSuffix(name, "schedule-message") || strings.HasSuffix(name, "scheduled-message") {
		need = RightSend
	}
	if !n.rights.allow(need) {
		return nil, unauthorized(need, n.queue.Path())
	}
	return op(body)
}

func (n management) operation(name string) func(amqp.Map) (amqp.Map, error) {
	switch name {
	case "com.microsoft:schedule-message":
		return n.schedule
	case "com.microsoft:cancel-scheduled-message":
		return n.cancelScheduled
	case "com.microsoft:peek-message":
		return n.peek
	case "com.microsoft:receive-by-sequence-number":
		return n.receiveDeferred
	case "com.microsoft:update-disposition":
		return n.updateDisposition
	case "com.microsoft:renew-lock":
		return n.renewLock
	case "com.microsoft:renew-session-lock":
		return n.renewSessionLock
	case "com.microsoft:get-session-state":
		return n.sessionState
	case "com.microsoft:set-session-state":
		return n.setSessionState
	case "com.microsoft:get-message-sessions":
		return n.messageSessions
	}
	return nil
}

func badRequest(format string, args ...any) error {
	return &broker.Error{Condition: broker.InvalidField, Description: fmt.Sprintf(format, args...)}
}

// status is the HTTP status code of an error, and its condition.
func status(err error) (code int32, condition string) {
	if err == nil {
		return http.StatusOK, ""
	}
	if errors.Is(err, errNothing) {
		return http.StatusNoContent, "com.microsoft:no-content"
	}
	e := wireError(err)
	switch e.Condition {
	case broker.LockLost, broker.SessionLockLost:
		code = http.StatusGone
	case broker.NotFound, broker.MessageNotFound:
		code = http.StatusNotFound
	case "amqp:not-implemented":
		code = http.StatusNotImplemented
	case "amqp:internal-error":
		code = http.StatusInternalServerError
	default:
		code = http.StatusBadRequest
	}
	return code, e.Condition
}

// integers reads a list or an array of integers.
func integers(body amqp.Map, key string) ([]int64, error) {
	items, err := elements(body, key)
	if err != nil {
		return nil, err
	}
	out := make([]int64, len(items))
	for i, item := range items {
		n, ok := amqp.Int(item)
		if !ok {
			return nil, badRequest("%s holds %T, want integers", key, item)
		}
		out[i] = n
	}
	return out, nil
}

// tokens reads a list or an array of lock tokens, in the byte order of RFC 4122.
func tokens(body amqp.Map) ([]amqp.UUID, error) {
	items, err := elements(body, "lock-tokens")
	if err != nil {
		return nil, err
	}
	out := make([]amqp.UUID, len(items))
	for i, item := range items {
		u, ok := item.(amqp.UUID)
		if !ok {
			return nil, badRequest("lock-tokens holds %T, want UUIDs", item)
		}
		out[i] = u
	}
	return out, nil
}

func elements(body amqp.Map, key string) ([]any, error) {
	v, _ := body.Get(key)
	switch v := v.(type) {
	case amqp.Array:
		return v, nil
	case amqp.List:
		return v, nil
	}
	return nil, badRequest("%s is %T, want a list", key, v)
}

func text(body amqp.Map, key string) string {
	v, _ := body.Get(key)
	s, _ := amqp.Text(v)
	return s
}

func integer(body amqp.Map, key string) (int64, error) {
	v, _ := body.Get(key)
	n, ok := amqp.Int(v)
	if !ok {
		return 0, badRequest("%s is %T, want an integer", key, v)
	}
	return n, nil
}
