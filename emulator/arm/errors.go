package arm

import (
	"fmt"
	"net/http"
)

// armError is a refusal in Azure's form. It is an answer, never a Go error.
type armError struct {
	status  int
	gateway bool // from ARM itself rather than the compute provider: x-ms-failure-cause says so
	bare    bool // without the "error" wrapper, as compute's throttling is documented
	header  http.Header

	Code    string        `json:"code"`
	Message string        `json:"message"`
	Target  string        `json:"target,omitempty"`
	Details []errorDetail `json:"details,omitempty"`
}

type errorDetail struct {
	Code    string `json:"code"`
	Target  string `json:"target,omitempty"`
	Message string `json:"message"`
}

func (e *armError) answer() answer {
	a := answer{status: e.status, header: e.header, body: map[string]any{"error": e}}
	if e.bare {
		a.body = e
	}
	if e.gateway {
		a.set("x-ms-failure-cause", "gateway")
	}
	return a
}

// gatewayError is an error that ARM returns before the compute provider sees the request.
func gatewayError(status int, code, format string, args ...any) *armError {
	return &armError{status: status, gateway: true, Code: code, Message: fmt.Sprintf(format, args...)}
}

func computeError(status int, code, target, format string, args ...any) *armError {
	return &armError{status: status, Code: code, Target: target, Message: fmt.Sprintf(format, args...)}
}

func invalidParameter(target, format string, args ...any) *armError {
	return computeError(http.StatusBadRequest, "InvalidParameter", target, format, args...)
}

func missingParameter(name string) *armError {
	return invalidParameter(name, "Required parameter '%s' is missing (null).", name)
}

func invalidValue(name string) *armError {
	return invalidParameter(name, "The value of parameter %s is invalid.", name)
}

func notAllowed(format string, args ...any) *armError {
	return computeError(http.StatusConflict, "OperationNotAllowed", "", format, args...)
}

func changeNotAllowed(property string) *armError {
	return computeError(http.StatusConflict, "PropertyChangeNotAllowed", property, "Changing property '%s' is not allowed.", property)
}

// conflict is a refusal after which a client should try again.
func conflict() *armError {
	return computeError(http.StatusConflict, "Conflict", "", "The request failed due to conflict with a concurrent request. "+
		"To resolve it, please refer to https://aka.ms/activitylog to get more details on the conflicting requests.")
}

// entityNotFound is compute's own 404, as against resourceNotFound, which is the gateway's.
func entityNotFound() *armError {
	return computeError(http.StatusNotFound, "NotFound", "", "The entity was not found in this Azure location.")
}

func resourceNotFound(t target) *armError {
	named := t.namespace
	for i, name := range t.names {
		if i < len(t.types) {
			named += "/" + t.types[i] + "/" + name
		}
	}
	return gatewayError(http.StatusNotFound, "ResourceNotFound", "The Resource '%s' under resource group '%s' was not found. "+
		"For more details please go to https://aka.ms/ARMResourceNotFoundFix", named, t.group)
}

// notFound is the 404 of a missing resource. Right after a deletion the gateway still asks compute,
// so the first 404 has compute's words.
func (s *Server) notFound(t target, id string) *armError {
	if s.state.gone[fold(id)] {
		delete(s.state.gone, fold(id))
		return entityNotFound()
	}
	return resourceNotFound(t)
}

func invalidContent(reason string) *armError {
	return gatewayError(http.StatusBadRequest, "InvalidRequestContent",
		"The request content was invalid and could not be deserialized: '%s'.", reason)
}

// unauthorized is ARM's 401; cause is repeated in the challenge.
func unauthorized(code, message, cause string) *armError {
	e := gatewayError(http.StatusUnauthorized, code, "%s", message)
	e.header = http.Header{}
	e.header.Set("WWW-Authenticate", fmt.Sprintf(
		"Bearer authorization_uri=\"https://login.windows.net/%s\", error=\"invalid_token\", error_description=\"%s\"", tenantID, cause))
	return e
}
