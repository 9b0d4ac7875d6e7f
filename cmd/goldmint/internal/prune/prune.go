// Package prune carries out what retention decided, one item after the other, and says what became of each.
package prune

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
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
	Left     Result = "left"
	Failed   Result = "failed"
	NotTried Result = "not tried"
	started  Result = "started" // Azure has taken the deletion on
)

// Outcome is an item that was to go with its result.
type Outcome struct {
	Name   string
	Result Result
	Detail string
}

// Azure allows 150 deletions of versions in 3 minutes, and 120 of images; what it answers to more is waited for by the SDK.
const window = 3 * time.Minute

// Pruner deletes from a shelf.
type Pruner struct {
	Shelf  Shelf
	Limit  int           // deletions in 3 minutes
	Look   time.Duration // between two lists while deletions run, at most: it begins with a second
	Wait   time.Duration // for deletions to end
	Report func(Outcome) // of each as it becomes known

	sent     []time.Time // the last deletions, Limit at most
	outcomes []Outcome
}

// Run deletes what the decisions say and waits until it is gone. When the context ends nothing more is deleted: the
// outcomes say what was.
func (p *Pruner) Run(ctx context.Context, decisions []retention.Decision) []Outcome {
	refused := false
	for _, d := range slices.Backward(decisions) { // oldest first: what a break leaves is the newer
		if !d.Delete {
			continue
		}
		o := Outcome{Name: d.Item.Name, Result: NotTried}
		switch {
		case refused:
			o.Detail = "the one before was refused for want of rights"
		case ctx.Err() != nil:
			o.Detail = "interrupted"
		default:
			o, refused = p.one(ctx, d.Item)
		}
		p.note(o)
	}
	p.await(ctx)
	return p.outcomes
}

func (p *Pruner) note(o Outcome) {
	p.outcomes = append(p.outcomes, o)
	if o.Result != started {
		p.Report(o)
	}
}

// one looks at an item again and deletes it. refused means that the others need not be tried.
func (p *Pruner) one(ctx context.Context, listed retention.Item) (o Outcome, refused bool) {
	o.Name = listed.Name
	if err := p.pace(ctx); err != nil {
		o.Result, o.Detail = NotTried, "interrupted"
		return o, false
	}
	now, found, err := p.Shelf.Read(ctx, listed.Name)
	switch {
	case err != nil:
		return failure(ctx, o, err)
	case !found:
		o.Result, o.Detail = Deleted, "by someone else"
		return o, false
	}
	if why := retention.Again(listed, now.Item); why != "" {
		o.Result, o.Detail = Left, why
		return o, false
	}
	// Ctrl-C does not tear the connection while Azure takes the deletion on: then nobody would know whether it did.
	sending, cancel := context.WithTimeout(context.WithoutCancel(ctx), window+time.Minute)
	defer cancel()
	p.sent = append(p.sent, time.Now())
	if err := p.Shelf.Delete(sending, listed.Name); err != nil {
		return failure(ctx, o, err)
	}
	o.Result = started
	return o, false
}

// failure is the outcome of an error.
func failure(ctx context.Context, o Outcome, err error) (Outcome, bool) {
	var r *azcore.ResponseError
	switch {
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		o.Result, o.Detail = NotTried, "interrupted"
	case errors.As(err, &r) && r.ErrorCode == "ScopeLocked":
		o.Result, o.Detail = Left, "it is locked"
	case errors.As(err, &r) && strings.Contains(r.ErrorCode, "BlockedBeforeEndOfLife"):
		o.Result, o.Detail = Left, "it may not be deleted before its end of life"
	default:
		o.Result, o.Detail = Failed, Brief(err)
	}
	return o, errors.As(err, &r) && r.StatusCode == http.StatusForbidden
}

// pace waits until one more deletion is within what Azure allows.
func (p *Pruner) pace(ctx context.Context) error {
	if len(p.sent) < p.Limit {
		return ctx.Err()
	}
	p.sent = p.sent[len(p.sent)-p.Limit:]
	return sleep(ctx, window-time.Since(p.sent[0]))
}

// await lists until what was started is gone. It costs a list now and then instead of an operation's polls for each.
func (p *Pruner) await(ctx context.Context) {
	end := time.Now().Add(p.Wait)
	pause := min(time.Second, p.Look)
	for slices.ContainsFunc(p.outcomes, running) {
		err := p.settle(ctx)
		if !slices.ContainsFunc(p.outcomes, running) {
			return
		}
		if err == nil && time.Now().After(end) {
			err = fmt.Errorf("it is still there after %s", p.Wait)
		}
		if err == nil {
			err = sleep(ctx, pause)
			pause = min(2*pause, p.Look)
		}
		if err != nil {
			p.giveUp(ctx, err)
			return
		}
	}
}

// settle lists once and notes what is gone.
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
		switch {
		case !found:
			o.Result = Deleted
		case strings.EqualFold(r.State, "Failed"):
			o.Result, o.Detail = Failed, "Azure could not delete it: its state is Failed"
		default:
			continue
		}
		p.Report(*o)
	}
	return nil
}

func (p *Pruner) giveUp(ctx context.Context, err error) {
	for i := range p.outcomes {
		if o := &p.outcomes[i]; running(*o) {
			o.Result, o.Detail = Failed, "Azure has taken its deletion on; whether it ended is not known: "+Brief(err)
			if ctx.Err() != nil {
				o.Detail = "interrupted: Azure has taken its deletion on and continues"
			}
			p.Report(*o)
		}
	}
}

func running(o Outcome) bool { return o.Result == started }

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
