// Package prune carries out what retention decided, one item after the other, and says what became of each.
package prune

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"

	"goldmint/cmd/goldmint/internal/catalog"
	"goldmint/cmd/goldmint/internal/retention"
)

// Shelf is where the items are.
type Shelf interface {
	List(ctx context.Context) ([]catalog.Record, error)
	Read(ctx context.Context, name string) (catalog.Record, bool, error)
	Delete(ctx context.Context, name string) error
}

// Result is what became of an item that was to go.
type Result string

// The results. Left is no failure: what was to go turned out to be someone's who wants it to stay.
const (
	Deleted  Result = "deleted"
	Deleting Result = "deleting" // Azure has taken the deletion on
	Left     Result = "left"
	Failed   Result = "failed"
	NotTried Result = "not tried"
)

// Outcome is an item that was to go with its result.
type Outcome struct {
	Name   string
	Result Result
	Detail string
}

// Limit is how many deletions fit in a time. Azure counts those of all callers.
type Limit struct {
	Deletions int
	Window    time.Duration
}

// VersionLimits and ImageLimits are one below what Azure was recorded to allow in a subscription and region.
var (
	VersionLimits = []Limit{{149, 3 * time.Minute}, {999, 30 * time.Minute}}
	ImageLimits   = []Limit{{119, 3 * time.Minute}, {599, 30 * time.Minute}}
)

// Pruner deletes from a shelf.
type Pruner struct {
	Shelf  Shelf
	Limits []Limit
	Look   time.Duration       // between two lists while deletions run, at most: it begins with a second
	Wait   time.Duration       // for deletions to end; 0: not at all
	Report func(Outcome)       // of each as it becomes known
	Pause  func(time.Duration) // before a pause that Azure's limits make necessary
	Await  func(running int)   // before the wait for so many deletions to end

	sent     []time.Time // when deletions were asked for
	outcomes []Outcome
	vanish   map[string]bool // which of the outcomes were listed as being deleted
	lists    int             // so far, while deletions run
}

// Run deletes what the decisions say and waits until it is gone. When the context ends nothing more is deleted: the
// outcomes say what was.
func (p *Pruner) Run(ctx context.Context, decisions []retention.Decision) []Outcome {
	refused := false
	for _, d := range slices.Backward(decisions) { // oldest first: what a break leaves is the newer
		if !d.Delete {
			continue
		}
		o := Outcome{Name: d.Item.Name, Result: NotTried, Detail: "the one before was refused for want of rights"}
		if !refused {
			o, refused = p.one(ctx, d.Item)
		}
		p.outcomes = append(p.outcomes, o)
		if o.Result != Deleting || p.Wait == 0 {
			p.Report(o)
		}
	}
	if p.Wait > 0 {
		p.await(ctx)
	}
	return p.outcomes
}

// one looks at an item again and deletes it. refused means that the others need not be tried.
func (p *Pruner) one(ctx context.Context, listed retention.Item) (o Outcome, refused bool) {
	for pause := p.pace(); p.rest(ctx, pause) == nil; {
		o, err := p.attempt(ctx, listed)
		if pause = tooMany(err); pause > 0 {
			continue
		}
		if err != nil {
			o.Result, o.Detail = failure(ctx, err)
		}
		var r *azcore.ResponseError
		return o, errors.As(err, &r) && r.StatusCode == http.StatusForbidden
	}
	return Outcome{listed.Name, NotTried, "interrupted"}, false
}

// attempt reads the item and deletes it if it is as it was listed.
func (p *Pruner) attempt(ctx context.Context, listed retention.Item) (Outcome, error) {
	o := Outcome{Name: listed.Name}
	now, found, err := p.Shelf.Read(ctx, listed.Name)
	if err != nil {
		return o, err
	}
	if !found {
		o.Result, o.Detail = Deleted, "by someone else"
		return o, nil
	}
	if why := retention.Again(listed, now.Item); why != "" {
		o.Result, o.Detail = Left, why
		return o, nil
	}
	// Ctrl-C does not tear the connection while Azure takes the deletion on: then nobody would know whether it did.
	sending, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Minute)
	defer cancel()
	p.sent = append(p.sent, time.Now())
	o.Result, o.Detail = Deleting, "Azure has taken its deletion on"
	return o, p.Shelf.Delete(sending, listed.Name)
}

