package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"time"

	"goldmint/cmd/goldmint/internal/pipeline"
	"goldmint/internal/event"
	"goldmint/internal/history"
	"goldmint/internal/request"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// waitFlags are the flags of the commands that wait for builds.
type waitFlags struct {
	timeout timeout
	output  string
}

func (w *waitFlags) add(f *pflag.FlagSet) {
	w.timeout = timeout(3 * time.Hour)
	f.Var(&w.timeout, "timeout", "how long to wait, as 90m or PT90M; the build goes on")
	addOutput(f, &w.output, "what to print at the end: the image id (of a success only), or the event", "id", "json")
}

func newWait() *cobra.Command {
	var o struct {
		connection
		waitFlags
	}
	c := &cobra.Command{
		Use:   "wait BUILD-ID...",
		Short: "Wait for the end of builds and print their image ids",
		Long: `Waits until each build has ended, and prints the images' resource IDs in the order of the arguments. Only these IDs go to the
standard output. What happens meanwhile goes to the standard error.

It peeks at the events of the subscription history and takes none of them. So any number of people may wait for one build, and
a wait that starts during the build or after it gets the same answer.

An id may have been used for several requests. Then BUILD-ID stands for the newest build, and BUILD-ID/DIGEST for the build
whose request has a digest that starts so. A rejection is the answer only when no build is queued, runs or has ended under the
id. It may be out of date for a moment, when a corrected request is on its way: BUILD-ID/DIGEST, as "dead-letters resubmit"
prints it, waits for that request alone.

The exit status is 0 for a success, 1 for a failure, 2 for a rejection, 3 when the time is over, and 4 when Service Bus cannot
be reached. Of several builds the highest one counts.`,
		Example: `  goldmint wait web-1
  goldmint wait web-1 db-1
  az vm create --image "$(goldmint wait web-1 --timeout 1h)" …`,
		Args:              arguments(1, endless),
		ValidArgsFunction: completeBuilds(&o.connection),
		RunE: func(c *cobra.Command, args []string) error {
			targets, err := parseTargets(args)
			if err != nil {
				return err
			}
			b, err := o.dial()
			if err != nil {
				return err
			}
			defer b.close(c.Context())
			return waitFor(c, b, o.waitFlags, targets)
		},
	}
	o.add(c.Flags())
	o.addFlags(c.Flags())
	o.addTopicFlags(c.Flags())
	return c
}

// target is the build that is waited for.
type target struct {
	id        string
	digest    string           // the start of the only digest that counts; empty for any
	submitted time.Time        // by this very command; else zero
	request   *request.Request // likewise
}

var targetForm = regexp.MustCompile(`^([A-Za-z0-9._-]{1,48})(?:/([0-9a-f]{1,64}))?$`)

// String is how the target is named on the command line.
func (t target) String() string {
	if t.digest == "" || t.request != nil {
		return t.id
	}
	return t.id + "/" + t.digest
}

// parseTargets reads each of the arguments, every build once.
func parseTargets(args []string) ([]target, error) {
	var all []target
	for _, arg := range args {
		t, err := parseTarget(arg)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(all, t) {
			all = append(all, t)
		}
	}
	return all, nil
}

// parseTarget reads BUILD-ID or BUILD-ID/DIGEST.
func parseTarget(s string) (target, error) {
	m := targetForm.FindStringSubmatch(s)
	if m == nil {
		return target{}, fmt.Errorf("%q is no build id (1 to 48 of A-Z a-z 0-9 . _ -), nor BUILD-ID/DIGEST", s)
	}
	return target{id: m[1], digest: m[2]}, nil
}

// waitFor waits for all of them and reports each as it ends. Image ids are printed in the order of
// the targets.
func waitFor(c *cobra.Command, b *bus, flags waitFlags, targets []target) error {
	table := newBuildTable()
	f := &following{bus: b}
	for _, t := range targets {
		r := table.row(t.String())
		if t.submitted.IsZero() {
			r.state = awaiting
		}
		if t.request != nil {
			r.asked(*t.request)
		}
		f.all = append(f.all, &awaited{target: t, row: r, since: time.Now(), timeline: history.Timeline{Digest: t.digest}})
	}
	f.progress = newProgress(c.ErrOrStderr(), table, (*row).sentence)
	ended := newEndings(c, f, flags.output)
	f.ended = ended.tell
	f.progress.start()
	err := f.follow(c.Context(), time.Duration(flags.timeout))
	f.progress.stop()
	return ended.verdict(err, &flags.timeout)
}

// endings reports the outcomes.
type endings struct {
	*following
	reporter *pipeline.Reporter
	out      io.Writer
	output   string
	printed  int // of the targets, from the first
}

func newEndings(c *cobra.Command, f *following, output string) *endings {
	return &endings{following: f, reporter: pipeline.Detect(os.Getenv, c.ErrOrStderr()), out: c.OutOrStdout(), output: output}
}

// tell reports one outcome, and prints the image ids that are next in the order.
func (n *endings) tell(a *awaited) error {
	if err := n.reporter.Ended(a.outcome.Event); err != nil {
		return err
	}
	if a.row.state == succeeded {
		n.progress.note("%s %s", a.row.mark(n.progress.paint), a.row.sentence())
	}
	n.notes(a)
	return n.progress.hold(func() error {
		for ; n.printed < len(n.all) && n.all[n.printed].outcome != nil; n.printed++ {
			if err := n.print(*n.all[n.printed].outcome); err != nil {
				return err
			}
		}
		return nil
	})
}

func (n *endings) print(e history.Entry) (err error) {
	if n.output == "json" {
		_, err = fmt.Fprintf(n.out, "%s\n", e.Body)
	} else if e.Event.Type == event.Succeeded {
		_, err = fmt.Fprintln(n.out, e.Event.Data.ImageID)
	}
	return err
}

// verdict is the error of all targets that made no image; err is how the following ended.
func (n *endings) verdict(err error, timeout *timeout) error {
	var wrong []error
	for i, a := range n.all {
		switch {
		case a.outcome == nil:
			wrong = append(wrong, a.unanswered(err, timeout))
			continue
		case i >= n.printed: // behind one that has not ended
			if err := n.print(*a.outcome); err != nil {
				return err
			}
		}
		if err := verdict(a.outcome.Event); err != nil {
			wrong = append(wrong, err)
		}
	}
	if n.err != nil {
		return n.err
	}
	var e *exitError
	if errors.As(err, &e) { // the error is about Service Bus, not about a target
		return e
	}
	return together(wrong, len(n.all), "builds")
}
