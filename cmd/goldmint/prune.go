package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"goldmint/cmd/goldmint/internal/catalog"
	"goldmint/cmd/goldmint/internal/prune"
	"goldmint/cmd/goldmint/internal/retention"
	"goldmint/cmd/goldmint/internal/screen"
	"goldmint/internal/request"
)

// pruneOptions are the flags of `goldmint prune`.
type pruneOptions struct {
	manager
	prefix    string
	keep      int
	olderThan span
	expired   bool
	checkUse  bool
	yes       bool
	wait      span
	output    string

	look time.Duration // between two lists while deletions run
}

// longestBuild is the longest timeout that a request may set for a build, from its PUT to its end:
// what is older belongs to one that has ended.
const longestBuild = request.MaxTimeout

func newPrune() *cobra.Command {
	o := pruneOptions{olderThan: span(longestBuild + time.Hour), wait: span(15 * time.Minute), look: 15 * time.Second}
	c := &cobra.Command{
		Use:   "prune",
		Short: "Delete old image versions or images that Goldmint made",
		Long: `Deletes the old versions of an image definition, or the old managed images of a name, and says of each why it goes or
stays. Without --yes it deletes nothing; on a terminal it asks after the list.

What stays: all that Goldmint did not make; what is not Succeeded; what has the tag goldmint-keep; what "latest" resolves to
in any region; the newest N, of all and of those that latest may resolve to in each region; what is younger than
--older-than, because its build may not have ended. Each is read again just before it is deleted and stays if it has changed.

Of images only those count whose name is --name-prefix and then digits, dots, dashes, T and Z: web-api-3 is not one of web-*.

The exit status is 0 when all that should go is gone, 1 when something of it is not, 2 for wrong usage or a definition that
does not exist, 3 when it was interrupted, 4 when Azure cannot be reached or refuses the list.`,
		Example: `  goldmint prune -g rg-images --gallery corp --image web --keep 5
  goldmint prune -g rg-images --gallery corp --image web --keep 5 --older-than 30d --check-use --yes
  goldmint prune -g rg-images --name-prefix web- --keep 3 --output json`,
		Args: arguments(0, 0),
		RunE: func(c *cobra.Command, _ []string) error { return runPrune(c, o) },
	}
	f := c.Flags()
	o.addGroupFlags(f)
	o.addGalleryFlags(f)
	f.StringVar(&o.prefix, "name-prefix", "", "managed images instead of versions: what their `names` begin with")
	f.IntVar(&o.keep, "keep", 0, "so many of the newest stay (required, at least 1)")
	f.Var(&o.olderThan, "older-than", "younger ones stay, such as 30d or 12h")
	f.BoolVar(&o.expired, "expired", false, "only those past their end of life go")
	f.BoolVar(&o.checkUse, "check-use", false, "what a VM or scale set of the subscription refers to stays")
	f.BoolVar(&o.yes, "yes", false, "delete, without a question")
	f.Var(&o.wait, "wait", "how long to wait for Azure to end the deletions; 0s: not at all")
	addOutput(f, &o.output, "a list, or one JSON object", "text", "json")
	return c
}

func (o *pruneOptions) checkAll() error {
	if err := o.check(); err != nil {
		return err
	}
	switch {
	case o.keep < 1:
		return errors.New("--keep is missing: say how many of the newest stay, at least 1")
	case (o.gallery == "") == (o.prefix == ""):
		return errors.New("give either --gallery and --image, or --name-prefix")
	case o.expired && o.prefix != "":
		return errors.New("--expired is for versions: managed images have no end of life")
	}
	return nil
}

func runPrune(c *cobra.Command, o pruneOptions) error {
	if err := o.checkAll(); err != nil {
		return err
	}
	azure, err := o.dial()
	if err != nil {
		return err
	}
	ctx := c.Context()
	shelf := o.shelf(azure)
	decisions, err := o.decide(ctx, azure, shelf)
	if err != nil {
		return o.explain(err)
	}
	report := &pruneReport{out: c.OutOrStdout(), json: o.output == "json", decisions: decisions, now: azure.Now()}
	report.list()
	going := countGoing(decisions)
	if going > 0 && !o.yes {
		if o.yes, err = o.confirm(c, going); err != nil {
			return err
		}
	}
	if going == 0 || !o.yes {
		return report.end(nil, !o.yes)
	}
	p := prune.Pruner{
		Shelf: shelf, Limits: prune.VersionLimits, Look: o.look, Wait: time.Duration(o.wait), Report: report.outcome,
		Pause: func(d time.Duration) {
			_, _ = fmt.Fprintf(c.ErrOrStderr(), "Azure limits deletions: the next in %s\n", d.Round(time.Second))
		},
		Await: func(running int) {
			_, _ = fmt.Fprintf(c.ErrOrStderr(), "Azure is deleting %d, which takes it a minute or two; Ctrl-C stops the wait\n", running)
		},
	}
	if o.prefix != "" {
		p.Limits = prune.ImageLimits
	}
	outcomes := p.Run(ctx, decisions)
	if err := report.end(outcomes, false); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return errInterrupted
	}
	return verdictOf(outcomes)
}

