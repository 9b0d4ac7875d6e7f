package functions

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/go-amqp"
)

func TestASuccessfulInvocationCompletesItsMessage(t *testing.T) {
	b := startBench(t, quick, nil)
	b.queue.send("ok", "logs")
	got := b.settlements(2)
	for _, want := range []settlement{{"complete", "ok", 1}, {"complete", "logs", 1}} {
		if !slices.Contains(got, want) {
			t.Errorf("settlements are %v, %v is missing", got, want)
		}
	}
	b.wantCounts(Counts{Succeeded: 2})
	b.await(t, 1, "log build-image: one line")
}

func TestTheRequestIsTheProductionHosts(t *testing.T) {
	b := startBench(t, quick, nil)
	b.queue.send("request")
	b.settlements(1)
	r := readRecordings(t)[0]
	headers := r.Headers[:strings.LastIndex(r.Headers, "[")] + "[ID"
	b.await(t, 1, fmt.Sprintf("POST /build-image -1 %s %s", r.TransferEncoding, headers))
}

// TestNoTraceIsInvented: without telemetry the host sends no traceparent, whatever the message
// says.
func TestNoTraceIsInvented(t *testing.T) {
	b := startBench(t, quick, nil)
	const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	b.queue.ready <- &azservicebus.ReceivedMessage{
		MessageID: "traced", Body: []byte("request"), DeliveryCount: 1,
		ApplicationProperties: map[string]any{"traceparent": trace, "Diagnostic-Id": trace},
	}
	b.settlements(1)
	b.await(t, 1, "out(false) POST /build-image")
	if n, _ := b.count("Traceparent"); n != 0 {
		t.Error("the host sent a traceparent")
	}
}

// TestTheHandlerGetsItsArguments: they follow the executable of host.json.
func TestTheHandlerGetsItsArguments(t *testing.T) {
	b := startBench(t, quick, nil, func(host, _ map[string]any) {
		host["customHandler"].(map[string]any)["description"].(map[string]any)["arguments"] = []string{"--one", "two"}
	})
	b.await(t, 1, fmt.Sprintf("started %d [--one two]", b.workers.current.port))
}

func TestTheHandlersEnvironmentIsTheHosts(t *testing.T) {
	b := startBench(t, quick, map[string]string{"MY_SETTING": "mine"})
	b.queue.send("environment")
	b.settlements(1)
	port := fmt.Sprint(b.workers.current.port)
	for _, want := range []string{
		"FUNCTIONS_CUSTOMHANDLER_PORT=" + port, "FUNCTIONS_HTTPWORKER_PORT=" + port, "FUNCTIONS_CUSTOMHANDLER_WORKER_ID=",
		"FUNCTIONS_APP_ROOT_PATH=" + b.app.root, "AzureWebJobsScriptRoot=" + b.app.root, "PWD=" + b.app.root,
		"FUNCTIONS_WORKER_RUNTIME=custom", "MY_SETTING=mine", "BUILD_QUEUE=image-builds",
	} {
		b.await(t, 1, "out(false) "+want)
	}
}

func TestAFailedInvocationAbandonsItsMessageEveryTime(t *testing.T) {
	for _, mode := range []string{"err500", "textplain"} {
		t.Run(mode, func(t *testing.T) {
			b := startBench(t, quick, nil)
			b.queue.send(mode)
			for i, got := range b.settlements(maxDeliveries) {
				if want := (settlement{"abandon", mode, uint32(i + 1)}); got != want {
					t.Errorf("delivery %d is %v, want %v", i+1, got, want)
				}
			}
			b.wantCounts(Counts{Failed: maxDeliveries})
			if n, _ := b.count("thrown away"); n > 0 || b.Starts() != 1 {
				t.Errorf("%d log lines of failed answers, %d starts", n, b.Starts())
			}
		})
	}
}

