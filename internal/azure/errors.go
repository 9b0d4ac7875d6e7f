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

	"goldmint/internal/armerr"
	"goldmint/internal/ratelimit"
)

// armError turns any error of azcore into an [armerr.Error], and nil into nil. It leaves URLs out,
// because an operation's URL grants access.
func armError(err error) *armerr.Error {
	if err == nil {
		return nil
	}
	var answered *azcore.ResponseError
	if !errors.As(err, &answered) {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err
		}
		return armerr.Unreachable(err)
	}
	e := &armerr.Error{Status: answered.StatusCode, Code: answered.ErrorCode}
	if r := answered.RawResponse; r != nil {
		e.RetryAfter, e.Left = retryAfter(r), left(r)
		if w := readError(r); w != nil {
			w.fill(e)
		}
	}
	return e
}

// wireError is ARM's error as JSON.
type wireError struct {
	Code    string      `json:"code"`
	Message string      `json:"message"`
	Target  string      `json:"target"`
	Details []wireError `json:"details"`
}

// readError reads the error of an answer: under "error", or, as compute's throttling does, at the
// top.
func readError(r *http.Response) *wireError {
	body, err := runtime.Payload(r)
	if err != nil {
		return nil
	}
	var wrapped struct {
		Error *wireError `json:"error"`
	}
	_ = json.Unmarshal(body, &wrapped) // after a field of a wrong type the others are still read
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

func (w *wireError) fill(e *armerr.Error) {
	if w.Code != "" {
		e.Code = w.Code
	}
	e.Message, e.Target = w.Message, w.Target
	e.Details = w.details(nil)
}

// details flattens the nested details into one list.
func (w *wireError) details(to []armerr.Detail) []armerr.Detail {
	for _, d := range w.Details {
		to = append(to, armerr.Detail{Code: d.Code, Target: d.Target, Message: d.Message})
		to = d.details(to)
	}
	return to
}

// armError is the error of a failed operation, which ARM answers with status 200.
func (w *wireError) armError(r *http.Response) *armerr.Error {
	e := &armerr.Error{Status: http.StatusOK, RetryAfter: retryAfter(r)}
	if w == nil {
		e.Code, e.Message = "OperationFailed", "the operation failed and ARM does not say why"
		return e
	}
	w.fill(e)
	return e
}

// left is what the answer says of ARM's limits.
func left(r *http.Response) []ratelimit.Limit {
	if r == nil {
		return nil
	}
	return ratelimit.Parse(strings.Join(r.Header.Values("x-ms-ratelimit-remaining-resource"), ","))
}

// date is the time in the answer's Date header, zero without one.
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
