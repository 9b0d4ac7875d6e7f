package arm

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"
)

// operation is something that takes time. It has its effect at its end.
type operation struct {
	id           string
	subscription string
	region       string
	segment      string // operations or, for disks, DiskOperations
	resource     string // folded id of what it works on
	start, end   time.Time
	failure      *opError
	vanished     bool          // its URL answers 404, by a fault
	late         time.Duration // for how long after the end reads do not show it, by a fault
	accepted     bool          // the PUT that starts it answers 202, by a fault
	over         bool
	apply        func(failed bool)
	retryAfter   string     // in seconds, where the answer that starts it says when to look
	output       func() any // what a disk's operation answers when it has succeeded
	action       *Action    // reported at the end
}

// opError is why an operation failed.
type opError struct {
	Code    string        `json:"code"`
	Message string        `json:"message"`
	Details []errorDetail `json:"details,omitempty"`
}

func addOperations(add adder) {
	add(http.MethodGet, "@locations/*/operations/*", "Microsoft.Compute/locations/operations/read", (*Server).getOperation)
	add(http.MethodGet, "@locations/*/diskoperations/*", "Microsoft.Compute/locations/diskOperations/read", (*Server).getOperation)
}

// begin starts an operation that the request has asked for. Its id is the request's, as recorded.
func (s *Server) begin(rq *request, op operation, takes time.Duration) *operation {
	op.id, op.subscription = rq.id, rq.target.subscription
	if op.segment == "" {
		op.segment = "operations"
	}
	op.start, op.end = rq.now, rq.now.Add(takes)
	if laid, ok := s.state.failures[op.resource]; ok {
		delete(s.state.failures, op.resource)
		op.failure = &laid
	}
	s.injector.spoil(&op, rq.http.Method)
	o := &op
	s.state.operations[o.id] = o
	s.schedule(o)
	s.nudge()
	return o
}

// schedule queues an operation by its end.
func (s *Server) schedule(o *operation) {
	at, _ := slices.BinarySearchFunc(s.state.pending, o, func(a, b *operation) int {
		if a.end.After(b.end) {
			return 1
		}
		return -1
	})
	s.state.pending = slices.Insert(s.state.pending, at, o)
}

func (s *Server) nudge() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// settle ends what is due, and has reported all that has ended when it returns.
func (s *Server) settle() {
	s.reporting.Lock()
	defer s.reporting.Unlock()
	s.mu.Lock()
	s.endDue()
	ended := s.state.ended
	s.state.ended = nil
	s.mu.Unlock()
	if s.options.OnAction == nil {
		return
	}
	for _, a := range ended {
		s.options.OnAction(a)
	}
}

// endDue ends what is due and leaves the actions to be reported. The server's lock is held.
func (s *Server) endDue() {
	now := s.clock.now()
	for len(s.state.pending) > 0 && !s.state.pending[0].end.After(now) {
		op := s.state.pending[0]
		s.state.pending = s.state.pending[1:]
		if op.late > 0 && op.apply != nil {
			s.schedule(&operation{end: op.end.Add(op.late), failure: op.failure, apply: op.apply})
			op.apply = nil
		}
		if a := op.finish(); a != nil {
			s.state.ended = append(s.state.ended, *a)
			s.nudge()
		}
	}
}

func (o *operation) finish() *Action {
	o.over = true
	if o.apply != nil {
		o.apply(o.failure != nil)
	}
	if o.action == nil {
		return nil
	}
	o.action.Ended, o.action.Status = o.end, "Succeeded"
	if o.failure != nil {
		o.action.Status = "Failed"
	}
	return o.action
}

// preempt ends an operation early, without its effect, because a later request overrides it.
func (s *Server) preempt(o *operation, now time.Time) {
	if o == nil || o.over {
		return
	}
	s.state.pending = slices.DeleteFunc(s.state.pending, func(p *operation) bool { return p == o })
	o.over, o.end = true, now
	o.failure = &opError{Code: "OperationPreempted", Message: "Operation execution has been preempted by a more recent operation."}
}

// tick ends operations as real time passes, for callers that only wait for OnAction.
func (s *Server) tick(ctx context.Context) {
	for ctx.Err() == nil {
		s.settle()
		s.waitForNext(ctx)
	}
}

