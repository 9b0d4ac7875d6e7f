package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"goldmint/internal/config"
	"goldmint/internal/message"
)

const invocation = `{"Data":{"message":"e30="},"Metadata":{"SequenceNumber":"7","DeliveryCount":"1","EnqueuedTimeUtc":"2026-11-23T11:46:59","MessageId":"\"m\"","LockToken":"\"6e5c0114-c462-4424-ad89-6b7aee174c50\""}}`

// call sends one request to a server around the given handling and checks what holds for every
// answer.
func call(t *testing.T, s *server, method, path, body string) (int, map[string]any) {
	t.Helper()
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(body)))
	if ct := w.Header().Get("Content-Type"); ct != "application/json" {
		t.Errorf("%s %s: content type %q fails the host", method, path, ct)
	}
	var object map[string]any
	if err := json.NewDecoder(w.Body).Decode(&object); err != nil || object == nil {
		t.Errorf("%s %s: the answer is no JSON object (%v): that hangs the host", method, path, err)
	}
	return w.Code, object
}

// both are the two functions, handled alike.
func both(handle func(context.Context, message.Received) error) functions {
	return functions{"build-image": handle, "take-request": handle}
}

func quiet(handle func(context.Context, message.Received) error) *server {
	return newServer(both(handle), time.Minute, 4, zap.NewNop())
}

func TestAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ok := quiet(func(context.Context, message.Received) error { return nil })
		if code, body := call(t, ok, http.MethodGet, "/", ""); code != http.StatusOK || body["status"] != "ready" {
			t.Errorf("readiness: %d %v", code, body)
		}
		code, body := call(t, ok, http.MethodPost, "/build-image", invocation)
		if code != http.StatusOK || body["Outputs"] == nil || body["Logs"] == nil {
			t.Errorf("success: %d %v", code, body)
		}
		for name, s := range map[string]*server{
			"error": quiet(func(context.Context, message.Received) error { return errors.New("bus is down") }),
			"panic": quiet(func(context.Context, message.Received) error { panic("boom") }),
		} {
			if code, body := call(t, s, http.MethodPost, "/build-image", invocation); code != http.StatusInternalServerError {
				t.Errorf("%s: %d %v, want 500 so that the host abandons", name, code, body)
			}
		}
		for _, path := range []string{"/other", "/build-image/x", "/"} {
			if code, _ := call(t, ok, http.MethodPost, path, invocation); code != http.StatusNotFound {
				t.Errorf("POST %s: %d, want 404", path, code)
			}
		}
		for _, bad := range []string{"", "[]", "null", "{", `{"Data":{}}`, strings.Repeat("x", maxInvocation+1)} {
			if code, _ := call(t, ok, http.MethodPost, "/build-image", bad); code != http.StatusInternalServerError {
				t.Errorf("body %.20q: %d, want 500", bad, code)
			}
		}
	})
}

// TestBoundsInvocations: no more than the given number work at once, and each has its whole time
// from when its turn came.
func TestBoundsInvocations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		working, most := 0, 0
		count := func(n int) {
			mu.Lock()
			defer mu.Unlock()
			working += n
			most = max(most, working)
		}
		s := newServer(both(func(ctx context.Context, _ message.Received) error {
			count(1)
			begun := time.Now()
			<-ctx.Done()
			if had := time.Since(begun); had != time.Minute {
				t.Errorf("an invocation had %s to work, want its whole minute", had)
			}
			count(-1)
			return nil
		}), time.Minute, 2, zap.NewNop())
		begun := time.Now()
		codes := post(s, 6)
		for range 6 {
			if code := <-codes; code != http.StatusOK {
				t.Errorf("answered %d", code)
			}
		}
		if took := time.Since(begun); took != 3*time.Minute {
			t.Errorf("six invocations of a minute, two at once, took %s", took)
		}
		if most != 2 {
			t.Errorf("%d invocations worked at once, want 2", most)
		}
	})
}

// TestEveryInvocationEndsBeforeTheHostLosesPatience: at functionTimeout it would kill all the
// others too.
func TestEveryInvocationEndsBeforeTheHostLosesPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(both(func(ctx context.Context, _ message.Received) error { <-ctx.Done(); return ctx.Err() }), time.Minute, 1, zap.NewNop())
		begun := time.Now()
		codes := post(s, 20)
		for range 20 {
			if code := <-codes; code != http.StatusInternalServerError {
				t.Errorf("an invocation without an end answered %d", code)
			}
		}
		if took := time.Since(begun); took > config.LongestLife {
			t.Errorf("the last answer came after %s, want it within %s", took, config.LongestLife)
		}
	})
}

// post sends all invocations at once and returns the status of each answer.
func post(s *server, n int) <-chan int {
	codes := make(chan int)
	for range n {
		go func() {
			w := httptest.NewRecorder()
			s.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/build-image", strings.NewReader(invocation)))
			codes <- w.Code
		}()
	}
	return codes
}

