package main

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"time"

	"goldmint/cmd/goldmint/internal/pipeline"
	"goldmint/internal/event"
	"goldmint/internal/request"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// waitFlags are the flags of whoever waits.
type waitFlags struct {
	timeout timeout
	output  string
}

func (w *waitFlags) add(f *pflag.FlagSet) {
	w.timeout = timeout(3 * time.Hour)
	f.Var(&w.timeout, "timeout", "how long to wait, as 90m or PT90M; the build goes on")
	addOutput(f, &w.output, "what to print at the end: the image id (of a success only), or the event", "id", "json")
}

// patience is how long to wait for a target. Of several that were submitted at once each gets a look.
func (w *waitFlags) patience(t target) time.Duration {
	all := time.Duration(w.timeout)
	if t.submitted.IsZero() {
		return all
	}
	return max(all-time.Since(t.submitted), min(all, firstContact))
}

func newWait() *cobra.Command {
	var o struct {
		connection
		waitFlags
	}
	c := &cobra.Command{
		Use:   "wait BUILD-ID",
		Short: "Wait for a build's end and print its image id",
		Long: `Waits until the build has ended and prints the image's resource ID, alone, on the standard output. What happens
meanwhile is told on the standard error.

It looks at the events of the subscription history without taking them: any number may wait for one build, and one that
starts during the build or after it gets the same answer. Under an id that was used for several requests it waits for the
newest build; BUILD-ID/DIGEST asks for the one whose request's digest starts so. A rejection is the answer only when
nothing was started or ended under the id.

An answer that is there already may be out of date: a corrected request may be on its way. Who may listen on the queue too
waits for such a request; others name it as BUILD-ID/DIGEST, as "dead-letters resubmit" prints it.

The exit status is 0 for a success, 1 for a failure, 2 for a rejection, 3 when the time is over and 4 when Service Bus could
not be reached.`,
		Example: `  goldmint wait web-1
  az vm create --image "$(goldmint wait web-1 --timeout 1h)" …`,
		Args: arguments(1, 1),
		RunE: func(c *cobra.Command, args []string) error {
			t, err := parseTarget(args[0])
			if err != nil {
				return err
			}
			b, err := o.dial()
			if err != nil {
				return err
			}
			defer b.close(c.Context())
			return waitFor(c, b, o.waitFlags, t)
		},
	}
	o.add(c.Flags())
	o.addFlags(c.Flags())
	o.addTopicFlags(c.Flags())
	o.addQueueFlag(c.Flags())
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

// parseTarget reads BUILD-ID or BUILD-ID/DIGEST.
func parseTarget(s string) (target, error) {
	m := targetForm.FindStringSubmatch(s)
	if m == nil {
		return target{}, fmt.Errorf("%q is no build id (1 to 48 of A-Z a-z 0-9 . _ -), nor BUILD-ID/DIGEST", s)
	}
	return target{id: m[1], digest: m[2]}, nil
}

// waitFor waits and reports.
func waitFor(c *cobra.Command, b *bus, flags waitFlags, t target) error {
	reporter := pipeline.Detect(os.Getenv, c.ErrOrStderr())
	progress := newProgress(c.ErrOrStderr(), reporter, t)
	f := &following{bus: b, target: t, progress: progress}
	entry, err := f.follow(c.Context(), flags)
	progress.stop()
	if err != nil {
		return err
	}
	if err := reporter.Ended(entry.Event); err != nil {
		return err
	}
	progress.ended(entry.Event)
	if flags.output == "json" {
		_, err = fmt.Fprintf(c.OutOrStdout(), "%s\n", entry.Body)
	} else if entry.Event.Type == event.Succeeded {
		_, err = fmt.Fprintln(c.OutOrStdout(), entry.Event.Data.ImageID)
	}
	return errors.Join(verdict(entry.Event), err)
}
