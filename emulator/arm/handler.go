package arm

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"
)

// maxBody is the largest request ARM takes.
const maxBody = 4 << 20

// request is one call while it is handled.
type request struct {
	http       *http.Request
	query      url.Values
	body       []byte
	target     target
	apiVersion string
	now        time.Time
	id         string // x-ms-request-id, which is also the id of the operation that the call starts
	correlate  string // x-ms-correlation-request-id
	limits     http.Header
	actions    []Action // ended by the call itself
}

// answer is the answer to a call. Its body is JSON; nil means no body.
type answer struct {
	status int
	body   any
	header http.Header
	after  time.Time // the answer does not leave before
}

func (a *answer) set(key, value string) {
	if a.header == nil {
		a.header = http.Header{}
	}
	a.header.Set(key, value)
}

// render makes the body's JSON while the state it shows stands still.
func (a *answer) render() {
	if a.body == nil {
		return
	}
	text, err := json.Marshal(a.body)
	if err != nil {
		panic("arm: a body that is not JSON: " + err.Error())
	}
	a.body = json.RawMessage(text)
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.options.Intercept != nil {
		if h := s.options.Intercept(r); h != nil {
			h.ServeHTTP(w, r)
			return
		}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	rq := &request{http: r, query: r.URL.Query(), body: body, id: uuid.NewString(), limits: http.Header{}}
	rq.correlate = r.Header.Get("x-ms-correlation-request-id")
	if rq.correlate == "" {
		rq.correlate = uuid.NewString()
	}
	var a answer
	call := Call{Method: r.Method, Path: r.URL.Path, Client: r.UserAgent()}
	var fault fault
	if err != nil {
		a = unreadable(err).answer()
	} else {
		a, fault = s.handle(rq, &call)
	}
	// The caller may leave while it waits, but what ARM has accepted still happens.
	if s.clock.wait(r.Context(), a.after, nil) != nil {
		fault = reset
	}
	s.record(call, rq.now, a.status)
	if fault.cutsConnection() {
		cut(w)
	}
	s.write(w, rq, a)
}

func unreadable(err error) *armError {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return gatewayError(http.StatusRequestEntityTooLarge, "RequestContentTooLarge",
			"The request content size exceeds the maximum size of '%d' bytes.", tooLarge.Limit)
	}
	return invalidContent("The request content could not be read.")
}

// handle reads the state, changes it and returns the answer, under one lock.
func (s *Server) handle(rq *request, call *Call) (answer, fault) {
	s.mu.Lock()
	rq.now = s.clock.now()
	s.endDue()
	a, fault := s.dispatch(rq, call)
	a.render()
	s.state.ended = append(s.state.ended, rq.actions...)
	s.mu.Unlock()
	if len(rq.actions) > 0 {
		s.settle()
	}
	return a, fault
}

func (s *Server) dispatch(rq *request, call *Call) (answer, fault) {
	rt, bad := s.admit(rq)
	call.Action = rt.action
	if bad != nil {
		return bad.answer(), none
	}
	fault := s.injector.pick(s.subject(rq))
	if a, ok := s.injector.answer(fault, rq); ok {
		return a, fault
	}
	return rt.handle(s, rq), fault
}

// admit is ARM's front end: it checks the caller, the api-version and the resource.
func (s *Server) admit(rq *request) (route, *armError) {
	if isMetadata(rq.http) {
		return route{handle: (*Server).metadata}, nil
	}
	if bad := s.authenticate(rq.http.Header.Get("Authorization")); bad != nil {
		return route{}, bad
	}
	if rt, ok := s.wide(rq); ok {
		return s.admitWide(rq, rt)
	}
	if rt, ok := lockRoute(rq.http); ok {
		return s.admitWide(rq, rt)
	}
	t, bad := parseTarget(rq.http.URL.Path)
	if bad != nil {
		return route{}, bad
	}
	rq.target = t
	rt, bad := s.route(rq.http.Method, t)
	if bad != nil {
		return rt, bad
	}
	if !s.options.permits(rt.action) {
		return rt, forbiddenAction(rt.action, rq)
	}
	if bad := rq.checkVersion(); bad != nil {
		return rt, bad
	}
	if !validSubscription(t.subscription) {
		return rt, gatewayError(http.StatusBadRequest, "InvalidSubscriptionId",
			"The provided subscription identifier '%s' is malformed or invalid.", t.subscription)
	}
	if bad := s.admitGroup(rq); bad != nil {
		return rt, bad
	}
	return rt, s.admitLock(rq)
}

