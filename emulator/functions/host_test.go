package functions

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
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
