package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"goldmint"
	"goldmint/emulator/arm"
	"goldmint/emulator/identity"
	"goldmint/emulator/servicebus"
	"goldmint/internal/event"
	"goldmint/internal/history"
	"goldmint/internal/localazure"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/spf13/cobra"
)

// localOptions are the flags of `goldmint local`.
type localOptions struct {
	submit    []string
	prepare   []string
	vms       []string
	untilDone bool
	output    string
	handler   string
	logs      string
	envFile   string
	limits    string
	faults    string
	seed      uint64
	arm       arm.Options
	bus       servicebus.Options
	identity  identity.Options
}

func newLocal() *cobra.Command {
	var o localOptions
	c := &cobra.Command{
		Use:   "local",
		Short: "Run Goldmint with a whole Azure on this machine",
		Long: `Starts a Service Bus, a Resource Manager, a managed identity and a Functions host on loopback, with the same handler
that is deployed. It prints how to connect to each and runs until Ctrl-C, or with --until-done until what it submitted is
done. The sources that submitted requests name (VMs, disks, snapshots, blobs) are made beforehand.

With --faults this Azure misbehaves, the same way for the same --seed as far as timing allows. SPEC is NAME=VALUE, comma
separated, where VALUE is a chance between 0 and 1 or, for kill, restart and cut, a mean time between two:
` + faultHelp() + `
Where faults can leave a message locked for a receiver that is gone, the queue's lock lasts 5 s instead of 5 minutes.

The exit status is 0 when every submitted build succeeded, else 1.`,
		Example: `  goldmint local
  goldmint local --submit examples/requests --until-done
  goldmint local --submit my-request.json --output json | jq .
  goldmint local --vm web-01,goldmint=capture
  goldmint local --prepare examples/requests --env-file .env --servicebus-listen 127.0.0.1:5672
  goldmint local --submit examples/requests --until-done --faults throttle=0.05,lost-reply=0.02,kill=10s --seed 7
  goldmint local --faults throttle=0.05,reset=0.02,fail=0.02,duplicate=0.01`,
		Args: arguments(0, 0),
		RunE: func(c *cobra.Command, _ []string) error { return runLocal(c, o) },
	}
	f := c.Flags()
	f.StringArrayVar(&o.submit, "submit", nil, "submit the request in the file, or all in the folder, at this `PATH` (may be given more than once)")
	f.StringArrayVar(&o.prepare, "prepare", nil, "make the sources of the requests at this `PATH` without submitting them")
	f.StringArrayVar(&o.vms, "vm", nil, "make a running VM: `NAME[,TAG=VALUE,...]` (may be given more than once)")
	f.BoolVar(&o.untilDone, "until-done", false, "stop when all that was submitted, and the image of each --vm, is done")
	addOutput(f, &o.output, "what happens, in words or as one JSON object a line: how to connect, then each event", "text", "json")
	f.StringVar(&o.handler, "handler", besideMe("handler"), "the handler binary")
	f.StringVar(&o.logs, "logs", "", "`file` for the handler's and the host's log lines (default: none are kept)")
	f.StringVar(&o.envFile, "env-file", "", "write how to connect to this `file`, a NAME=VALUE a line")
	f.StringVar(&o.bus.Addr, "servicebus-listen", "", "`address` of the Service Bus, such as 127.0.0.1:5672 (default: a free port)")
	f.StringVar(&o.bus.SharedAccessKey, "servicebus-key", "", "`key` of the Service Bus, in base64 (default: a new one)")
	f.StringVar(&o.arm.Addr, "arm-listen", "", "`address` of Resource Manager (default: a free port)")
	f.StringVar(&o.identity.Addr, "identity-listen", "", "`address` of the managed identity (default: a free port)")
	f.StringVar(&o.faults, "faults", "", "how this Azure misbehaves: a `SPEC` such as throttle=0.05,kill=10s (see above)")
	f.Uint64Var(&o.seed, "seed", 1, "decides which requests and which moments the faults hit")
	armFlags(c, &o.arm, &o.limits)
	return c
}

