package arm_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"goldmint/emulator/arm"
)

const version = "?api-version=2026-04-01"

// reply is an answer as it comes over the wire.
type reply struct {
	status int
	header http.Header
	text   string
}

// call sends a request whose URL is the server's endpoint and rest, with a token.
func call(t *testing.T, s *arm.Server, method, rest, body string) reply {
	t.Helper()
	return send(t, s, newRequest(t, method, s.Endpoint()+rest, body))
}

func newRequest(t *testing.T, method, url, body string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer a-token")
	r.Header.Set("Content-Type", "application/json")
	return r
}

func send(t *testing.T, s *arm.Server, r *http.Request) reply {
	t.Helper()
	resp, err := s.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{resp.StatusCode, resp.Header, string(text)}
}

// json is the body, decoded.
func (r reply) json(t *testing.T) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal([]byte(r.text), &v); err != nil {
		t.Fatalf("%v in %q", err, r.text)
	}
	return v
}

// refused fails the test unless the answer is the error.
func (r reply) refused(t *testing.T, status int, code, message string) {
	t.Helper()
	var body struct {
		Error struct{ Code, Message string }
	}
	if err := json.Unmarshal([]byte(r.text), &body); err != nil {
		t.Fatalf("%v in %q", err, r.text)
	}
	if r.status != status || body.Error.Code != code || !strings.Contains(body.Error.Message, message) {
		t.Errorf("got %d %s: %s\nwant %d %s: …%s…", r.status, body.Error.Code, body.Error.Message, status, code, message)
	}
}