// admitWide admits requests that are not for a single provider.
func (s *Server) admitWide(rq *request, rt route) (route, *armError) {
	if segments := strings.Split(strings.Trim(rq.http.URL.Path, "/"), "/"); len(segments) > 1 {
		rq.target.subscription = segments[1]
	}
	if !s.options.permits(rt.action) {
		return rt, forbiddenAction(rt.action, rq)
	}
	return rt, rq.checkVersion()
}

func (s *Server) authenticate(header string) *armError {
	scheme, token, _ := strings.Cut(header, " ")
	token = strings.TrimSpace(token)
	switch {
	case header == "":
		return unauthorized("AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing.",
			"The authentication failed because of missing 'Authorization' header.")
	case !strings.EqualFold(scheme, "Bearer") || token == "":
		return unauthorized("AuthenticationFailedInvalidHeader", "Authentication failed. The 'Authorization' header is provided in an invalid format.",
			"The authentication failed because of an invalid 'Authorization' header.")
	case s.options.Authorize != nil && !s.options.Authorize(token):
		return unauthorized("InvalidAuthenticationToken", "The access token is invalid.", "The access token is invalid.")
	}
	return nil
}

func (rq *request) checkVersion() *armError {
	rq.apiVersion = rq.query.Get("api-version")
	if rq.apiVersion == "" {
		return gatewayError(http.StatusBadRequest, "MissingApiVersionParameter",
			"The api-version query parameter (?api-version=) is required for all requests.")
	}
	day, preview, dated := strings.Cut(rq.apiVersion, "-preview")
	if _, err := time.Parse(time.DateOnly, day); err != nil || (dated && preview != "") {
		return gatewayError(http.StatusBadRequest, "InvalidApiVersionParameter", "The api-version '%s' is invalid.", rq.apiVersion)
	}
	return nil
}

// decode reads a JSON body into v. Members that v does not have are refused, as compute does.
func (rq *request) decode(v any) *armError {
	if len(bytes.TrimSpace(rq.body)) == 0 {
		return invalidContent("The request content is empty.")
	}
	d := json.NewDecoder(bytes.NewReader(rq.body))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return invalidContent(unreadableJSON(err))
	}
	if _, err := d.Token(); err != io.EOF {
		return invalidContent("Additional text was found after the end of the content.")
	}
	return nil
}

func unreadableJSON(err error) string {
	if member, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return "Could not find member " + member + " on the object."
	}
	return strings.TrimPrefix(err.Error(), "json: ")
}

func (s *Server) write(w http.ResponseWriter, rq *request, a answer) {
	h := w.Header()
	h.Set("Date", s.clock.now().Format(http.TimeFormat))
	h.Set("Cache-Control", "no-cache")
	h.Set("Pragma", "no-cache")
	h.Set("Expires", "-1")
	h.Set("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("x-ms-request-id", rq.id)
	h.Set("x-ms-correlation-request-id", rq.correlate)
	if id := rq.http.Header.Get("x-ms-client-request-id"); id != "" && strings.EqualFold(rq.http.Header.Get("x-ms-return-client-request-id"), "true") {
		h.Set("x-ms-client-request-id", id)
	}
	for _, extra := range []http.Header{rq.limits, a.header} {
		for key, values := range extra {
			h[key] = values
		}
	}
	if a.body == nil {
		h.Set("Content-Length", "0")
		w.WriteHeader(a.status)
		return
	}
	text, ok := a.body.(json.RawMessage)
	if !ok {
		a.render()
		text = a.body.(json.RawMessage)
	}
	h.Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(a.status)
	_, _ = w.Write(text) // the caller has gone: nobody would get the error
}
