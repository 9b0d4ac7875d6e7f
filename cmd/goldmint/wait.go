package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"time"

	"goldmint/internal/event"
	"goldmint/internal/history"
	"goldmint/internal/namespace"
	"goldmint/internal/pipeline"
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
	f.StringVarP(&w.output, "output", "o", "id", "what to print at the end: id (the image id, of a success only) or json (the event)")
}

// check is for before anything is done: a build that was sent cannot be taken back.
func (w *waitFlags) check() error {
	if w.output != "id" && w.output != "json" {
		return fmt.Errorf("--output is %q: use id or json", w.output)
	}
	return nil
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

The exit status is 0 for a success, 1 for a failure, 2 for a rejection, 3 when the time is over and 4 when Service Bus could
not be reached.`,
		Example: `  goldmint wait web-1
  az vm create --image "$(goldmint wait web-1 --timeout 1h)" …`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			t, err := parseTarget(args[0])
			if err != nil {
				return err
			}
			if err := o.check(); err != nil {
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

// parseTarget reads BUILD-ID or BUILD-ID/DIGEST.
func parseTarget(s string) (target, error) {
	m := targetForm.FindStringSubmatch(s)
	if m == nil {
		return target{}, fmt.Errorf("%q is no build id (1 to 48 of A-Z a-z 0-9 . _ -), nor BUILD-ID/DIGEST", s)
	}
	return target{id: m[1], digest: m[2]}, nil
}

// lookEvery is the time between two looks for new events: with what a look takes it is below the two seconds within
// which an event is to be seen.
const lookEvery = time.Second

// waitFor waits and reports.
func waitFor(c *cobra.Command, b *bus, flags waitFlags, t target) error {
	reporter := pipeline.Detect(os.Getenv, c.ErrOrStderr())
	progress := newProgress(c.ErrOrStderr(), reporter, t)
	entry, err := follow(c.Context(), b, time.Duration(flags.timeout), t, progress)
	progress.stop()
	if err != nil {
		return err
	}
	if err := reporter.Ended(entry.Event); err != nil {
		return err
	}
	progress.ended(entry.Event)
	if flags.output == "json" {
		_, _ = fmt.Fprintf(c.OutOrStdout(), "%s\n", entry.Body)
	} else if entry.Event.Type == event.Succeeded {
		_, _ = fmt.Fprintln(c.OutOrStdout(), entry.Event.Data.ImageID)
	}
	return verdict(entry.Event)
}

// errTimeout ends a wait.
var errTimeout = errors.New("the time is over")

// lostContact is how long a namespace that was reached before may be out of reach.
const lostContact = 10 * time.Minute

// follow reads the events until they tell the outcome.
func follow(ctx context.Context, b *bus, patience time.Duration, t target, p *progress) (history.Entry, error) {
	reader, err := history.Open(b.client, b.topic, b.subscription)
	if err != nil {
		return history.Entry{}, b.trouble(err, b.historyEntity(), namespace.Listen)
	}
	reader.BuildID = t.id
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errTimeout)
	defer cancel()
	story := history.Story{Digest: t.digest}
	var outcome *history.Entry
	reached := false
	err = reader.Follow(ctx, history.Following{
		Interval: lookEvery,
		Each: func(entries []history.Entry, current bool) bool {
			reached = true
			for _, e := range entries {
				story.Tell(e)
			}
			if current {
				outcome = story.Outcome()
				p.heard(story.Started())
			}
			return outcome != nil
		},
		Trouble: func(err error, since time.Duration) error {
			return b.endure(err, since, reached, p)
		},
	})
	switch {
	case err == nil:
		return *outcome, nil
	case errors.Is(err, errTimeout):
		err = fmt.Errorf("build %s did not end within %s", t.id, short(patience))
	case errors.Is(err, context.Canceled):
		err = fmt.Errorf("interrupted while waiting for build %s", t.id)
	default:
		return history.Entry{}, err
	}
	hint := "the build goes on: `goldmint wait " + t.id + "` waits for it again"
	if story.Latest() == nil && t.submitted.IsZero() {
		hint = "nothing was heard of " + t.id + ": is the id right, and does the handler run? `goldmint dead-letters list` shows what it refused"
	}
	return history.Entry{}, &exitError{error: err, status: exitTimeout, hint: hint}
}

// endure says whether trouble is to be put up with: not a refusal by a namespace that was never reached.
func (b *bus) endure(err error, since time.Duration, reached bool, p *progress) error {
	explained := b.trouble(err, b.historyEntity(), namespace.Listen)
	var refusal *namespace.Refusal
	switch {
	case !reached && (errors.As(explained, &refusal) || since > firstContact), since > lostContact:
		return explained
	}
	p.trouble(err)
	return nil
}
