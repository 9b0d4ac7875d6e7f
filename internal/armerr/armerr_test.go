package armerr

import (
	"testing"
)

// TestClass is the table of what ARM's errors mean. The codes, statuses and their pairs are
// Azure's, recorded or reported.
func TestClass(t *testing.T) {
	throttling := []Detail{{Code: "TooManyRequests", Target: "CreateImages3Min"}}
	for _, c := range []struct {
		name    string
		status  int
		code    string
		details []Detail
		want    Class
	}{
		{"throttled by compute", 429, "OperationNotAllowed", throttling, Throttled},
		{"throttled by compute, code alone", 429, "TooManyRequests", nil, Throttled},
		{"throttled by ARM", 429, "SubscriptionRequestsThrottled", nil, Throttled},
		{"throttled within an operation", 200, "OperationNotAllowed", throttling, Throttled},
		{"no answer", 0, "", nil, Transient},
		{"request timeout", 408, "", nil, Transient},
		{"internal error", 500, "InternalServerError", nil, Transient},
		{"several errors", 500, "MultipleErrorsOccurred", nil, Transient},
		{"bad gateway without a body", 502, "", nil, Transient},
		{"service unavailable", 503, "ServiceUnavailable", nil, Transient},
		{"resource read failed", 504, "ResourceReadFailed", nil, Transient},
		{"operation: internal execution error", 200, "InternalExecutionError", nil, Transient},
		{"concurrent request", 409, "Conflict", nil, Transient},
		{"concurrent write", 409, "ConflictingConcurrentWriteNotAllowed", nil, Transient},
		{"letter case", 409, "conflict", nil, Transient},
		{"role not there yet", 403, "AuthorizationFailed", nil, MayHeal},
		{"role on a linked resource not there yet", 403, "LinkedAuthorizationFailed", nil, MayHeal},
		{"token not taken", 401, "InvalidAuthenticationToken", nil, MayHeal},
		{"source VM missing", 404, "NotFound", nil, MayHeal},
		{"resource missing", 404, "ResourceNotFound", nil, MayHeal},
		{"resource group missing", 404, "ResourceGroupNotFound", nil, MayHeal},
		{"property change", 409, "PropertyChangeNotAllowed", nil, Transient},
		{"VM not generalized, Trusted Launch, quota", 409, "OperationNotAllowed", nil, Final},
		{"policy", 403, "RequestDisallowedByPolicy", nil, Final},
		{"subscription missing, or a role just assigned", 404, "SubscriptionNotFound", nil, MayHeal},
		{"definition just made", 404, "ParentResourceNotFound", nil, MayHeal},
		{"404 that says no more", 404, "", nil, MayHeal},
		{"409 that says no more", 409, "", nil, MayHeal},
		{"accepted where an answer was due", 202, "", nil, Transient},
		{"redirected", 307, "", nil, MayHeal},
		{"operation: disk service", 200, "DiskServiceInternalError", nil, Transient},
		{"operation: disk management", 200, "InternalDiskManagementError", nil, Transient},
		{"operation: gallery snapshot", 200, "InvalidBeginGetAccessForGalleryImageVersionSnapshotResponseFromPIR", nil, Transient},
		{"operation: canceled", 200, "OperationCanceled", nil, Transient},
		{"disk on its way off a VM", 409, "AttachDiskWhileBeingDetached", nil, Transient},
		{"busy", 503, "ServerBusy", nil, Transient},
		{"resource group going", 409, "ResourceGroupBeingDeleted", nil, Final},
		{"locked", 409, "ScopeLocked", nil, Final},
		{"blocked before its end of life", 409, "DeleteGalleryImageVersionBlockedBeforeEndOfLife", nil, Final},
		{"source too large", 200, "GallerySourceResourceExceedsMaxSize", nil, Final},
		{"invalid parameter", 400, "InvalidParameter", nil, Final},
		{"id without a slash", 400, "LinkedInvalidPropertyId", nil, Final},
		{"operation: blob missing", 200, "ImageBlobNotFound", nil, Final},
		{"operation: invalid parameter", 200, "InvalidParameter", nil, Final},
		{"operation: not supported", 200, "NotSupported", nil, Final},
		{"what nobody knows", 418, "Teapot", nil, Final},
	} {
		e := &Error{Status: c.status, Code: c.code, Details: c.details}
		if got := e.Class(); got != c.want {
			t.Errorf("%s (%d %s): %q, want %q", c.name, c.status, c.code, got, c.want)
		}
	}
}

// TestWordsOfTheMessage: without a known code the words of the message decide.
func TestWordsOfTheMessage(t *testing.T) {
	for message, want := range map[string]Class{
		"Gallery replication jobs failed in one or more regions. The failing regions' details are as follows: '{region:northeurope}'.": Transient,
		"Too many requests on source '/x'. Please reduce the number of requests on the source or wait some time before retrying":       Throttled,
		"An internal problem occurred. Please retry later.":                                                                            Transient,
		"Please try again after some time.":                                                        Transient,
		"The image name is invalid. Please correct it and try again.":                              Final,
		"The subscription is not registered. Please register it and retry.":                        Final,
		"Source was not found: /x. Please make sure the source exists":                             Final,
		"the resource group of the request that you are to retry in the afternoon does not exist.": Final,
	} {
		if got := (&Error{Status: 400, Code: "BadRequest", Message: message}).Class(); got != want {
			t.Errorf("%q: %q, want %q", message, got, want)
		}
	}
}

// TestAbsentTakesA404: the same code with another status does not mean absence. It may come from a
// gateway that cannot reach the service.
func TestAbsentTakesA404(t *testing.T) {
	for _, c := range []struct {
		status int
		code   string
		want   bool
	}{
		{404, "ResourceNotFound", true},
		{404, "NotFound", true},
		{404, "ResourceGroupNotFound", true},
		{404, "ParentResourceNotFound", true},
		{404, "SubscriptionNotFound", false},
		{404, "", false},
		{502, "NotFound", false},
		{400, "ResourceNotFound", false},
		{200, "ResourceNotFound", false},
	} {
		if got := (&Error{Status: c.status, Code: c.code}).Absent(); got != c.want {
			t.Errorf("%d %s: absent %v, want %v", c.status, c.code, got, c.want)
		}
	}
}
