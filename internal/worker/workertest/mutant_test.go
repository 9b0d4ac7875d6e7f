package workertest

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"goldmint/internal/build"
	"goldmint/internal/event"
	"goldmint/internal/message"
	"goldmint/internal/worker"
)

// mutants are deliberate bugs. Each must be caught: a checker that finds nothing proves nothing.
var mutants = []struct {
	name   string
	want   string // in one of the violations
	mutate func(*Options)
}{
	{"creates without looking whether the name is taken", "PUT", ports(func(_ *invocation, w *worker.Worker) {
		w.ARM = blindARM{w.ARM}
	})},
	{"completes before the continuation is sent", "never ended", ports(func(inv *invocation, w *worker.Worker) {
		w.Bus = lateBus{w.Bus, inv}
	})},
	{"publishes before the image has succeeded", "succeeded without an image", ports(func(_ *invocation, w *worker.Worker) {
		w.ARM = hopefulARM{w.ARM}
	})},
	{"takes any image for its own", "succeeded without an image", ports(func(inv *invocation, w *worker.Worker) {
		w.ARM = greedyARM{w.ARM, w, inv}
	})},
	{"forgets to reschedule when ARM is busy", "never ended", ports(func(_ *invocation, w *worker.Worker) {
		w.Bus = forgetfulBus{w.Bus}
	})},
	{"creates from a message that was delivered before", "delivered before", func(o *Options) {
		o.mutate = func(_ *invocation, _ *worker.Worker, m *message.Received) { m.DeliveryCount = 1 }
	}},
	{"does not wait for an earlier delivery", "PUT", func(o *Options) {
		o.Policy.HandOver, o.Faults.Timeout, o.Faults.LockLost = 0, 0.2, 0.3
	}},
	{"gives each continuation a random MessageId", "ended twice", func(o *Options) {
		o.Faults.NoComplete = 0.5
		ports(func(inv *invocation, w *worker.Worker) {
			w.Bus = renamingBus{w.Bus, func(m *message.Outgoing) { m.ID += fmt.Sprint("/", inv.i.w.rng.Uint64()) }}
		})(o)
	}},
	{"gives all continuations of a build one MessageId", "never ended", ports(func(_ *invocation, w *worker.Worker) {
		w.Bus = renamingBus{w.Bus, func(m *message.Outgoing) { m.ID = keyOf(m.ID) + "/next" }}
	})},
	{"runs without duplicate detection", "ended twice", func(o *Options) { o.NoDuplicateDetection = true }},
	{"deletes an image that is newer than its request", "DELETE of another's image", ports(func(_ *invocation, w *worker.Worker) {
		w.ARM = ageingARM{w.ARM}
	})},
	{"retries for ever", "longer than", func(o *Options) {
		o.Faults.Outages = []Outage{{After: 58 * time.Second, For: 6 * time.Hour}}
		ports(func(_ *invocation, w *worker.Worker) { w.Policy.MaxWait = 1000 * time.Hour })(o)
	}},
	{"never takes a message for poison", "by its delivery count", func(o *Options) { o.Rules.PoisonDelivery = 99 }},
	{"tells a failure before it is written down", "ended", func(o *Options) {
		o.Faults.Final, o.Faults.NoComplete = 0.3, 0.5
		ports(func(_ *invocation, w *worker.Worker) { w.Bus = hastyBus{w.Bus} })(o)
	}},
	{"has an id of its own for each outcome", "nobody asked for", ports(func(_ *invocation, w *worker.Worker) {
		w.Bus = outspokenBus{w.Bus}
	})},
	{"looks again without pause", "spins", ports(func(_ *invocation, w *worker.Worker) {
		w.Bus = renamingBus{w.Bus, func(m *message.Outgoing) { m.At = time.Time{} }}
	})},
}