func TestATimeoutKillsTheProcessAndAllItsInvocations(t *testing.T) {
	for _, mode := range []string{"hang", "empty", "null", "nocontent"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			b := startBench(t, quick, nil, functionTimeout("00:00:01"))
			pid, port := b.HandlerPID(), b.workers.current.port
			b.queue.send(mode, "slow other")
			b.awaitSettled(settlement{"abandon", mode, 1}, settlement{"abandon", "slow other", 1})
			if c := b.Invocations(); c.TimedOut == 0 || c.Succeeded != 0 {
				t.Errorf("invocations are %+v", c)
			}
			p, err := b.workers.ready(t.Context())
			if err != nil || p.pid() == pid || p.port != port {
				t.Errorf("after %d on %d runs %d on %d (%v)", pid, port, p.pid(), p.port, err)
			}
		})
	}
}

func TestTheThirdBadExitEndsTheHost(t *testing.T) {
	b := startBench(t, quick, nil)
	b.queue.send("exit1")
	b.ended()
	want := []settlement{{"abandon", "exit1", 1}, {"abandon", "exit1", 2}}
	if got := b.settlements(2); !slices.Equal(got, want) {
		t.Errorf("settlements are %v, want %v", got, want)
	}
	if len(b.queue.settled) > 0 {
		t.Errorf("the dying host settled %v", <-b.queue.settled)
	}
	if b.Starts() != 3 || b.Err() == nil || !strings.Contains(b.Err().Error(), "exited with code 1") {
		t.Errorf("%d starts, error %v", b.Starts(), b.Err())
	}
}

func TestBadExitsOutsideTheWindowAreForgotten(t *testing.T) {
	b := startBench(t, Timing{ReadyInterval: quick.ReadyInterval, RestartWindow: time.Nanosecond}, nil)
	b.queue.send("exit1")
	if last := b.settlements(maxDeliveries)[maxDeliveries-1]; last.verb != "abandon" {
		t.Errorf("the last settlement is %v", last)
	}
	b.queue.send("ok")
	if got := b.settlements(1); got[0] != (settlement{"complete", "ok", 1}) {
		t.Errorf("settled %v", got)
	}
	if b.Starts() != 1+maxDeliveries {
		t.Errorf("%d starts, want %d: every delivery has a process of its own", b.Starts(), 1+maxDeliveries)
	}
}

func TestAHandlerThatExitedWithZeroIsNeverStartedAgain(t *testing.T) {
	b := startBench(t, quick, nil)
	b.queue.send("exit0")
	for _, s := range b.settlements(maxDeliveries) {
		if s.verb != "abandon" {
			t.Errorf("settled %v", s)
		}
	}
	select {
	case <-b.Done():
		t.Errorf("the host ended: %v", b.Err())
	default:
	}
	if b.Starts() != 1 || b.HandlerPID() != 0 {
		t.Errorf("%d starts, process %d runs", b.Starts(), b.HandlerPID())
	}
}

func TestAHandlerThatDoesNotStartFailsTheStart(t *testing.T) {
	timing := Timing{ReadyInterval: time.Millisecond, ReadyLimit: 50 * time.Millisecond}
	for mode, c := range map[string]struct {
		starts int
		err    string
	}{
		"never-ready": {3, "answered nothing on 127.0.0.1:"},
		"exit1":       {3, "exited with code 1 before it was ready"},
		"exit0":       {1, "exited with 0 before it was ready"},
	} {
		t.Run(mode, func(t *testing.T) {
			timing := timing
			if mode != "never-ready" {
				timing.ReadyLimit = 0
			}
			b, err := tryBench(t, timing, map[string]string{"TEST_HANDLER": mode})
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Fatalf("the error is %v", err)
			}
			if n, _ := b.count("started "); mode != "never-ready" && n != c.starts {
				t.Errorf("%d starts, want %d", n, c.starts)
			}
			if n, _ := b.count("log error: "); mode == "never-ready" && n != c.starts {
				t.Errorf("%d failed starts, want %d", n, c.starts)
			}
			if n, _ := b.count("queue closed"); n != 1 {
				t.Errorf("the queue was closed %d times", n)
			}
		})
	}
}

func TestAnExecutableThatCannotRunFailsTheStart(t *testing.T) {
	_, err := tryBench(t, quick, nil, func(host, _ map[string]any) {
		host["customHandler"] = map[string]any{"description": map[string]any{"defaultExecutablePath": "./host.json"}}
	})
	if !errors.Is(err, os.ErrPermission) {
		t.Errorf("the error is %v", err)
	}
}

func TestStartGivesUpWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	options := Options{
		AppRoot: appRoot(t), Settings: testSettings(map[string]string{"TEST_HANDLER": "never-ready"}),
		Output: func(string, bool) { cancel() },
	}
	if _, err := Start(ctx, options); !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
}

func TestAKilledHandlersMessageGoesToItsSuccessor(t *testing.T) {
	b := startBench(t, quick, nil)
	b.queue.send("once")
	b.await(t, 1, "got once")
	pid := b.HandlerPID()
	if err := b.KillHandler(); err != nil {
		t.Fatal(err)
	}
	b.await(t, 2, "got once")
	b.release()
	want := []settlement{{"abandon", "once", 1}, {"complete", "once", 2}}
	if got := b.settlements(2); !slices.Equal(got, want) {
		t.Errorf("settlements are %v, want %v", got, want)
	}
	if b.HandlerPID() == pid || b.Starts() != 2 {
		t.Errorf("process %d runs after %d, %d starts", b.HandlerPID(), pid, b.Starts())
	}
}

func TestAStoppingHostWaitsForItsInvocations(t *testing.T) {
	b := startBench(t, quick, nil)
	b.queue.send("slow")
	b.await(t, 1, "got slow")
	stopped := make(chan error)
	go func() { stopped <- b.Stop(t.Context()) }()
	b.await(t, 1, "log stopping")
	b.release()
	if err := <-stopped; err != nil {
		t.Errorf("stop: %v", err)
	}
	if got := b.settlements(1); got[0].verb != "complete" {
		t.Errorf("settled %v", got)
	}
	if b.Err() != nil || b.HandlerPID() != 0 || b.KillHandler() == nil {
		t.Errorf("after the stop: error %v, process %d", b.Err(), b.HandlerPID())
	}
}

func TestAStoppedHostLeavesItsMessagesLocked(t *testing.T) {
	b := startBench(t, Timing{ReadyInterval: quick.ReadyInterval, DrainLimit: time.Millisecond}, nil)
	b.queue.send("hang")
	b.await(t, 1, "got hang")
	if err := b.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.ended()
	if len(b.queue.settled) > 0 {
		t.Errorf("the stopped host settled %v", <-b.queue.settled)
	}
	b.await(t, 1, "queue closed")
}

func TestNoMoreCallsThanHostJSONAllows(t *testing.T) {
	b := startBench(t, quick, nil, func(host, _ map[string]any) {
		bus := host["extensions"].(map[string]any)["serviceBus"].(map[string]any)
		bus["maxConcurrentCalls"] = 2
	})
	b.queue.send("slow 1", "slow 2", "slow 3", "slow 4", "slow 5")
	b.await(t, 2, "got slow")
	if waiting := len(b.queue.ready); waiting != 3 {
		t.Errorf("%d messages wait in the queue, want 3", waiting)
	}
	b.release()
	b.settlements(5)
	b.wantCounts(Counts{Succeeded: 5})
	for n := 3; n <= 5; n++ {
		for id := 1; id <= 5; id++ {
			if got, _ := b.count(fmt.Sprintf("got slow %d %d", id, n)); got > 0 {
				t.Errorf("%d calls ran at once", n)
			}
		}
	}
}

func TestAFailedCompleteIsOneLoggedError(t *testing.T) {
	b := startBench(t, quick, nil)
	b.queue.completeErr = &azservicebus.Error{Code: azservicebus.CodeLockLost}
	b.queue.send("ok")
	b.settlements(1)
	b.queue.send("request") // settled after the first was
	b.await(t, 2, "log error: complete message")
	b.wantCounts(Counts{Succeeded: 2})
	if len(b.queue.settled) > 1 {
		t.Errorf("%d more settlements", len(b.queue.settled))
	}
}

func TestAnAMQPValueNeverReachesTheHandler(t *testing.T) {
	b := startBench(t, quick, nil)
	msg := &azservicebus.ReceivedMessage{MessageID: "value", DeliveryCount: maxDeliveries, RawAMQPMessage: &azservicebus.AMQPAnnotatedMessage{}}
	msg.RawAMQPMessage.Body.Value = amqp.Symbol("x")
	b.queue.ready <- msg
	if got := b.settlements(1); got[0].verb != "abandon" {
		t.Errorf("settled %v", got)
	}
	if n, _ := b.count("got "); n != 0 {
		t.Error("the handler was called")
	}
	b.wantCounts(Counts{Failed: 1})
}

