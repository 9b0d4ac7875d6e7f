// Package prune carries out what retention decided, one item after the other, and reports the
// outcome of each.
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

// The results. Left is not a failure: the item turned out to be needed.
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
	vanish   map[string]bool // which of the outcomes were seen to be deleted
	awaiting bool            // and said so
}

// Run deletes what the decisions say and waits until it is gone. When the context ends nothing more
// is deleted: the outcomes say what was.
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
	// Ctrl-C does not cancel the call, because then it would be unknown whether Azure has accepted
	// the deletion.
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
