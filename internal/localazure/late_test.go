package localazure_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"goldmint"
	"goldmint/internal/localazure"
)

// lateHandler is the setting that names the handler whose answers this binary passes on, some of
// them late.
const lateHandler = "TEST_LATE_HANDLER"

// TestMain turns the test binary into a handler where the host starts it as one.
func TestMain(m *testing.M) {
	if handler := os.Getenv(lateHandler); handler != "" {
		fmt.Fprintln(os.Stderr, answerLate(handler))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// answersLate makes a handler whose answers to some messages come after these were delivered again
// and handled: their locks last five seconds and are not renewed, as where the host lost its
// connection.
func answersLate(t *testing.T, o localazure.Options) localazure.Options {
	t.Helper()
	handler, err := handlerBinary()
	if err != nil {
		t.Fatal(err)
	}
	if o.Handler, err = os.Executable(); err != nil {
		t.Fatal(err)
	}
	o.Settings[lateHandler] = handler
	const renewal = `"maxAutoLockRenewalDuration": "00:05:00"`
	if o.HostJSON = bytes.Replace(goldmint.HostJSON, []byte(renewal), []byte(`"maxAutoLockRenewalDuration": "00:00:00"`), 1); bytes.Equal(o.HostJSON, goldmint.HostJSON) {
		t.Fatalf("host.json holds no %s", renewal)
	}
	o.Faults.Cut = 24 * time.Hour // never in this test, and for the short locks that go with it
	return o
}

// answerLate starts the handler on another port and forwards requests to it.
func answerLate(handler string) error {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	address := free.Addr().String()
	_, port, _ := net.SplitHostPort(address)
	if err := free.Close(); err != nil {
		return err
	}
	cmd := exec.Command(handler)
	cmd.Env = append(os.Environ(), "FUNCTIONS_CUSTOMHANDLER_PORT="+port)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		return err
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		if conn, err := net.Dial("tcp", address); err == nil {
			_ = conn.Close()
			break
		}
		<-tick.C // the host stops waiting after 30 seconds
	}
	front := &late{
		handler: httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: address}),
		came:    map[string]int{}, held: map[string]int{}, waiting: map[string]chan struct{}{},
	}
	return http.ListenAndServe("127.0.0.1:"+os.Getenv("FUNCTIONS_CUSTOMHANDLER_PORT"), front)
}

// late passes invocations on. Of each function it holds back the answer to every third message,
// until that was delivered again and answered.
type late struct {
	handler http.Handler

	mu      sync.Mutex
	came    map[string]int           // first deliveries, by function
	held    map[string]int           // answers held back, by function
	waiting map[string]chan struct{} // by message: closed when it was handled again
}

// mostLate bounds the answers of a function that are held back at once: half of the host's calls,
// because a message that comes again needs a free one.
const mostLate = 8

func (l *late) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var invocation struct {
		Metadata struct{ SequenceNumber, DeliveryCount string }
	}
	body, err := io.ReadAll(r.Body)
	if err == nil && r.Method == http.MethodPost {
		err = json.Unmarshal(body, &invocation)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	message := r.URL.Path + " " + invocation.Metadata.SequenceNumber
	var again chan struct{}
	if r.Method == http.MethodPost && invocation.Metadata.DeliveryCount == "1" {
		again = l.hold(r.URL.Path, message)
	}
	answer := httptest.NewRecorder()
	l.handler.ServeHTTP(answer, r)
	if again != nil {
		<-again
		fmt.Println("answered late:", message)
	}
	l.release(r.URL.Path, message, again)
	w.Header().Set("Content-Type", answer.Header().Get("Content-Type"))
	w.WriteHeader(answer.Code)
	_, _ = answer.Body.WriteTo(w)
}

// hold is what the answer waits for, nil where it need not wait.
func (l *late) hold(function, message string) chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.came[function]++
	if l.came[function]%3 != 0 || l.held[function] >= mostLate {
		return nil
	}
	l.held[function]++
	l.waiting[message] = make(chan struct{})
	return l.waiting[message]
}

// release ends the wait of an earlier delivery of the message, or counts the end of this one's.
func (l *late) release(function, message string, again chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if again != nil {
		l.held[function]--
		return
	}
	if first := l.waiting[message]; first != nil {
		close(first)
		delete(l.waiting, message)
	}
}
