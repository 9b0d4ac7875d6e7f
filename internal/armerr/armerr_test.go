package build

import (
	"testing"

	"goldmint/internal/event"
)

// TestMeaning is the table of what ARM's errors mean. The codes, statuses and their pairs are Azure's, recorded or
// reported.
func TestMeaning(t *testing.T) {
	throttling := []event.Detail{{Code: "TooManyRequests", Target: "CreateImages3Min"}}
	for _, c := range []struct {
		name    string
		status  int
		code    string
		details []event.Detail
		want    Meaning
	}{
		{"throttled by compute", 429, "OperationNotAllowed", throttling, Throttled},
		{"throttled by compute, code alone", 429, "TooManyRequests", nil, Throttled},
		{"throttled by ARM", 429, "SubscriptionRequestsThrottled", nil, Throttled},
		{"throttled within an operation", 200, "OperationNotAllowed", throttling, Throttled},
		{"no answer", 0, "", nil, Retry},
		{"request timeout", 408, "", nil, Retry},
		{"internal error", 500, "InternalServerError", nil, Retry},
		{"several errors", 500, "MultipleErrorsOccurred", nil, Retry},
		{"bad gateway without a body", 502, "", nil, Retry},
		{"service unavailable", 503, "ServiceUnavailable", nil, Retry},
		{"resource read failed", 504, "ResourceReadFailed", nil, Retry},
		{"operation: internal execution error", 200, "InternalExecutionError", nil, Retry},
		{"concurrent request", 409, "Conflict", nil, Retry},
		{"concurrent write", 409, "ConflictingConcurrentWriteNotAllowed", nil, Retry},
		{"letter case", 409, "conflict", nil, Retry},
		{"role not there yet", 403, "AuthorizationFailed", nil, Doubtful},
		{"role on a linked resource not there yet", 403, "LinkedAuthorizationFailed", nil, Doubtful},
		{"token not taken", 401, "InvalidAuthenticationToken", nil, Doubtful},
		{"source VM missing", 404, "NotFound", nil, Doubtful},
		{"resource missing", 404, "ResourceNotFound", nil, Doubtful},
		{"resource group missing", 404, "ResourceGroupNotFound", nil, Doubtful},
		{"property change", 409, "PropertyChangeNotAllowed", nil, Conflict},
		{"VM not generalized, Trusted Launch, quota", 409, "OperationNotAllowed", nil, Final},
		{"policy", 403, "RequestDisallowedByPolicy", nil, Final},
		{"subscription missing", 404, "SubscriptionNotFound", nil, Final},
		{"invalid parameter", 400, "InvalidParameter", nil, Final},
		{"id without a slash", 400, "LinkedInvalidPropertyId", nil, Final},
		{"operation: blob missing", 200, "ImageBlobNotFound", nil, Final},
		{"operation: invalid parameter", 200, "InvalidParameter", nil, Final},
		{"operation: not supported", 200, "NotSupported", nil, Final},
		{"what nobody knows", 418, "Teapot", nil, Final},
	} {
		e := &ARMError{Status: c.status, Code: c.code, Details: c.details}
		if got := e.Meaning(); got != c.want {
			t.Errorf("%s (%d %s): %q, want %q", c.name, c.status, c.code, got, c.want)
		}
	}
}