func TestTheConsoleIsPassedOnLineByLine(t *testing.T) {
	b := startBench(t, quick, nil)
	b.queue.send("stderr")
	b.await(t, 1, "out(true) a warning")
	b.await(t, 1, "out(true) no end")
}

func TestATextBindingIsEncodedTwice(t *testing.T) {
	b := startBench(t, quick, nil, func(_, function map[string]any) {
		delete(function["bindings"].([]any)[0].(map[string]any), "dataType")
	})
	b.queue.send("plain")
	b.settlements(1)
	b.await(t, 1, `got "plain"`)
}

// TestABrokenConnectionAloneIsNoExit: a handler that drops a connection and
// lives fails the invocation, and is not started anew.
func TestABrokenConnectionAloneIsNoExit(t *testing.T) {
	b := startBench(t, quick, nil)
	b.queue.send("drop")
	for _, s := range b.settlements(2) {
		if s.verb != "abandon" {
			t.Errorf("settled %v", s)
		}
	}
	if b.Starts() != 1 {
		t.Errorf("%d starts", b.Starts())
	}
}

// TestARefusedConnectionFailsAtOnce: a handler that lives without its listener burns every delivery
// of every message. Were one call to wait for something, the ten abandonments would not come.
func TestARefusedConnectionFailsAtOnce(t *testing.T) {
	b := startBench(t, quick, nil)
	b.queue.send("close")
	b.settlements(1)
	sent := []string{"ok 1", "ok 2", "ok 3", "ok 4", "ok 5", "ok 6", "ok 7", "ok 8"}
	b.queue.send(sent...)
	for _, s := range b.settlements(len(sent) * maxDeliveries) {
		if s.verb != "abandon" {
			t.Errorf("settled %v", s)
		}
	}
	if b.Starts() != 1 || b.HandlerPID() == 0 {
		t.Errorf("%d starts, process %d: the handler was to live all the time", b.Starts(), b.HandlerPID())
	}
	if n, _ := b.count("connection refused"); n != len(sent)*maxDeliveries {
		t.Errorf("%d invocations were refused, want %d", n, len(sent)*maxDeliveries)
	}
}

// TestACallDuringARestartWaits: the host knows that its handler has ended, and a message's next
// delivery waits for the new one however long that takes to listen.
func TestACallDuringARestartWaits(t *testing.T) {
	asked, mayListen := make(chan struct{}), make(chan struct{}, 10)
	gate := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked <- struct{}{}; <-mayListen }))
	defer gate.Close()
	mayListen <- struct{}{}
	go func() { <-asked }() // the first start
	b := startBench(t, quick, map[string]string{"TEST_GATE": gate.URL})
	b.queue.send("slow 1", "slow 2")
	b.await(t, 2, "got slow")
	if err := b.KillHandler(); err != nil {
		t.Fatal(err)
	}
	<-asked // the second process runs and does not listen
	b.queue.send("slow 3")
	b.awaitSettled(settlement{"abandon", "slow 1", 1}, settlement{"abandon", "slow 2", 1})
	b.await(t, 2, ", delivery 2, ")
	b.await(t, 1, "message slow 3, delivery 1, ")
	mayListen <- struct{}{}
	b.await(t, 5, "got slow")
	b.release()
	b.awaitSettled(settlement{"complete", "slow 1", 2}, settlement{"complete", "slow 2", 2}, settlement{"complete", "slow 3", 1})
	b.wantCounts(Counts{Succeeded: 3, Failed: 2})
}

