package blob

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxBody is far more than any document, and far less than Azure accepts in one request.
const maxBody = 8 << 20

// refusal is an error in Azure's words. Source: "Blob service error codes" and "Common REST API
// error codes" of Azure Storage's REST reference.
type refusal struct {
	status  int
	code    string
	message string
}

var (
	noAuthentication  = &refusal{http.StatusUnauthorized, "NoAuthenticationInformation", "Server failed to authenticate the request. Please refer to the information in the www-authenticate header."}
	badAuthentication = &refusal{http.StatusUnauthorized, "InvalidAuthenticationInfo", "Server failed to authenticate the request. Please refer to the information in the www-authenticate header."}
	mismatch          = &refusal{http.StatusForbidden, "AuthorizationPermissionMismatch", "This request is not authorized to perform this operation using this permission."}
	invalidURI        = &refusal{http.StatusBadRequest, "InvalidUri", "The requested URI does not represent any resource on the server."}
	missingHeader     = &refusal{http.StatusBadRequest, "MissingRequiredHeader", "An HTTP header that's mandatory for this request is not specified."}
	invalidHeader     = &refusal{http.StatusBadRequest, "InvalidHeaderValue", "The value for one of the HTTP headers is not in the correct format."}
	tooLarge          = &refusal{http.StatusRequestEntityTooLarge, "RequestBodyTooLarge", "The request body is too large and exceeds the maximum permissible limit."}
	noContainer       = &refusal{http.StatusNotFound, "ContainerNotFound", "The specified container does not exist."}
	containerExists   = &refusal{http.StatusConflict, "ContainerAlreadyExists", "The specified container already exists."}
	noBlob            = &refusal{http.StatusNotFound, "BlobNotFound", "The specified blob does not exist."}
	blobExists        = &refusal{http.StatusConflict, "BlobAlreadyExists", "The specified blob already exists."}
	conditionNotMet   = &refusal{http.StatusPreconditionFailed, "ConditionNotMet", "The condition specified using HTTP conditional header(s) is not met."}
	unsupportedVerb   = &refusal{http.StatusMethodNotAllowed, "UnsupportedHttpVerb", "The resource doesn't support specified Http Verb."}
)

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	faults := s.faults
	s.mu.Unlock()
	if !wait(r, faults.Delay) || faults.Unreachable {
		panic(http.ErrAbortHandler) // closes the connection without an answer
	}
	h := w.Header()
	h.Set("Server", "Windows-Azure-Blob/1.0 Microsoft-HTTPAPI/2.0")
	h.Set("x-ms-request-id", fmt.Sprintf("00000000-0000-0000-0000-%012x", time.Now().UnixNano()&0xffffffffffff))
	if v := r.Header.Get("x-ms-version"); v != "" {
		h.Set("x-ms-version", v)
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	e := s.authorize(r)
	if e == nil && err != nil {
		e = tooLarge
	}
	if e == nil {
		e = s.do(w, r, body)
	}
	if e != nil {
		e.write(w, r)
	}
}

func wait(r *http.Request, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-r.Context().Done():
		return false
	}
}

func (e *refusal) write(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("x-ms-error-code", e.code)
	if e.status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", "Bearer authorization_uri=https://login.microsoftonline.com/00000000-0000-0000-0000-000000000000/oauth2/authorize resource_id=https://storage.azure.com")
	}
	h.Set("Content-Type", "application/xml")
	w.WriteHeader(e.status)
	if r.Method != http.MethodHead {
		_, _ = fmt.Fprintf(w, "\ufeff<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>%s</Code><Message>%s\nRequestId:%s\nTime:%s</Message></Error>",
			e.code, e.message, h.Get("x-ms-request-id"), time.Now().UTC().Format("2006-01-02T15:04:05.0000000Z"))
	}
}

