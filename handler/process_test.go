package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// process is the handler as the Functions host starts it, in an environment that reaches nothing.
func process(t *testing.T) (path string, environ []string, port int) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "handler")
	build := exec.Command("go", "build", "-trimpath", "-o", path, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port = free.Addr().(*net.TCPAddr).Port
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	return path, append(os.Environ(), fmt.Sprintf("FUNCTIONS_CUSTOMHANDLER_PORT=%d", port),
		"ServiceBusConnection=Endpoint=sb://127.0.0.1:1;SharedAccessKeyName=x;SharedAccessKey=eA==;UseDevelopmentEmulator=true",
		"IDENTITY_ENDPOINT=http://127.0.0.1:1", "IDENTITY_HEADER=x"), port
}

// ready waits for the handler's log line that says so.
func ready(t *testing.T, out io.Reader) {
	t.Helper()
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if strings.Contains(lines.Text(), `"msg":"ready"`) {
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return
		}
	}
	t.Fatal("the handler ended before it was ready")
}

// started is a handler that runs, and what it writes to stdout.
func started(t *testing.T) (handler *exec.Cmd, out io.ReadCloser, port int) {
	t.Helper()
	path, environ, port := process(t)
	handler = exec.Command(path)
	handler.Env = environ
	out, err := handler.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := handler.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = handler.Process.Kill() })
	ready(t, out)
	return handler, out, port
}

// TestStopsOnSIGTERM: it answers, drains, and leaves with a status that is not 0.
func TestStopsOnSIGTERM(t *testing.T) {
	handler, _, port := started(t)
	answer, err := http.Get("http://127.0.0.1:" + strconv.Itoa(port) + "/")
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("readiness: %v %v", answer, err)
	}
	_ = answer.Body.Close()
	if err := handler.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	var ended *exec.ExitError
	if err := handler.Wait(); !errors.As(err, &ended) || ended.ExitCode() != exitStopped {
		t.Errorf("ended with %v, want status %d: the host never restarts a handler that ends with 0", err, exitStopped)
	}
}

// TestDrainsWithoutItsHost: the reader of stdout is gone first, and the first line of the drain
// must not be the last.
func TestDrainsWithoutItsHost(t *testing.T) {
	handler, out, _ := started(t)
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	if err := handler.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	var ended *exec.ExitError
	if err := handler.Wait(); !errors.As(err, &ended) || ended.ExitCode() != exitStopped {
		t.Errorf("ended with %v, want status %d: it was killed as it logged", err, exitStopped)
	}
}

// TestEndsWithItsParent: a host that is killed leaves no handler behind.
func TestEndsWithItsParent(t *testing.T) {
	path, environ, _ := process(t)
	parent := exec.Command("sh", "-c", path+` & echo "pid $!"; wait`)
	parent.Env = environ
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	first, err := lines.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(first, "pid ")))
	if err != nil {
		t.Fatalf("first line %q", first)
	}
	t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGKILL) })
	ready(t, lines)
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait()
	gone := time.NewTimer(time.Minute)
	defer gone.Stop()
	for look := time.NewTicker(50 * time.Millisecond); ; {
		if err := syscall.Kill(pid, 0); errors.Is(err, syscall.ESRCH) || zombie(pid) {
			look.Stop()
			return
		}
		select {
		case <-look.C:
		case <-gone.C:
			t.Fatalf("handler %d lives on without its parent", pid)
		}
	}
}

// zombie says that a process has ended and nobody has asked for its status: where tests run, nobody
// may.
func zombie(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && strings.Contains(string(stat), ") Z ")
}