// TestTheHostKillsWithoutASignalFirst: neither a timeout nor the host's stop sends the handler one
// to drain on.
func TestTheHostKillsWithoutASignalFirst(t *testing.T) {
	b := startBench(t, Timing{ReadyInterval: quick.ReadyInterval, DrainLimit: time.Millisecond}, nil, functionTimeout("00:00:01"))
	b.queue.send("hang")
	b.settlements(1)
	second, err := b.workers.ready(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if status := second.state.Sys().(syscall.WaitStatus); status.Signal() != syscall.SIGKILL {
		t.Errorf("the handler ended with %v", status)
	}
	if n, _ := b.count("out(false) signal"); n != 0 {
		t.Errorf("the handler got %d signals that it could handle", n)
	}
}

// TestEachFunctionHasItsOwnCalls: maxConcurrentCalls is of one function, so that two take twice as
// many, and a full one keeps nothing from the other.
func TestEachFunctionHasItsOwnCalls(t *testing.T) {
	b := startBench(t, quick, map[string]string{twoFunctions: "yes"})
	var builds []string
	for i := range 20 {
		builds = append(builds, fmt.Sprint("slow b", i))
	}
	b.queue.send(builds...)
	b.await(t, 16, "got slow")
	b.requests.send("ok")
	if got := b.settlementsOf(b.requests, 1); got[0] != (settlement{"complete", "ok", 1}) {
		t.Errorf("settled %v", got)
	}
	for i := range 20 {
		b.requests.send(fmt.Sprint("slow r", i))
	}
	b.await(t, 32, "got slow")
	if builds, requests := len(b.queue.ready), len(b.requests.ready); builds != 4 || requests != 4 {
		t.Errorf("%d and %d messages wait, want 4 and 4", builds, requests)
	}
	b.release()
	b.settlements(20)
	b.settlementsOf(b.requests, 20)
	for fn, want := range map[string]int{"Functions.build-image' (message slow b": 20, "Functions.take-request' (message slow r": 20, "Functions.take-request' (message ok": 1} {
		if n, _ := b.count(fn); n != want {
			t.Errorf("%d executions of %s), want %d", n, fn, want)
		}
	}
}

// TestAnExitWith200IsNoError: it is how a handler asks for a restart, as often as it likes.
func TestAnExitWith200IsNoError(t *testing.T) {
	b := startBench(t, quick, nil)
	b.queue.send("exit200")
	b.settlements(maxDeliveries)
	b.queue.send("ok")
	if got := b.settlements(1); got[0].verb != "complete" {
		t.Errorf("settled %v", got)
	}
	if b.Starts() != 1+maxDeliveries {
		t.Errorf("%d starts, want %d", b.Starts(), 1+maxDeliveries)
	}
}

// TestErrorsAddUpWhileNoneIsLongAlone: an error is forgotten when half an hour passes without
// another, and not before.
func TestErrorsAddUpWhileNoneIsLongAlone(t *testing.T) {
	for name, c := range map[string]struct {
		gaps []time.Duration
		ends bool
	}{
		"three at once":           {[]time.Duration{0, 0}, true},
		"25 minutes between them": {[]time.Duration{25 * time.Minute, 25 * time.Minute}, true},
		"31 minutes before one":   {[]time.Duration{time.Minute, 31 * time.Minute, time.Minute}, false},
		"31 minutes, then three":  {[]time.Duration{31 * time.Minute, 0, 0}, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &supervisor{log: func(string) {}, timing: Timing{}.withDefaults()}
				err := s.count(errors.New("exited"))
				for _, gap := range c.gaps {
					if err != nil {
						t.Fatal("ended early")
					}
					<-time.After(gap)
					err = s.count(errors.New("exited"))
				}
				if (err != nil) != c.ends {
					t.Errorf("the error is %v, want one: %t", err, c.ends)
				}
			})
		})
	}
}

// TestAnyAnswerIsReady: the host takes whatever answers for a handler that is ready.
func TestAnyAnswerIsReady(t *testing.T) {
	for _, status := range []int{200, 302, 404, 500} {
		handler := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
		p := &process{port: handler.Listener.Addr().(*net.TCPAddr).Port, client: newClient()}
		if !p.answers(t.Context()) {
			t.Errorf("%d is no answer", status)
		}
		handler.Close()
		if p.answers(t.Context()) {
			t.Error("nobody answered")
		}
	}
}

func TestTimesAreTheHosts(t *testing.T) {
	want := Timing{ReadyInterval: 25 * time.Millisecond, ReadyLimit: 30 * time.Second, RestartWindow: 30 * time.Minute, DrainLimit: 10 * time.Second}
	if got := (Timing{}).withDefaults(); got != want {
		t.Errorf("times %+v, want %+v", got, want)
	}
}
