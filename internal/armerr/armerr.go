// Package armerr is Azure Resource Manager's error, and the one place that decides how to react to
// it.
//
// [Error.Class] goes by rules, not by a list of codes, because no list of Azure's codes is
// complete. The words in a code say whether to try again.
package armerr

import (
	"errors"
	"fmt"
	"net"
	"regexp"
	"strings"
	"time"

	"goldmint/internal/ratelimit"
)

// Error is the error that Resource Manager returned, or that the network did on the way to it.
type Error struct {
	Status     int // HTTP status; 200 for an operation that failed; 0 when no answer came
	Code       string
	Message    string
	Target     string
	Details    []Detail
	RetryAfter time.Duration     // 0 where ARM does not say
	Left       []ratelimit.Limit // what remains of the limits
}

// Detail is one of the errors below an error.
type Detail struct{ Code, Target, Message string }

func (e *Error) Error() string {
	if e.Status == 0 {
		return "no answer from Resource Manager: " + e.Message
	}
	return fmt.Sprintf("resource manager answered %d %s: %s", e.Status, e.Code, e.Message)
}

// Reason is the error in a few words, for a log line and the reason of a wait.
func (e *Error) Reason() string {
	if e.Status == 0 {
		return "no answer"
	}
	return strings.TrimSpace(fmt.Sprintf("%d %s", e.Status, e.Code))
}

// Name is the error's code, or a substitute where there is no code.
func (e *Error) Name() string {
	switch {
	case e.Code != "":
		return e.Code
	case e.Status == 0:
		return "ResourceManagerUnreachable"
	}
	return fmt.Sprintf("Http%d", e.Status)
}

// Unreachable is the error of a request that got no answer.
func Unreachable(err error) *Error {
	message := err.Error()
	var op *net.OpError
	if errors.As(err, &op) {
		message = op.Err.Error()
	}
	return &Error{Message: message}
}

// Class says how to react to an error.
type Class string

// The classes. Transient and Throttled last as long as MAX_WAIT, MayHeal a few minutes at most.
const (
	Transient Class = "transient" // it passes: try again later, backing off
	Throttled Class = "throttled" // past a limit: try again when Retry-After says
	MayHeal   Class = "may heal"  // a role assignment or a resource may be too young to be seen everywhere
	Final     Class = "final"     // trying again changes nothing
)

// Retryable says that the same request may succeed later, with nothing changed.
func (c Class) Retryable() bool { return c == Transient || c == Throttled }

// Class is the class of the error. Its test is a table of Azure's codes, recorded or reported.
func (e *Error) Class() Class {
	code := strings.ToLower(e.Code)
	switch {
	case e.Status == 429, e.hasCode("toomanyrequests", "subscriptionrequeststhrottled"), strings.Contains(strings.ToLower(e.Message), "too many requests"):
		return Throttled
	case e.Status == 0, e.Status == 202, e.Status == 408, e.Status >= 500:
		return Transient
	case transientCode.MatchString(code), retryLater.MatchString(e.Message):
		return Transient
	case e.Status == 401, e.Status == 403 && (code == "" || youngRole.MatchString(code)):
		return MayHeal
	case absent.MatchString(code), code == "" && (e.Status == 404 || e.Status == 409), e.Status == 412, e.Status >= 300 && e.Status < 400:
		return MayHeal
	}
	return Final
}

var (
	// transientCode matches the codes of Azure's internal errors, and of conflicts between two
	// requests.
	transientCode = regexp.MustCompile(`^internal|internal.*error|^invalidbegingetaccess|servererror|timeout|timedout|temporar|transient|retryable|tryagain|retrylater|` +
		`unavailable|serverbusy|readfailed|allocationfailed|preempted|throttl|cancell?ed$|beingdetached|` +
		`^conflict$|^conflicting|concurrent|anotheroperationinprogress|moveinprogress|^propertychangenotallowed$`)
	// retryLater matches the messages that ask to try again later. "Try again" alone asks for a
	// correction.
	retryLater = regexp.MustCompile(`(?i)re-?try (the (request|operation) )?(later|after|in a few)|try again (later|after|in a few)|before retrying|if retry does not work|replication jobs failed`)
	// youngRole are the codes of a missing right. A role assignment takes minutes to reach every
	// front end.
	youngRole = regexp.MustCompile(`^(authorizationfailed|linkedauthorizationfailed|forbidden)$`)
	// absent are the codes of a missing resource. One that was just created may be missing for a
	// moment.
	absent = regexp.MustCompile(`^(notfound|resourcenotfound|resourcegroupnotfound|parentresourcenotfound|subscriptionnotfound)$`)
)

// Absent reports whether the requested resource does not exist. A missing subscription does not
// count, and neither does a 404 without a known code, because it may come from a gateway.
func (e *Error) Absent() bool {
	switch strings.ToLower(e.Code) {
	case "resourcenotfound", "notfound", "resourcegroupnotfound", "parentresourcenotfound":
		return e.Status == 404
	}
	return false
}

// OfRole reports whether a recent role assignment may be the reason: it takes minutes to be seen
// everywhere.
func (e *Error) OfRole() bool {
	return e.Status == 401 || e.Status == 403 || strings.EqualFold(e.Code, "SubscriptionNotFound")
}

// hasCode reports whether the code, or the code of a detail, is one of the lower-case codes.
func (e *Error) hasCode(codes ...string) bool {
	for _, c := range codes {
		if strings.EqualFold(e.Code, c) {
			return true
		}
		for _, d := range e.Details {
			if strings.EqualFold(d.Code, c) {
				return true
			}
		}
	}
	return false
}
