package prune

import (
	"context"
	"slices"
	"strings"
	"time"

	"goldmint/cmd/goldmint/internal/catalog"
)

// await looks until what was started is gone: at one version now and then, and at the list when
// that one is gone. So it costs neither an operation's polls for each nor all the list's pages each
// time.
func (p *Pruner) await(ctx context.Context) {
	end := time.Now().Add(p.Wait)
	pause := min(time.Second, p.Look)
	p.vanish = map[string]bool{}
	for slices.ContainsFunc(p.outcomes, running) {
		late := time.Now().After(end)
		still, err := p.glance(ctx) // after a failed look the next one is enough
		if !still || late {
			err = p.settle(ctx)
		}
		if !slices.ContainsFunc(p.outcomes, running) {
			return
		}
		if late {
			why := "it is still there after " + p.Wait.String()
			if err != nil {
				why = "Azure has taken its deletion on; whether it ended is not known: " + Brief(err)
			}
			p.giveUp(Failed, why)
			return
		}
		if !p.awaiting {
			p.awaiting = true
			p.Await(count(p.outcomes))
		}
		if sleep(ctx, pause) != nil {
			p.giveUp(Deleting, "interrupted: Azure has taken its deletion on and continues")
			return
		}
		pause = min(2*pause, p.Look)
	}
}

// glance reads the first that runs, and says whether Azure is still deleting it.
func (p *Pruner) glance(ctx context.Context) (still bool, err error) {
	first := p.outcomes[slices.IndexFunc(p.outcomes, running)].Name
	now, found, err := p.Shelf.Read(ctx, first)
	if still = err == nil && found && strings.EqualFold(now.State, "Deleting"); still {
		p.vanish[first] = true
	}
	return still, err
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