// TestADrainHoldsWhatHasNotBegun: what waits for its turn and what comes later gets no answer, what
// is at work gets its own, and then the drain is over.
func TestADrainHoldsWhatHasNotBegun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		finish, begun := make(chan struct{}), 0
		s := newServer(both(func(context.Context, message.Received) error { begun++; <-finish; return nil }), time.Minute, 1, zap.NewNop())
		codes := post(s, 3)
		synctest.Wait()
		drained := make(chan struct{})
		go func() { s.drain(time.Minute, nil); close(drained) }()
		synctest.Wait()
		later := post(s, 1)
		if code, _ := call(t, s, http.MethodGet, "/", ""); code != http.StatusOK {
			t.Errorf("readiness during a drain: %d", code)
		}
		synctest.Wait()
		select {
		case <-drained:
			t.Error("the drain ended before what was at work")
		case code := <-codes:
			t.Errorf("one was answered %d before its end", code)
		case code := <-later:
			t.Errorf("one that came during the drain was answered %d", code)
		default:
		}
		close(finish)
		<-drained
		select {
		case code := <-codes:
			if code != http.StatusOK {
				t.Errorf("the one at work was answered %d", code)
			}
		default:
			synctest.Wait()
			if code := <-codes; code != http.StatusOK {
				t.Errorf("the one at work was answered %d", code)
			}
		}
		select {
		case code := <-codes:
			t.Errorf("one that was held was answered %d", code)
		case code := <-later:
			t.Errorf("one that came later was answered %d", code)
		default:
		}
		if begun != 1 {
			t.Errorf("%d were begun", begun)
		}
		for range 2 { // nobody ends this process: they end with their time
			<-codes
		}
		<-later
	})
}

// TestADrainHasAnEnd: at its limit, or at once when somebody asks a second time.
func TestADrainHasAnEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, c := range map[string]struct {
			again chan os.Signal
			takes time.Duration
		}{
			"at its limit":    {nil, 10 * time.Second},
			"asked for again": {make(chan os.Signal, 1), 0},
		} {
			s := quiet(func(ctx context.Context, _ message.Received) error { <-ctx.Done(); return ctx.Err() })
			codes := post(s, 1)
			synctest.Wait()
			if c.again != nil {
				c.again <- os.Interrupt
			}
			begun := time.Now()
			s.drain(10*time.Second, c.again)
			if took := time.Since(begun); took != c.takes {
				t.Errorf("%s: it took %s, want %s", name, took, c.takes)
			}
			<-codes
		}
	})
}

// TestHoldsErrorsBack: an abandoned message is back within milliseconds, and a hundred deliveries
// are all it has. A role that was just assigned takes minutes to be believed.
func TestHoldsErrorsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := quiet(func(context.Context, message.Received) error { return errors.New("no right to send") })
		begun, last := time.Now(), time.Duration(0)
		for delivery := 1; delivery <= 10; delivery++ {
			asked := time.Now()
			call(t, s, http.MethodPost, "/build-image", strings.Replace(invocation, `"DeliveryCount":"1"`, fmt.Sprintf(`"DeliveryCount":"%d"`, delivery), 1))
			held := time.Since(asked)
			if held < last || held <= 0 {
				t.Errorf("delivery %d was answered after %s, the one before after %s", delivery, held, last)
			}
			last = held
		}
		if took := time.Since(begun); took < 15*time.Minute || last > 2*time.Minute {
			t.Errorf("ten deliveries took %s, the last one %s", took, last)
		}
	})
}

// TestADrainEndsThePauses: an error is answered at once, and the drain waits for that answer.
func TestADrainEndsThePauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := quiet(func(context.Context, message.Received) error { return errors.New("no") })
		codes := post(s, 1)
		synctest.Wait()
		begun := time.Now()
		go s.drain(time.Minute, nil)
		if code := <-codes; code != http.StatusInternalServerError || time.Since(begun) > 0 {
			t.Errorf("answered %d after %s", code, time.Since(begun))
		}
	})
}

// TestHangingUpDoesNotStopTheWork: the host closing the connection leaves the message's work to its
// end.
func TestHangingUpDoesNotStopTheWork(t *testing.T) {
	var seen error
	s := quiet(func(ctx context.Context, _ message.Received) error { seen = ctx.Err(); return nil })
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	r := httptest.NewRequest(http.MethodPost, "/build-image", strings.NewReader(invocation)).WithContext(ctx)
	s.ServeHTTP(httptest.NewRecorder(), r)
	if seen != nil {
		t.Errorf("the work was cancelled: %v", seen)
	}
}

// TestLogsTheInvocation: the invocation id of the host is on the lines of its failures.
func TestLogsTheInvocation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.InfoLevel)
		s := newServer(both(func(context.Context, message.Received) error { return io.ErrUnexpectedEOF }), time.Minute, 1, zap.New(core))
		r := httptest.NewRequest(http.MethodPost, "/build-image", strings.NewReader(invocation))
		r.Header.Set("X-Azure-Functions-Invocationid", "abc")
		s.ServeHTTP(httptest.NewRecorder(), r)
		if logs.FilterField(zap.String("invocationId", "abc")).Len() != 1 {
			t.Errorf("logged %v", logs.All())
		}
	})
}
