package localazure

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"time"
)

// Misbehave causes the faults of processes and connections that Options.Faults name: it kills the
// handler, restarts the Functions host and cuts the connections to Service Bus, at moments drawn
// from the seed. It returns nil when the context ends, and the host's error when the host gives up.
// While it runs, nothing else may use Host.
func (a *Azure) Misbehave(ctx context.Context) error {
	rng := rand.New(rand.NewPCG(a.faults.ARM.Seed, 1)) //nolint:gosec // repeatable, not secret
	kill, restart, cut := newMoments(rng, a.faults.Kill), newMoments(rng, a.faults.Restart), newMoments(rng, a.faults.Cut)
	defer kill.stop()
	defer restart.stop()
	defer cut.stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-a.Host.Done():
			return fmt.Errorf("the Functions host gave up: %w", a.Host.Err())
		case <-kill.due:
			kill.draw()
			a.log("fault: kill -9 of the handler")
			a.done["kill"]++
			_ = a.Host.KillHandler() // it may be dead already
		case <-cut.due:
			cut.draw()
			a.log("fault: every connection to Service Bus is cut")
			a.done["cut"]++
			a.ServiceBus.DropConnections()
		case <-restart.due:
			restart.draw()
			if err := a.restartHost(ctx); err != nil {
				return err
			}
		}
	}
}

// Injected counts the faults that happened, by name. Call it after Misbehave has returned.
func (a *Azure) Injected() map[string]int {
	all := maps.Clone(a.done)
	maps.Copy(all, a.ARM.Injected())
	maps.Copy(all, a.ServiceBus.Injected())
	return all
}

// restartHost stops the host with little time to end its calls, so that sometimes a message stays
// locked, and starts another host.
func (a *Azure) restartHost(ctx context.Context) error {
	const grace = 500 * time.Millisecond
	a.log("fault: restart of the Functions host")
	a.done["restart"]++
	a.starts += a.Host.Starts()
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	if err := a.Host.Stop(stopping); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if err := a.StartHost(ctx); err != nil && ctx.Err() == nil {
		return err
	}
	return nil
}

// moments is a clock whose intervals are random, between a half and one and a half of the mean.
type moments struct {
	due   <-chan time.Time // nil where the fault is off
	timer *time.Timer
	mean  time.Duration
	rng   *rand.Rand
}

func newMoments(rng *rand.Rand, mean time.Duration) *moments {
	m := &moments{mean: mean, rng: rng}
	if mean > 0 {
		m.timer = time.NewTimer(m.next())
		m.due = m.timer.C
	}
	return m
}

func (m *moments) next() time.Duration {
	return m.mean/2 + time.Duration(m.rng.Int64N(int64(m.mean)))
}

func (m *moments) draw() { m.timer.Reset(m.next()) }

func (m *moments) stop() {
	if m.timer != nil {
		m.timer.Stop()
	}
}
