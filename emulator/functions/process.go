package functions

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
)

// A message that the production host abandons is back after 5 to 30 ms, and finds a host that knows
// whether its handler has ended. Here it is back sooner, perhaps before the end of the handler is
// known, so the host waits a moment for that.
const (
	noticeAfterRefusal = 5 * time.Millisecond   // a handler that lives without its listener fails calls at this rate
	noticeAfterBreak   = 100 * time.Millisecond // a handler that breaks a connection has nearly always ended
)

// exitRestart is the status with which a handler asks to be started again. The host does not count
// it as an error.
const exitRestart = 200

// process is one run of the handler.
type process struct {
	cmd      *exec.Cmd
	port     int
	client   *http.Client
	state    *os.ProcessState // holds after exited
	exited   chan struct{}    // closed when the process is gone
	silent   chan struct{}    // closed when its console has been read to the end
	judged   chan struct{}    // closed when the supervisor knows what follows
	timedOut atomic.Bool      // killed because a function timed out
}

// After an exit with 0 the host starts no other process.
var (
	errExitedClean = errors.New("the handler exited with 0")
	errExitedEarly = errors.New("the handler exited with 0 before it was ready; it must keep running")
)

// launch starts the handler. The caller calls end.
func launch(ctx context.Context, c command, env []string, port int, out *console) (*process, error) {
	cmd := exec.CommandContext(context.WithoutCancel(ctx), c.path, c.arguments...)
	cmd.Dir = c.dir
	cmd.Env = append(append(cmd.Environ(), env...), "FUNCTIONS_CUSTOMHANDLER_WORKER_ID="+uuid.NewString())
	stdout, stderr := out.writer(false), out.writer(true)
	cmd.Stdout, cmd.Stderr = stdout, stderr
	cmd.WaitDelay = time.Second // a grandchild may hold the pipes open
	detach(cmd)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, port: port, client: newClient(), exited: make(chan struct{}), silent: make(chan struct{}), judged: make(chan struct{})}
	go func() {
		p.state, _ = cmd.Process.Wait() // the streams may stay open: a grandchild holds them
		close(p.exited)
		_ = cmd.Wait() // for the streams
		stdout.flush()
		stderr.flush()
		close(p.silent)
	}()
	return p, nil
}

// newClient is a client that adds nothing of its own to a request. Each process
// has one, so that no connection outlives it.
func newClient() *http.Client {
	return &http.Client{
		Transport:     &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 256},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func (p *process) url(path string) string {
	return "http://127.0.0.1:" + strconv.Itoa(p.port) + "/" + path
}

// awaitReady asks GET / until anything answers, whatever the status.
func (p *process) awaitReady(ctx context.Context, timing Timing) error {
	limit, cancel := context.WithTimeout(ctx, timing.ReadyLimit)
	defer cancel()
	tick := time.NewTicker(timing.ReadyInterval)
	defer tick.Stop()
	for !p.answers(limit) {
		select {
		case <-tick.C:
		case <-limit.Done():
			return fmt.Errorf("the handler process %d answered nothing on 127.0.0.1:%d within %v", p.pid(), p.port, timing.ReadyLimit)
		case <-p.exited:
			if p.exitCode() == 0 {
				return errExitedEarly
			}
			return fmt.Errorf("the handler process %d exited with code %d before it was ready", p.pid(), p.exitCode())
		}
	}
	return nil
}

func (p *process) answers(ctx context.Context) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url(""), nil)
	if err != nil {
		return false
	}
	response, err := p.client.Do(request)
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return true
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// exitCode is -1 for a process that was killed. It holds after exited.
func (p *process) exitCode() int { return p.state.ExitCode() }

func (p *process) hasExited() bool {
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}

func (p *process) kill() error {
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill the handler process %d: %w", p.pid(), err)
	}
	return nil
}

// killForTimeout is what the host does to a function that runs too long: it
// kills the process with all its invocations, without counting an error.
func (p *process) killForTimeout() error {
	p.timedOut.Store(true)
	return p.kill()
}

// awaitNews waits, after a failed call, until the end of the process is known, and then for the
// supervisor's decision.
func (p *process) awaitNews(limit time.Duration) {
	select {
	case <-p.exited:
		<-p.judged
	case <-time.After(limit):
	}
}

// end makes sure that the process is gone.
func (p *process) end() {
	_ = p.kill()
	<-p.exited
	<-p.silent
	p.client.CloseIdleConnections()
}
