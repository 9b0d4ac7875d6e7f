package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"

	"goldmint/internal/config"
	"goldmint/internal/message"
	"goldmint/internal/worker"
)

// functions are the functions of the app by name. The path that the host calls says which queue a
// message came from; nothing in the message does.
type functions map[string]func(context.Context, message.Received) error

// server speaks the custom-handler protocol of the Functions host.
type server struct {
	functions
	timeout time.Duration // for one invocation, from when it got its slot
	slots   chan struct{} // invocations at work at once
	drainage
	log *zap.Logger
}

func newServer(f functions, timeout time.Duration, concurrent int, log *zap.Logger) *server {
	return &server{functions: f, timeout: timeout, slots: make(chan struct{}, concurrent), drainage: newDrainage(), log: log}
}

// ServeHTTP answers every request with a JSON object: an empty answer, or one of another type,
// hangs or fails the host.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	handle := s.functions[strings.TrimPrefix(r.URL.Path, "/")]
	switch {
	case r.Method == http.MethodGet:
		answer(w, http.StatusOK, map[string]any{"status": "ready"})
	case r.Method == http.MethodPost && handle != nil:
		s.invoke(w, r, handle)
	default:
		answer(w, http.StatusNotFound, map[string]any{"error": "the functions of this handler are POST /take-request and POST /build-image"})
	}
}

func (s *server) invoke(w http.ResponseWriter, r *http.Request, handle func(context.Context, message.Received) error) {
	// The work goes on when the host closes the connection. It is bounded here, and stopping
	// halfway would save nothing.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), config.LongestLife)
	defer cancel()
	m := message.Received{InvocationID: r.Header.Get("X-Azure-Functions-Invocationid")}
	begun := false
	err := s.inTurn(ctx, func(ctx context.Context) error {
		begun = true
		return handleBody(ctx, body{r.Body, http.NewResponseController(w)}, &m, handle)
	})
	if begun {
		defer s.running.Done() // the answer is out
	}
	if err != nil {
		s.log.Error("invocation_failed", zap.String("invocationId", m.InvocationID), zap.Error(err))
		s.holdBack(ctx, m.DeliveryCount)
		answer(w, http.StatusInternalServerError, map[string]any{"error": err.Error()})
		return
	}
	answer(w, http.StatusOK, map[string]any{"Outputs": map[string]any{}, "Logs": []string{}, "ReturnValue": nil})
}

// inTurn does the work once a slot is free. The time limit of the work begins then; the rest of the
// invocation's life bounds the wait.
func (s *server) inTurn(ctx context.Context, work func(context.Context) error) error {
	wait, cancelWait := context.WithTimeout(ctx, config.LongestLife-s.timeout)
	defer cancelWait()
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
		if !s.begin() {
			return held(ctx)
		}
	case <-s.stopping:
		return held(ctx)
	case <-wait.Done():
		return errors.New("no slot came free for this invocation: raise MAX_CONCURRENT, or lower maxConcurrentCalls in host.json")
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	return work(ctx)
}

// handleBody reads one invocation into m and handles the message. It turns a panic into an error,
// because the process has other invocations.
func handleBody(ctx context.Context, b body, m *message.Received, handle func(context.Context, message.Received) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	content, err := b.read(ctx)
	if err != nil {
		return err
	}
	decoded, err := decodeInvocation(content)
	if err != nil {
		return err
	}
	decoded.InvocationID = m.InvocationID
	*m = decoded
	return handle(ctx, decoded)
}

// body is an invocation as the host sends it.
type body struct {
	io.Reader
	connection *http.ResponseController
}

// maxInvocation is the largest invocation: a 256 KB message in base64, and its properties twice.
const maxInvocation = 2 << 20

// read ends with the context, even while a stalled body sends nothing.
func (b body) read(ctx context.Context) ([]byte, error) {
	deadline, _ := ctx.Deadline()
	_ = b.connection.SetReadDeadline(deadline) // a test's recorder does not support it
	content, err := io.ReadAll(io.LimitReader(b, maxInvocation+1))
	if err != nil { // the deadline stays, because net/http tries to read the rest before it answers
		return nil, fmt.Errorf("read the invocation: %w", err)
	}
	if len(content) > maxInvocation {
		return nil, fmt.Errorf("the invocation has more than %d bytes", maxInvocation)
	}
	_ = b.connection.SetReadDeadline(time.Time{})
	return content, nil
}

