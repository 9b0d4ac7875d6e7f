// Command goldmint is for the people and pipelines around Goldmint: it runs the whole flow on a
// local Azure, and submits builds to a deployed one.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"goldmint/cmd/goldmint/internal/pipeline"
	"goldmint/cmd/goldmint/internal/screen"
	"goldmint/cmd/goldmint/internal/secret"

	"github.com/spf13/cobra"
)

// The exit statuses, the same for every command.
const (
	exitOK          = 0
	exitFailed      = 1 // a build failed
	exitUsage       = 2 // wrong usage, or a request that is refused
	exitTimeout     = 3 // it did not end in time
	exitUnreachable = 4 // the service could not be reached

	exitPipe = 128 + int(syscall.SIGPIPE) // nobody reads the output any more: the status that a shell reports
)

func main() {
	os.Exit(run(os.Args[1:]))
}

// run is the command with its signals: the first one asks it to stop, a second one kills it.
func run(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	context.AfterFunc(ctx, stop)
	signal.Ignore(syscall.SIGPIPE) // a write to a pipe that nobody reads fails instead, so that child processes are stopped
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	status := execute(ctx, args, os.Stdin, &pipe{os.Stdout, cancel}, &pipe{os.Stderr, cancel})
	if errors.Is(context.Cause(ctx), syscall.EPIPE) {
		return exitPipe
	}
	return status
}

// pipe is a file that ends the command when nobody reads it any more.
type pipe struct {
	*os.File
	end context.CancelCauseFunc
}

func (p *pipe) Write(text []byte) (int, error) {
	n, err := p.File.Write(text)
	if errors.Is(err, syscall.EPIPE) {
		p.end(err)
	}
	return n, err
}

// execute runs the command and returns its exit status.
func execute(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) int {
	errOut = secret.Writer(errOut)
	root := newRoot() //nolint:contextcheck // the commands get it by ExecuteContext
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errOut)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	if errors.Is(err, syscall.EPIPE) { // nobody reads on, which is no error to report
		return exitPipe
	}
	paint := screen.PaintFor(errOut, os.Getenv)
	log := pipeline.Detect(os.Getenv, errOut).Plain(errOut)
	_, _ = fmt.Fprintln(log, paint.Bad("error:"), err)
	var e *exitError
	if !errors.As(err, &e) {
		e = &exitError{error: err, status: exitUsage}
	}
	if strings.HasPrefix(err.Error(), "unknown command") {
		e.hint = "`goldmint help` lists the commands"
	}
	if e.hint != "" {
		_, _ = fmt.Fprintln(log, "hint:", e.hint)
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
		Use:   "goldmint",
		Short: "Build Azure managed images by message",
		Long: `Goldmint builds Azure managed images by message: a request goes to a Service Bus queue, and an event with the image's
resource ID comes out of a topic. This command submits requests, waits for their end, and runs the whole on this machine.`,
		Example: `  goldmint new vm > web.yaml
  goldmint validate web.yaml
  goldmint submit web.yaml --set name=web-$(date +%Y%m%d) --wait
  goldmint local --submit web.yaml --until-done`,
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,

		PersistentPreRunE: func(c *cobra.Command, _ []string) error { return noSecrets(c.Flags()) },
	}
	root.AddGroup(&cobra.Group{ID: groupBuilds, Title: "Builds:"}, &cobra.Group{ID: groupImages, Title: "Images and versions:"}, &cobra.Group{ID: groupDeployment, Title: "A deployment:"}, &cobra.Group{ID: groupLocal, Title: "On this machine:"})
	for _, c := range []*cobra.Command{newNew(), newSchema(), newValidate(), newSubmit(), newWait(), newStatus(), newList()} {
		c.GroupID = groupBuilds
		root.AddCommand(c)
	}
	for _, c := range []*cobra.Command{newVersions(), newImages(), newPromote(), newPrune()} {
		c.GroupID = groupImages
		root.AddCommand(c)
	}
	for _, c := range []*cobra.Command{newEvents(), newDeadLetters(), newDoctor()} {
		c.GroupID = groupDeployment
		root.AddCommand(c)
	}
	for _, c := range []*cobra.Command{newLocal(), newEmulator()} {
		c.GroupID = groupLocal
		root.AddCommand(c)
	}
	root.AddCommand(newVersion(), helpEnvironment(), helpExitStatus())
	completeValues(root)
	fitHelp(root)
	root.SetUsageTemplate(usageTemplate(root))
	root.SetFlagErrorFunc(usageError)
	root.SetHelpCommand(newHelp())
	root.SetVersionTemplate("goldmint {{.Version}}\n")
	return root
}

// The groups of commands in the help.
const (
	groupBuilds     = "builds"
	groupImages     = "images"
	groupDeployment = "deployment"
	groupLocal      = "local"
)
