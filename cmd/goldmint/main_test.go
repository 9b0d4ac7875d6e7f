package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// handlerVariable names the handler binary that the tests' local Azure runs.
const handlerVariable = "GOLDMINT_TEST_HANDLER"

// noExitSleep is the GORACE of the commands that the tests run: one that ends takes its goroutines
// along at once, where the race detector would let them go on for a second.
const noExitSleep = "atexit_sleep_ms=0"

// TestMain puts the command goldmint on the PATH of whatever the tests run, and builds the handler
// once.
func TestMain(m *testing.M) {
	testscript.Main(withHandler{m}, map[string]func(){
		"goldmint": func() { os.Exit(run(os.Args[1:])) },
	})
}

type withHandler struct{ *testing.M }

// Run builds the handler, runs the tests and cleans up.
func (m withHandler) Run() int {
	dir, err := os.MkdirTemp("", "goldmint-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	handler := filepath.Join(dir, "handler")
	build := exec.Command("go", "build", "-trimpath", "-o", handler, "goldmint/handler")
	build.Env = append(os.Environ(), "CGO_ENABLED=0") // as the Makefile builds it: most of it is in Go's cache
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "build the handler:", err)
		return 1
	}
	if err := errors.Join(os.Setenv(handlerVariable, handler), os.Setenv("GORACE", noExitSleep)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.M.Run()
}
