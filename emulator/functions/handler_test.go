package functions

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
)

// TestMain turns the test binary into the handler under the host's eyes when
// the host starts it.
func TestMain(m *testing.M) {
	if start := os.Getenv("TEST_HANDLER"); start != "" {
		runHandler(start)
		return
	}
	os.Exit(m.Run())
}

// runHandler serves until it is killed. What a message makes it do is the
// message's body: a mode and, after a space, a name to print.
func runHandler(start string) {
	fmt.Println("started", os.Getenv("FUNCTIONS_CUSTOMHANDLER_PORT"), os.Args[1:])
	if gate := os.Getenv("TEST_GATE"); gate != "" { // the test holds the answer until this process may listen
		if answer, err := http.Get(gate); err == nil {
			_ = answer.Body.Close()
		}
	}
	switch start {
	case "exit0":
		os.Exit(0)
	case "exit1":
		os.Exit(1)
	case "never-ready":
		select {}
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, os.Interrupt)
	go func() {
		for s := range signals {
			fmt.Println("signal", s)
		}
	}()
	h := &testHandler{release: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) })
	mux.HandleFunc("GET /release", func(http.ResponseWriter, *http.Request) { h.once.Do(func() { close(h.release) }) })
	mux.HandleFunc("POST /build-image", h.serve)
	mux.HandleFunc("POST /take-request", h.serve)
	listener, err := net.Listen("tcp", "127.0.0.1:"+os.Getenv("FUNCTIONS_CUSTOMHANDLER_PORT"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	h.listener = listener
	_ = http.Serve(listener, mux)
	select {} // a handler that closed its listener lives on
}

type testHandler struct {
	listener net.Listener
	release  chan struct{}
	once     sync.Once
	running  atomic.Int32
}

func (h *testHandler) serve(w http.ResponseWriter, r *http.Request) {
	var request struct {
		Data     map[string]string
		Metadata struct {
			LockToken, MessageID  string
			ApplicationProperties json.RawMessage
		}
	}
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		panic(err)
	}
	body, err := base64.StdEncoding.DecodeString(request.Data["message"])
	if err != nil {
		body = []byte(request.Data["message"])
	}
	mode, name, _ := strings.Cut(string(body), " ")
	switch mode {
	case "token":
		name = request.Metadata.LockToken
	case "metadata":
		name += fmt.Sprintf(" %s %s", request.Metadata.MessageID, request.Metadata.ApplicationProperties)
	}
	fmt.Println("got", mode, name, h.running.Add(1))
	defer h.running.Add(-1)
	h.answer(w, r, mode)
}

func (h *testHandler) answer(w http.ResponseWriter, r *http.Request, mode string) {
	switch mode {
	case "request":
		fmt.Println(seen(r))
	case "environment":
		fmt.Println(strings.Join(os.Environ(), "\n"))
	case "stderr":
		fmt.Fprint(os.Stderr, "a warning\nno end")
		os.Exit(1)
	case "exit0":
		os.Exit(0)
	case "exit1":
		os.Exit(1)
	case "exit200":
		os.Exit(200)
	case "close":
		_ = h.listener.Close()
		w.Header().Set("Connection", "close")
	case "drop":
		panic(http.ErrAbortHandler)
	case "hang":
		<-r.Context().Done()
	case "slow", "token":
		<-h.release
	case "once":
		<-h.release // the first process is killed here, the next has no reason to wait
	}
	respond(w, mode)
}

func respond(w http.ResponseWriter, mode string) {
	w.Header().Set("Content-Type", "application/json")
	switch mode {
	case "err500":
		http.Error(w, `{"Logs":["thrown away"]}`, http.StatusInternalServerError)
	case "empty":
	case "null":
		_, _ = io.WriteString(w, "null")
	case "nocontent":
		w.WriteHeader(http.StatusNoContent)
	case "textplain":
		w.Header().Set("Content-Type", "text/plain")
		_, _ = io.WriteString(w, "{}")
	case "logs":
		_, _ = io.WriteString(w, `{"Outputs":{},"Logs":["one line"],"ReturnValue":null}`)
	default:
		_, _ = io.WriteString(w, "{}")
	}
}

// seen prints a request's head as the recordings' handler did.
func seen(r *http.Request) string {
	id := r.Header.Get("X-Azure-Functions-InvocationId")
	headers := strings.Replace(strings.TrimPrefix(fmt.Sprint(r.Header), "map["), id, "ID", 1)
	return fmt.Sprintf("%s %s %d %v %s", r.Method, r.URL.Path, r.ContentLength, r.TransferEncoding, headers)
}