func (s *Server) waitForNext(ctx context.Context) {
	s.mu.Lock()
	var next time.Time
	if len(s.state.ended) > 0 {
		next = s.clock.now()
	} else if len(s.state.pending) > 0 {
		next = s.state.pending[0].end
	}
	s.mu.Unlock()
	if next.IsZero() {
		select {
		case <-s.wake:
		case <-ctx.Done():
		}
		return
	}
	_ = s.clock.wait(ctx, next, s.wake) // waking early or cancelling is harmless: the caller looks again
}

// accepted is the answer to a call that has started an operation.
func (s *Server) accepted(rq *request, op *operation, status int, body any) answer {
	if op.accepted && status == http.StatusCreated {
		status = http.StatusAccepted
	}
	a := answer{status: status, body: body}
	a.set("Azure-AsyncOperation", s.operationURL(rq, op, false))
	a.set("Azure-AsyncNotification", "Enabled")
	if status == http.StatusAccepted {
		a.set("Location", s.operationURL(rq, op, true))
	}
	if op.retryAfter != "" {
		a.set("Retry-After", op.retryAfter)
	}
	return a
}

func (s *Server) operationURL(rq *request, op *operation, monitor bool) string {
	path := fmt.Sprintf("/subscriptions/%s/providers/%s/locations/%s/%s/%s",
		op.subscription, computeNamespace, s.state.regions[op.region].urlSegment(op.region), op.segment, op.id)
	if s.options.PlainURLs {
		query := "?api-version=" + url.QueryEscape(rq.apiVersion)
		if monitor {
			query += "&monitor=true"
		}
		return s.endpointOf(rq) + path + query
	}
	return s.endpointOf(rq) + s.signer.sign(path, rq.apiVersion, monitor, rq.now)
}

func (s *Server) getOperation(rq *request) answer {
	if !s.options.PlainURLs && !s.signer.verify(rq.http.URL.Path, rq.query) {
		return badSignature().answer()
	}
	op := s.state.operations[fold(rq.target.names[len(rq.target.names)-1])]
	if op == nil || op.vanished {
		return entityNotFound().answer()
	}
	if a, refused := s.limit(rq, op.region, op.id, op.limits()); refused {
		return a
	}
	if rq.query.Get("monitor") == "true" {
		return s.monitor(op)
	}
	return answer{status: http.StatusOK, body: op.view()}
}

// badSignature refuses a changed operation URL. What Azure says to one is not recorded.
func badSignature() *armError {
	return gatewayError(http.StatusForbidden, "AuthorizationFailed", "The signature of the operation URL is not valid.")
}

func (o *operation) limits() family {
	if o.segment == "capsOperations" {
		return getStatusLimit
	}
	return getOperationLimit
}

type operationView struct {
	StartTime string   `json:"startTime"`
	EndTime   string   `json:"endTime,omitempty"`
	Status    string   `json:"status"`
	Error     *opError `json:"error,omitempty"`

	Properties *operationOutput `json:"properties,omitempty"`

	Name string `json:"name"`
}

type operationOutput struct {
	Output any `json:"output"`
}

func (o *operation) view() operationView {
	v := operationView{StartTime: stamp(o.start), Status: "InProgress", Name: o.id}
	if !o.over {
		return v
	}
	v.EndTime, v.Status, v.Error = stamp(o.end), "Succeeded", o.failure
	if o.failure != nil {
		v.Status = "Failed"
	} else if o.output != nil {
		v.Properties = &operationOutput{o.output()}
	}
	return v
}

// monitor answers the operation's Location: 202 until the end, then what the call itself would have
// said.
func (s *Server) monitor(op *operation) answer {
	switch {
	case !op.over:
		a := answer{status: http.StatusAccepted}
		a.set("Retry-After", strconv.Itoa(int(max(1, min(10, op.end.Sub(op.start)/time.Second)))))
		return a
	case op.failure != nil: // not recorded
		return (&armError{status: http.StatusConflict, Code: op.failure.Code, Message: op.failure.Message}).answer()
	}
	if op.output != nil {
		return answer{status: http.StatusOK, body: op.output()}
	}
	return answer{status: http.StatusOK}
}

// FailNext makes the next operation on the resource end Failed with the code and message.
func (s *Server) FailNext(resourceID, code, message string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.failures[fold(resourceID)] = opError{Code: code, Message: message}
}

func newGUID() string { return uuid.NewString() }