func (s *Server) authorize(r *http.Request) *refusal {
	token, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	s.mu.Lock()
	denied := s.faults.Denied
	s.mu.Unlock()
	switch {
	case !bearer:
		return noAuthentication
	case s.options.Authorize != nil && !s.options.Authorize(token):
		return badAuthentication
	case r.Header.Get("x-ms-version") == "": // tokens need one from 2017-11-09 on
		return missingHeader
	case denied:
		return mismatch
	}
	return nil
}

func (s *Server) do(w http.ResponseWriter, r *http.Request, body []byte) *refusal {
	path, found := strings.CutPrefix(r.URL.Path, "/"+s.options.Account+"/")
	container, name, isBlob := strings.Cut(path, "/")
	if !found || container == "" || isBlob == (r.URL.Query().Get("restype") == "container") {
		return invalidURI
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !isBlob {
		return s.doContainer(w, r, container)
	}
	blobs := s.containers[container]
	if blobs == nil {
		return noContainer
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		s.reads++
		return s.get(w, r, blobs[name])
	case http.MethodPut:
		s.writes++
		return s.put(w, r, blobs, name, body)
	case http.MethodDelete:
		if e := check(r, blobs[name]); e != nil {
			return e
		} else if blobs[name] == nil {
			return noBlob
		}
		delete(blobs, name)
		w.WriteHeader(http.StatusAccepted)
		return nil
	}
	return unsupportedVerb
}

func (s *Server) doContainer(w http.ResponseWriter, r *http.Request, name string) *refusal {
	there := s.containers[name] != nil
	switch {
	case r.Method == http.MethodPut && there:
		return containerExists
	case r.Method == http.MethodPut:
		s.containers[name] = map[string]*stored{}
		w.WriteHeader(http.StatusCreated)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		return unsupportedVerb
	case !there:
		return noContainer
	}
	return nil
}

func (s *Server) get(w http.ResponseWriter, r *http.Request, b *stored) *refusal {
	if b != nil && b.before != nil && s.chance(s.faults.Stale) {
		b = b.before
	}
	if b == nil {
		return noBlob
	}
	if e := check(r, b); e != nil {
		return e
	}
	b.describe(w)
	w.Header().Set("x-ms-blob-type", "BlockBlob")
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.Itoa(len(b.body)))
	if r.Method == http.MethodGet {
		_, _ = w.Write(b.body)
	}
	return nil
}

func (s *Server) put(w http.ResponseWriter, r *http.Request, blobs map[string]*stored, name string, body []byte) *refusal {
	switch {
	case r.Header.Get("x-ms-blob-type") == "":
		return missingHeader
	case r.Header.Get("x-ms-blob-type") != "BlockBlob":
		return invalidHeader
	}
	old := blobs[name]
	if r.Header.Get("If-None-Match") == "*" && old != nil {
		return blobExists
	}
	if e := check(r, old); e != nil {
		return e
	}
	s.write(blobs, name, body)
	if s.chance(s.faults.Lost) {
		panic(http.ErrAbortHandler)
	}
	blobs[name].describe(w)
	w.Header().Set("x-ms-request-server-encrypted", "true")
	w.WriteHeader(http.StatusCreated)
	return nil
}

// check compares If-Match with the blob. Azure answers that the condition is not met for a missing
// blob too.
func check(r *http.Request, b *stored) *refusal {
	if match := r.Header.Get("If-Match"); match != "" && (b == nil || match != "*" && match != b.etag) {
		return conditionNotMet
	}
	return nil
}

func (s *Server) write(blobs map[string]*stored, name string, body []byte) {
	s.versions++
	b := &stored{body: body, etag: fmt.Sprintf("\"0x8DE%011X\"", s.versions), modified: time.Now()}
	if old := blobs[name]; old != nil {
		before := *old
		before.before = nil
		b.before = &before
	}
	blobs[name] = b
}

func (b *stored) describe(w http.ResponseWriter) {
	w.Header().Set("ETag", b.etag)
	w.Header().Set("Last-Modified", b.modified.UTC().Format(http.TimeFormat))
}

func (s *Server) chance(p float64) bool { return p > 0 && s.random.Float64() < p }