func runLocal(c *cobra.Command, o localOptions) error {
	submissions, err := readSubmissions(o.submit)
	if err != nil {
		return err
	}
	prepared, err := readSubmissions(o.prepare)
	if err != nil {
		return err
	}
	vms, err := parseVMs(o.vms)
	if err != nil {
		return err
	}
	if o.untilDone && len(submissions)+len(vms) == 0 {
		return errors.New("--until-done waits for what --submit and --vm name: give it at least one request or VM")
	}
	o.arm.Limits = limitsOf(o.limits)
	faults, err := localazure.ParseFaults(o.faults, o.seed)
	if err != nil {
		return fmt.Errorf("--faults: %w", err)
	}
	logs, err := openLogs(o.logs)
	if err != nil {
		return err
	}
	defer logs.close()
	show := newLocalOutput(c.OutOrStdout(), o.output, submissions, o.untilDone)
	azure, err := localazure.Start(c.Context(), localazure.Options{
		Handler: o.handler, HostJSON: goldmint.HostJSON, FunctionJSON: goldmint.FunctionJSON, ARM: o.arm, ServiceBus: o.bus, Identity: o.identity, Faults: faults,
		Console: func(line string, _ bool) { logs.write(line); show.console(line) },
		Log:     logs.write,
	})
	if err != nil {
		return err
	}
	defer func() { _ = azure.Close() }()
	for _, s := range append(submissions, prepared...) {
		azure.MakeSources(s.request)
	}
	for _, vm := range vms {
		azure.ARM.PutVM(vm)
		if o.output == "text" {
			fmt.Fprintf(c.OutOrStdout(), "Made a running VM: %s\n", vm.ID)
		}
	}
	if o.envFile != "" {
		if err := os.WriteFile(o.envFile, []byte(environmentOf(azure)), 0o600); err != nil {
			return fmt.Errorf("--env-file: %w", err)
		}
	}
	defer announceLocal(azure)()
	show.ready(azure)
	err = play(c.Context(), azure, append(submissions, expected(vms, o.untilDone)...), show, o.untilDone)
	if o.faults != "" {
		_, _ = fmt.Fprintln(c.ErrOrStderr(), injected(azure.Injected()))
	}
	return err
}

// injected says which faults happened, and how often.
func injected(counts map[string]int) string {
	var parts []string
	for _, f := range localazure.FaultNames() {
		if n := counts[f[0]]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, f[0]))
		}
	}
	if len(parts) == 0 {
		return "No fault was injected."
	}
	return "Faults injected: " + strings.Join(parts, ", ") + "."
}

// faultHelp lists the faults by name, one a line.
func faultHelp() string {
	var b strings.Builder
	for _, f := range localazure.FaultNames() {
		fmt.Fprintf(&b, "  %-11s %s\n", f[0], f[1])
	}
	return strings.TrimRight(b.String(), "\n")
}

// play submits and shows the events until all is done, the context ends, or the host stops with an
// error.
func play(ctx context.Context, azure *localazure.Azure, submissions []*submission, show localOutput, untilDone bool) error {
	client, err := azservicebus.NewClientFromConnectionString(azure.ServiceBus.ConnectionString(), nil)
	if err != nil {
		return err
	}
	defer func() { _ = client.Close(context.WithoutCancel(ctx)) }()
	reader, err := history.Open(client, localazure.Topic, history.Subscription)
	if err != nil {
		return err
	}
	if err := sendAll(ctx, client, submissions); err != nil {
		return err
	}
	ctx, stop := context.WithCancelCause(ctx)
	misbehaved := make(chan struct{})
	defer func() { stop(nil); <-misbehaved }()
	go func() {
		defer close(misbehaved)
		if err := azure.Misbehave(ctx); err != nil {
			stop(err)
		}
	}()
	waiting := newWaiting(submissions)
	err = reader.Follow(ctx, history.Following{
		Interval: 200 * time.Millisecond,
		OnError: func(err error, since time.Duration) error { // a connection that --faults cut comes back
			if since < 30*time.Second {
				return nil
			}
			return err
		},
		Each: func(entries []history.Entry, _ bool) bool {
			for _, e := range entries {
				show.event(e)
				waiting.saw(e.Event)
			}
			return untilDone && waiting.done()
		},
	})
	if err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return show.end(waiting)
}

// waiting is which submitted builds have not ended, and how the others did.
type waiting struct {
	open      map[string]bool // by build id
	succeeded int
	failed    int
}

func newWaiting(submissions []*submission) *waiting {
	w := &waiting{open: map[string]bool{}}
	for _, s := range submissions {
		w.open[s.id] = true
	}
	return w
}

func (w *waiting) saw(e event.Event) {
	if !w.open[e.Data.BuildID] || !e.Answers() {
		return
	}
	delete(w.open, e.Data.BuildID)
	if e.Type == event.Succeeded {
		w.succeeded++
	} else {
		w.failed++
	}
}

func (w *waiting) done() bool { return len(w.open) == 0 }

// verdict is nil when every submitted build succeeded.
func (w *waiting) verdict() error {
	if w.failed == 0 && w.done() {
		return nil
	}
	all := count(w.failed+w.succeeded+len(w.open), "build")
	var parts []string
	if w.failed > 0 {
		parts = append(parts, fmt.Sprintf("%d of %s gave no image", w.failed, all))
	}
	if n := len(w.open); n > 0 {
		parts = append(parts, fmt.Sprintf("%d of %s had not ended", n, all))
	}
	return &exitError{error: errors.New(strings.Join(parts, ", ")), status: exitFailed}
}

// besideMe is the path of a file in the folder of this command's binary.
func besideMe(name string) string {
	me, err := os.Executable()
	if err != nil {
		return name
	}
	return filepath.Join(filepath.Dir(me), name)
}