// failure says what an error means.
func failure(ctx context.Context, err error) (Result, string) {
	var r *azcore.ResponseError
	switch {
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		return NotTried, "interrupted"
	case errors.As(err, &r) && r.ErrorCode == "ScopeLocked":
		return Left, "it is locked"
	case errors.As(err, &r) && strings.Contains(r.ErrorCode, "BlockedBeforeEndOfLife"):
		return Left, "it may not be deleted before its end of life"
	}
	return Failed, Brief(err)
}

// tooMany is how long Azure wants to be left alone: zero where the error says nothing of the kind.
func tooMany(err error) time.Duration {
	var r *azcore.ResponseError
	if !errors.As(err, &r) || r.StatusCode != http.StatusTooManyRequests {
		return 0
	}
	if r.RawResponse != nil {
		if seconds, err := strconv.Atoi(r.RawResponse.Header.Get("Retry-After")); err == nil && seconds > 0 {
			return time.Duration(seconds) * time.Second
		}
	}
	return time.Minute
}

// pace is how long to wait until one more deletion is within the limits.
func (p *Pruner) pace() (pause time.Duration) {
	for _, l := range p.Limits {
		if over := len(p.sent) - l.Deletions; over >= 0 {
			pause = max(pause, l.Window-time.Since(p.sent[over]))
		}
	}
	return pause
}

// rest pauses for Azure's limits, or ends with the context's error.
func (p *Pruner) rest(ctx context.Context, pause time.Duration) error {
	if pause > 0 && ctx.Err() == nil {
		p.Pause(pause)
	}
	return sleep(ctx, pause)
}

// await lists until what was started is gone. It costs a list now and then instead of an operation's polls for each.
func (p *Pruner) await(ctx context.Context) {
	end := time.Now().Add(p.Wait)
	pause := min(time.Second, p.Look)
	p.vanish = map[string]bool{}
	for slices.ContainsFunc(p.outcomes, running) {
		err := p.settle(ctx) // one that fails is made up for by the next
		if !slices.ContainsFunc(p.outcomes, running) {
			return
		}
		if time.Now().After(end) {
			why := "it is still there after " + p.Wait.String()
			if err != nil {
				why = "Azure has taken its deletion on; whether it ended is not known: " + Brief(err)
			}
			p.giveUp(Failed, why)
			return
		}
		if p.lists++; p.lists == 1 {
			p.Await(count(p.outcomes))
		}
		if sleep(ctx, pause) != nil {
			p.giveUp(Deleting, "interrupted: Azure has taken its deletion on and continues")
			return
		}
		pause = min(2*pause, p.Look)
	}
}

// settle lists once and notes what is gone, and what Azure did not delete after all.
func (p *Pruner) settle(ctx context.Context) error {
	records, err := p.Shelf.List(ctx)
	if err != nil {
		return err
	}
	there := map[string]catalog.Record{}
	for _, r := range records {
		there[r.Name] = r
	}
	for i := range p.outcomes {
		o := &p.outcomes[i]
		if !running(*o) {
			continue
		}
		r, found := there[o.Name]
		deleting := strings.EqualFold(r.State, "Deleting")
		switch {
		case !found:
			o.Result, o.Detail = Deleted, ""
		case !deleting && p.vanish[o.Name], strings.EqualFold(r.State, "Failed"):
			o.Result, o.Detail = Failed, "Azure did not delete it: its state is "+r.State
		default:
			p.vanish[o.Name] = deleting
			continue
		}
		p.Report(*o)
	}
	return nil
}

// giveUp ends all that still runs.
func (p *Pruner) giveUp(result Result, detail string) {
	for i := range p.outcomes {
		if o := &p.outcomes[i]; running(*o) {
			o.Result, o.Detail = result, detail
			p.Report(*o)
		}
	}
}

func count(outcomes []Outcome) (n int) {
	for _, o := range outcomes {
		if running(o) {
			n++
		}
	}
	return n
}

func running(o Outcome) bool { return o.Result == Deleting }

// Brief is an error in a line: of Azure's answers, code and message.
func Brief(err error) string {
	var r *azcore.ResponseError
	if !errors.As(err, &r) {
		return err.Error()
	}
	if r.ErrorCode == "" {
		return fmt.Sprintf("Azure answered %d", r.StatusCode)
	}
	return fmt.Sprintf("Azure answered %d %s", r.StatusCode, r.ErrorCode)
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
