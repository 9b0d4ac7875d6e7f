// Command goldmint is for the people and pipelines around Goldmint: it runs the whole flow on a local Azure, and submits
// builds to a deployed one.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// The exit statuses, the same for every command.
const (
	exitOK          = 0
	exitFailed      = 1 // a build failed
	exitUsage       = 2 // wrong usage, or a request that is refused
	exitTimeout     = 3 // it did not end in time
	exitUnreachable = 4 // the service could not be reached
)

func main() {
	os.Exit(run(os.Args[1:]))
}

func run(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := newRoot()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	fmt.Fprintln(os.Stderr, "error:", err)
	var e *exitError
	if !errors.As(err, &e) {
		return exitUsage
	}
	if e.hint != "" {
		fmt.Fprintln(os.Stderr, "hint:", e.hint)
	}
	return e.status
}

// exitError is an error with its exit status, and what to do about it.
type exitError struct {
	error
	status int
	hint   string
}

func (e *exitError) Unwrap() error { return e.error }

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "goldmint",
		Short:         "Build Azure managed images by message",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.AddCommand(newLocal(), newEmulator(), newDoctor())
	return root
}