func (o *pruneOptions) shelf(azure *catalog.Azure) prune.Shelf {
	if o.prefix != "" {
		return azure.Images(o.group, o.prefix)
	}
	return azure.Versions(o.group, o.gallery, o.image)
}

func (o *pruneOptions) decide(ctx context.Context, azure *catalog.Azure, shelf prune.Shelf) ([]retention.Decision, error) {
	records, err := shelf.List(ctx)
	if err != nil {
		return nil, err
	}
	rule := retention.Rule{Keep: o.keep, OlderThan: time.Duration(o.olderThan), Expired: o.expired, Prefix: o.prefix, Now: azure.Now()}
	if o.checkUse {
		if rule.Users, err = azure.Users(ctx); err != nil {
			return nil, err
		}
	}
	return retention.Decide(itemsOf(records), rule), nil
}

// confirm asks, if standard input is a terminal. Ctrl-C counts as an answer.
func (o *pruneOptions) confirm(c *cobra.Command, going int) (bool, error) {
	in, ok := c.InOrStdin().(*os.File)
	if !ok || o.output == "json" || !term.IsTerminal(int(in.Fd())) {
		return false, nil
	}
	_, _ = fmt.Fprintf(c.ErrOrStderr(), "Delete %d of them? [y/N] ", going)
	answers := make(chan string, 1)
	go func() { // without an answer it stays until the process ends
		answer, _ := bufio.NewReader(in).ReadString('\n')
		answers <- answer
	}()
	select {
	case answer := <-answers:
		answer = strings.ToLower(strings.TrimSpace(answer))
		return answer == "y" || answer == "yes", nil
	case <-c.Context().Done():
		_, _ = fmt.Fprintln(c.ErrOrStderr())
		return false, errInterrupted
	}
}

func countGoing(decisions []retention.Decision) (n int) {
	for _, d := range decisions {
		if d.Delete {
			n++
		}
	}
	return n
}

func verdictOf(outcomes []prune.Outcome) error {
	bad := 0
	for _, o := range outcomes {
		if o.Result == prune.Failed || o.Result == prune.NotTried {
			bad++
		}
	}
	if bad == 0 {
		return nil
	}
	return &exitError{
		error: fmt.Errorf("%d of %d that should go did not", bad, len(outcomes)), status: exitFailed,
		hint: "run it again: it starts from what there is then",
	}
}

// pruneReport prints decisions and outcomes.
type pruneReport struct {
	out       io.Writer
	json      bool
	decisions []retention.Decision
	now       time.Time // by Azure's clock
}

func (r *pruneReport) list() {
	if r.json {
		return
	}
	w := tabwriter.NewWriter(r.out, 0, 0, 2, ' ', 0)
	for _, d := range r.decisions {
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", verb(d), d.Item.Name, since(d.Item.Created, r.now), screen.Line(d.Detail))
	}
	_ = w.Flush()
}

func (r *pruneReport) outcome(o prune.Outcome) {
	if !r.json {
		_, _ = fmt.Fprintln(r.out, strings.TrimSuffix(fmt.Sprintf("%-7s  %s  %s", o.Result, o.Name, o.Detail), "  "))
	}
}

// end prints the totals; dry means that nothing had to be deleted.
func (r *pruneReport) end(outcomes []prune.Outcome, dry bool) error {
	if r.json {
		return r.endJSON(outcomes, dry)
	}
	going := countGoing(r.decisions)
	text := fmt.Sprintf("%d go, %d stay", going, len(r.decisions)-going)
	if dry && going > 0 {
		text += ": nothing is deleted without --yes"
	}
	if len(outcomes) > 0 {
		count := map[prune.Result]int{}
		for _, o := range outcomes {
			count[o.Result]++
		}
		text = fmt.Sprintf("%d deleted, ", count[prune.Deleted])
		if n := count[prune.Deleting]; n > 0 {
			text += fmt.Sprintf("%d being deleted, ", n)
		}
		text += fmt.Sprintf("%d left after all, %d not deleted, %d stay", count[prune.Left], count[prune.Failed]+count[prune.NotTried], len(r.decisions)-going)
	}
	_, err := fmt.Fprintln(r.out, text)
	return err
}

// decisionJSON is a decision for programs.
type decisionJSON struct {
	ID           string           `json:"id"`
	Name         string           `json:"name"`
	Decision     string           `json:"decision"`
	Reason       retention.Reason `json:"reason"`
	Detail       string           `json:"detail"`
	Result       prune.Result     `json:"result,omitempty"`
	ResultDetail string           `json:"resultDetail,omitempty"`
}

func (r *pruneReport) endJSON(outcomes []prune.Outcome, dry bool) error {
	byName := map[string]prune.Outcome{}
	for _, o := range outcomes {
		byName[o.Name] = o
	}
	all := make([]decisionJSON, 0, len(r.decisions))
	for _, d := range r.decisions {
		o := byName[d.Item.Name]
		all = append(all, decisionJSON{d.Item.ID, d.Item.Name, verb(d), d.Reason, d.Detail, o.Result, o.Detail})
	}
	return json.NewEncoder(r.out).Encode(map[string]any{"dryRun": dry, "items": all})
}

func verb(d retention.Decision) string {
	if d.Delete {
		return "delete"
	}
	return "keep"
}

func since(t, now time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return age(now.Sub(t))
}
