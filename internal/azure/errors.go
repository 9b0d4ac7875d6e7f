package azure

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"

	"goldmint/internal/build"
	"goldmint/internal/event"
	"goldmint/internal/pace"
)

// armError puts whatever azcore returned into the build's words, or is nil for nil. URLs stay out of it: an operation's
// URL is a capability.
func armError(err error) *build.ARMError {
	if err == nil {
		return nil
	}
	var answered *azcore.ResponseError
	if !errors.As(err, &answered) {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err
		}
		return build.Unreachable(err)
	}
	e := &build.ARMError{Status: answered.StatusCode, Code: answered.ErrorCode}
	if r := answered.RawResponse; r != nil {
		e.RetryAfter, e.Left = retryAfter(r), left(r)
		if w := readError(r); w != nil {
			w.fill(e)
		}
	}
	return e
}

// wireError is ARM's error as it travels.
type wireError struct {
	Code    string      `json:"code"`
	Message string      `json:"message"`
	Target  string      `json:"target"`
	Details []wireError `json:"details"`
}

// readError reads the error of an answer: under "error", or, as compute's throttling does, at the top.
func readError(r *http.Response) *wireError {
	body, err := runtime.Payload(r)
	if err != nil {
		return nil
	}
	var wrapped struct {
		Error *wireError `json:"error"`
	}
	_ = json.Unmarshal(body, &wrapped) // a field of an odd type leaves the others readable
	if wrapped.Error != nil {
		return wrapped.Error
	}
	var bare wireError
	_ = json.Unmarshal(body, &bare)
	if bare.Code == "" {
		return nil
	}
	return &bare
}

func (w *wireError) fill(e *build.ARMError) {
	if w.Code != "" {
		e.Code = w.Code
	}
	e.Message, e.Target = w.Message, w.Target
	e.Details = w.details(nil)
}

// details lays the nested details out one after another.
func (w *wireError) details(to []event.Detail) []event.Detail {
	for _, d := range w.Details {
		to = append(to, event.Detail{Code: d.Code, Target: d.Target, Message: d.Message})
		to = d.details(to)
	}
	return to
}

// armError is the error of a failed operation, which ARM answers with status 200.
func (w *wireError) armError(r *http.Response) *build.ARMError {
	e := &build.ARMError{Status: http.StatusOK, RetryAfter: retryAfter(r)}
	if w == nil {
		e.Code, e.Message = "OperationFailed", "the operation failed and ARM does not say why"
		return e
	}
	w.fill(e)
	return e
}

// isAbsent says that what was asked for does not exist. A subscription that does not exist is another matter.
func isAbsent(e *build.ARMError) bool {
	switch e.Code {
	case "ResourceNotFound", "NotFound", "ResourceGroupNotFound":
		return e.Status == http.StatusNotFound
	}
	return false
}

// left is what the answer says of ARM's allowance.
func left(r *http.Response) []pace.Allowance {
	if r == nil {
		return nil
	}
	return pace.Parse(strings.Join(r.Header.Values("x-ms-ratelimit-remaining-resource"), ","))
}

// date is the clock of whoever answered, zero where it does not tell.
func date(r *http.Response) time.Time {
	if r == nil {
		return time.Time{}
	}
	t, err := http.ParseTime(r.Header.Get("Date"))
	if err != nil {
		return time.Time{}
	}
	return t
}

// retryAfter is how long the answer asks to wait: milliseconds, seconds or a date.
func retryAfter(r *http.Response) time.Duration {
	for _, h := range []string{"Retry-After-Ms", "X-Ms-Retry-After-Ms"} {
		if ms, err := strconv.ParseInt(r.Header.Get(h), 10, 32); err == nil && ms > 0 {
			return time.Duration(ms) * time.Millisecond
		}
	}
	h := r.Header.Get("Retry-After")
	if s, err := strconv.ParseInt(h, 10, 32); err == nil && s > 0 {
		return time.Duration(s) * time.Second
	}
	if t, err := http.ParseTime(h); err == nil {
		if now := date(r); !now.IsZero() && t.After(now) {
			return t.Sub(now)
		}
	}
	return 0
}