// TestMutants plays seeds until the checker bites.
func TestMutants(t *testing.T) {
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			const seeds = 60
			for s := range uint64(seeds) {
				o := Default(s + 1)
				o.Faults = Terrible()
				m.mutate(&o)
				w := New(o)
				w.Load(40, time.Minute)
				w.SubmitKiller(10 * time.Second)
				r := w.Run()
				for _, v := range r.Violations {
					if strings.Contains(v.What, m.want) {
						t.Logf("caught with seed %d: %s", s+1, v)
						return
					}
				}
			}
			t.Errorf("not caught by %d seeds", seeds)
		})
	}
}

func ports(change func(*invocation, *worker.Worker)) func(*Options) {
	return func(o *Options) {
		o.mutate = func(inv *invocation, w *worker.Worker, _ *message.Received) { change(inv, w) }
	}
}

// blindARM shows no image until the build has put one.
type blindARM struct{ worker.ARM }

func (blindARM) Image(context.Context, string) (build.Image, error) { return build.Image{}, nil }

// hopefulARM calls an image done that is still being made.
type hopefulARM struct{ worker.ARM }

func (a hopefulARM) Image(ctx context.Context, id string) (build.Image, error) {
	i, err := a.ARM.Image(ctx, id)
	if i.State == "Creating" {
		i.State = "Succeeded"
	}
	return i, err
}

func (a hopefulARM) Operation(context.Context, build.Build) (build.Operation, error) {
	return build.Operation{Status: "Succeeded"}, nil
}

// greedyARM puts the build's own tag on whatever it sees.
type greedyARM struct {
	worker.ARM
	w   *worker.Worker
	inv *invocation
}

func (a greedyARM) Image(ctx context.Context, id string) (build.Image, error) {
	i, err := a.ARM.Image(ctx, id)
	if r := a.inv.i.w.records[a.inv.m.key]; r != nil && i.Exists {
		i.BuildTag = r.build.Tag()
	}
	return i, err
}

// ageingARM makes every image look older than any request.
type ageingARM struct{ worker.ARM }

func (a ageingARM) Image(ctx context.Context, id string) (build.Image, error) {
	i, err := a.ARM.Image(ctx, id)
	i.CreatedAt = i.CreatedAt.Add(-24 * time.Hour)
	return i, err
}

// lateBus sends continuations when the message is settled, if the process still lives.
type lateBus struct {
	worker.Bus
	inv *invocation
}

func (b lateBus) Enqueue(_ context.Context, m message.Outgoing) error {
	w, i := b.inv.i.w, b.inv.i
	deaths := w.stats.Kills
	w.clock.after(2*time.Second, func() {
		if i.up && w.stats.Kills == deaths {
			w.builds.send(m, keyOf(m.ID), false)
		}
	})
	return nil
}

// forgetfulBus loses the continuations of builds after an error.
type forgetfulBus struct{ worker.Bus }

func (b forgetfulBus) Enqueue(ctx context.Context, m message.Outgoing) error {
	if strings.Contains(string(m.Body), `"transient":2`) {
		return nil
	}
	return b.Bus.Enqueue(ctx, m)
}

// renamingBus changes what is sent.
type renamingBus struct {
	worker.Bus
	change func(*message.Outgoing)
}

func (b renamingBus) Enqueue(ctx context.Context, m message.Outgoing) error {
	b.change(&m)
	return b.Bus.Enqueue(ctx, m)
}

// hastyBus publishes a failure instead of sending it through the queue.
type hastyBus struct{ worker.Bus }

func (b hastyBus) Enqueue(ctx context.Context, m message.Outgoing) error {
	if d := ended(m); d.Decided() {
		return b.Publish(ctx, d.Poisoned(build.Image{}, "", m.At))
	}
	return b.Bus.Enqueue(ctx, m)
}

// ended is the build in a continuation.
func ended(m message.Outgoing) build.Build {
	var e struct{ Data build.Build }
	if err := json.Unmarshal(m.Body, &e); err != nil {
		panic(err)
	}
	return e.Data
}

// outspokenBus lets a build succeed and fail.
type outspokenBus struct{ worker.Bus }

func (b outspokenBus) Publish(ctx context.Context, e event.Event) error {
	if e.Type == event.Failed {
		e.ID = "failed/" + e.ID
	}
	return b.Bus.Publish(ctx, e)
}
