package main

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/creack/pty"

	"goldmint/emulator/arm"
)

func TestPruneInterrupted(t *testing.T) {
	g := filled(t, arm.Options{})
	ctx, stop := context.WithCancel(t.Context())
	g.before = func(method, _ string) http.Handler {
		if method == http.MethodDelete {
			stop()
		}
		return nil
	}
	out, errOut, status := g.pruned(ctx, "--keep", "2", "--yes")
	if status != exitTimeout || g.counts()[http.MethodDelete] != 1 {
		t.Errorf("status %d, calls %v %s", status, g.counts(), errOut)
	}
	for _, want := range []string{
		"not tried  1.0.2  interrupted\n", "deleting  1.0.0  interrupted: Azure has taken its deletion on and continues\n",
		"0 deleted, 1 being deleted, 0 left after all, 1 not deleted, 6 stay\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not said:\n%s", want, out)
		}
	}
	if got := g.left(); got != "1.0.1 1.0.2 1.0.3 1.0.4 1.0.10 1.0.11 1.0.12" {
		t.Errorf("left: %s", got)
	}
}

// TestPruneInterruptedAtTheQuestion: Ctrl-C is an answer, too.
func TestPruneInterruptedAtTheQuestion(t *testing.T) {
	g := filled(t, quickly)
	keyboard, terminal, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = keyboard.Close() }()
	defer func() { _ = terminal.Close() }()
	ctx, stop := context.WithCancel(t.Context())
	var out, errOut bytes.Buffer
	asked := writer(func(text []byte) {
		errOut.Write(text)
		if bytes.Contains(text, []byte("[y/N]")) {
			stop()
		}
	})
	args := append([]string{"prune", "--keep", "2", "--arm-endpoint", g.Endpoint()}, ofDefinition...)
	if status := execute(ctx, args, terminal, &out, asked); status != exitTimeout || errOut.String() != "Delete 2 of them? [y/N] \nerror: interrupted\n" {
		t.Errorf("status %d %s", status, errOut.String())
	}
	if out.String() != decided || g.left() != allOfThem {
		t.Errorf("left %s\n%s", g.left(), out.String())
	}
}

// writer calls a function with all that is written.
type writer func([]byte)

func (w writer) Write(text []byte) (int, error) {
	w(text)
	return len(text), nil
}

// TestPruneStoppedByASignal: the process is interrupted while Azure takes the first deletion on.
func TestPruneStoppedByASignal(t *testing.T) {
	g := filled(t, arm.Options{})
	c := exec.CommandContext(t.Context(), "goldmint", append([]string{"prune", "--arm-endpoint", g.Endpoint(), "--keep", "2", "--yes"}, ofDefinition...)...)
	process := make(chan *os.Process, 1)
	var once sync.Once // a second signal kills the command, and it may be at the next deletion before it hears of the first
	g.mu.Lock()
	g.before = func(method, _ string) http.Handler {
		if method == http.MethodDelete {
			once.Do(func() {
				if err := (<-process).Signal(os.Interrupt); err != nil {
					t.Error(err)
				}
			})
		}
		return nil
	}
	g.mu.Unlock()
	var stdout bytes.Buffer
	c.Stdout = &stdout
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	process <- c.Process
	_ = c.Wait() // its exit status says all
	out := stdout.String()
	if c.ProcessState.ExitCode() != exitTimeout {
		t.Errorf("exit status %d", c.ProcessState.ExitCode())
	}
	for _, name := range []string{"1.0.0", "1.0.2"} { // how many it has begun depends on when the signal arrives
		begun := strings.Contains(out, "deleting  "+name+"  interrupted: Azure has taken its deletion on and continues\n")
		tried := !strings.Contains(out, "not tried  "+name+"  interrupted\n")
		if body, _ := g.Version(galleryPath + "/" + name); begun != tried || begun != bytes.Contains(body, []byte(`"Deleting"`)) {
			t.Errorf("%s is %s, but the command says\n%s", name, body, out)
		}
	}
}
