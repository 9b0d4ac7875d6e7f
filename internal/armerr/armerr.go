package build

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"goldmint/internal/event"
	"goldmint/internal/pace"
)

// ARMError is what Azure Resource Manager, or the way to it, answered instead of what was asked for.
type ARMError struct {
	Status     int // HTTP status; 200 for an operation that failed; 0 when no answer came
	Code       string
	Message    string
	Target     string
	Details    []event.Detail
	RetryAfter time.Duration // 0 where ARM does not say
	Left       []pace.Allowance
}

func (e *ARMError) Error() string {
	if e.Status == 0 {
		return "no answer from Resource Manager: " + e.Message
	}
	return fmt.Sprintf("resource manager answered %d %s: %s", e.Status, e.Code, e.Message)
}

// Meaning is what an error asks of the build.
type Meaning string

// The meanings. Retry and Throttled last as long as MAX_WAIT, Doubtful a few times.
const (
	Retry     Meaning = "retry"       // trouble that passes: try again later, backing off
	Throttled Meaning = "throttled"   // past a limit: when Retry-After says
	Doubtful  Meaning = "retry a few" // may be young: a role assignment, a resource just made
	Conflict  Meaning = "look"        // somebody else wrote: look at the image, then decide
	Final     Meaning = "fail"        // asking again changes nothing
)

// Meaning is the one place that decides what an ARM error means. Its test is a table of Azure's codes, recorded or reported.
func (e *ARMError) Meaning() Meaning {
	code := strings.ToLower(e.Code)
	switch {
	case e.Status == 429 || e.mentions("toomanyrequests", "subscriptionrequeststhrottled"):
		return Throttled
	case e.Status == 0 || e.Status == 408 || e.Status >= 500:
		return Retry
	case oneOf(code, "internalexecutionerror", "internalservererror", "internaloperationerror", "servertimeout",
		"operationtimedout", "gatewaytimeout", "serviceunavailable", "resourcereadfailed", "allocationfailed"):
		return Retry
	case oneOf(code, "conflict", "conflictingconcurrentwritenotallowed", "retryableerror", "anotheroperationinprogress",
		"operationpreempted", "operationpreemptedbymoreresentoperation"):
		return Retry
	case code == "propertychangenotallowed":
		return Conflict
	case e.Status == 401, e.Status == 403 && oneOf(code, "", "authorizationfailed", "linkedauthorizationfailed", "forbidden"):
		return Doubtful
	case oneOf(code, "notfound", "resourcenotfound", "resourcegroupnotfound"):
		return Doubtful
	default:
		return Final
	}
}

// mentions says whether the code, or the code of a detail, is one of the lower-case codes.
func (e *ARMError) mentions(codes ...string) bool {
	if oneOf(strings.ToLower(e.Code), codes...) {
		return true
	}
	for _, d := range e.Details {
		if oneOf(strings.ToLower(d.Code), codes...) {
			return true
		}
	}
	return false
}

// failure keeps the error for the failed event.
func (e *ARMError) failure() *Failure {
	m := e.Meaning()
	code := e.Code
	switch {
	case code != "":
	case e.Status == 0:
		code = "ResourceManagerUnreachable"
	default:
		code = fmt.Sprintf("Http%d", e.Status)
	}
	return &Failure{
		Error: event.Error{
			Code: code, Message: e.Message, Target: e.Target, Details: e.Details,
			Retryable: m == Retry || m == Throttled,
		}.Bounded(), // it travels in continuations
		Final: m == Final,
	}
}

// Unreachable is the error of a request that got no answer.
func Unreachable(err error) *ARMError {
	message := err.Error()
	var op *net.OpError
	if errors.As(err, &op) {
		message = op.Err.Error()
	}
	return &ARMError{Message: message}
}

func oneOf(s string, list ...string) bool { return slices.Contains(list, s) }