// holdBack waits before an error is answered.
func (s *server) holdBack(ctx context.Context, delivery int) {
	held := time.NewTimer(worker.RetryPause(delivery))
	defer held.Stop()
	select {
	case <-held.C:
	case <-s.stopping:
	case <-ctx.Done():
	}
}

// answer returns after the kernel has the whole answer, so the process may end then.
func answer(w http.ResponseWriter, status int, body map[string]any) {
	text, err := json.Marshal(body)
	if err != nil {
		status, text = http.StatusInternalServerError, []byte(`{"error":"the answer cannot be written as JSON"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(status)
	_, _ = w.Write(text)
	_ = http.NewResponseController(w).Flush()
}

// decodeInvocation reads what the Functions host sends for one message of the queue.
//
// The binding's dataType is binary, so the body comes as base64 and Metadata is Service Bus's own.
// A host that ignores dataType sends the body as text, JSON-encoded twice; then top-level fields of
// the body overwrite Metadata of the same name, which is why a request has none of these names and
// nothing in Metadata is trusted beyond what its form allows.
func decodeInvocation(body []byte) (message.Received, error) {
	var in struct {
		Data struct {
			Message json.RawMessage `json:"message"`
		}
		Metadata map[string]json.RawMessage
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return message.Received{}, fmt.Errorf("invocation is not the host's JSON: %w", err)
	}
	if in.Data.Message == nil {
		return message.Received{}, fmt.Errorf(`invocation has no Data.message: the binding in function.json must be named "message"`)
	}
	content, err := messageBody(in.Data.Message)
	if err != nil {
		return message.Received{}, err
	}
	m := message.Received{Body: content, ID: text(in.Metadata["MessageId"]), LockToken: text(in.Metadata["LockToken"])}
	if m.SequenceNumber, err = strconv.ParseInt(text(in.Metadata["SequenceNumber"]), 10, 64); err != nil {
		return message.Received{}, fmt.Errorf("metadata SequenceNumber: %w", err)
	}
	if m.DeliveryCount, err = strconv.Atoi(text(in.Metadata["DeliveryCount"])); err != nil {
		return message.Received{}, fmt.Errorf("metadata DeliveryCount: %w", err)
	}
	if m.EnqueuedAt, err = hostTime(text(in.Metadata["EnqueuedTimeUtc"])); err != nil {
		return message.Received{}, fmt.Errorf("metadata EnqueuedTimeUtc: %w", err)
	}
	return m, nil
}

// messageBody is the message's bytes: base64 in a JSON string, or text in a JSON string in a JSON
// string.
func messageBody(raw json.RawMessage) ([]byte, error) {
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return raw, nil //nolint:nilerr // a host that sends JSON bodies as JSON
	}
	if strings.HasPrefix(s, `"`) {
		var inner string
		if err := json.Unmarshal([]byte(s), &inner); err != nil {
			return nil, fmt.Errorf("invocation's Data.message is text that is not JSON: %w", err)
		}
		return []byte(inner), nil
	}
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return []byte(s), nil //nolint:nilerr // text as it is: the request's decoder says what is wrong with it
	}
	return b, nil
}

// text is a metadata value: the host encodes strings twice and numbers once.
func text(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return strings.TrimSpace(string(raw))
	}
	var inner string
	if strings.HasPrefix(s, `"`) && json.Unmarshal([]byte(s), &inner) == nil {
		return inner
	}
	return s
}

// hostTime reads the host's DateTime, which is UTC without saying so, or a time with its zone.
func hostTime(s string) (time.Time, error) {
	if t, err := time.Parse("2006-01-02T15:04:05.999999999", s); err == nil {
		return t, nil
	}
	return time.Parse(time.RFC3339Nano, s)
}
