package worker_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"goldmint/internal/event"
	"goldmint/internal/vmevent"
	"goldmint/internal/worker"
)

// TestVMEventsCrash lets the process die before and after every single effect, of the work on the
// events and of the build: the outcome is the same each time.
func TestVMEventsCrash(t *testing.T) {
	for _, test := range []struct {
		name           string
		steps          []step
		parallel       int
		images, events []string
	}{
		{"generalized by hand", with(byHand, events), 2, image, built},
		{"generalized by Goldmint", []step{vm("web", 1, tagged("goldmint-generalize", "true")), do("deallocate", "web"), events, drain, events}, 2, image, built},
		{"looked at again later", []step{vm("web", 1), do("powerOff", "web"), do("generalize", "web"), only("generalize"), events}, 1, image, built},
		{"told that it cannot be", []step{vm("web", 1, security("TrustedLaunch")), do("deallocate", "web"), do("generalize", "web"), events}, 2, nil, []string{"failed OperationNotAllowed"}},
	} {
		for parallel := 1; parallel <= test.parallel; parallel++ {
			for when, after := range map[string]bool{"before": false, "after": true} {
				t.Run(fmt.Sprintf("%s, %d at once, %s each effect", test.name, parallel, when), func(t *testing.T) {
					t.Parallel()
					crashes := 0
					for at := 1; crashAt(t, test.steps, &crash{at: at, after: after}, parallel, test.images, test.events); at++ {
						crashes++
					}
					if crashes < 4 {
						t.Errorf("only %d effects were crashed at", crashes)
					}
				})
			}
		}
	}
}

// crashAt reports whether there was an effect to crash at.
func crashAt(t *testing.T, steps []step, c *crash, parallel int, images, events []string) bool {
	t.Helper()
	r := newRig(t, nil)
	r.crash.at, r.crash.after, r.parallel = c.at, c.after, parallel
	for _, s := range steps {
		s(r)
	}
	r.drain()
	compare(t, fmt.Sprintf("crash at %d: images", c.at), images, r.images())
	compare(t, fmt.Sprintf("crash at %d: events", c.at), events, r.events)
	compare(t, fmt.Sprintf("crash at %d: dead letters", c.at), nil, r.deadLetters())
	return r.crash.fell
}

// deafTopic refuses the first events.
type deafTopic struct {
	worker.Bus
	left int
}

func (d *deafTopic) Publish(ctx context.Context, e event.Event) error {
	if d.left--; d.left >= 0 {
		return errors.New("the topic takes nothing")
	}
	return d.Bus.Publish(ctx, e)
}

// TestVMEventOutlivesTheTopic: an event that cannot be published comes again through the queue, and
// is published once.
func TestVMEventOutlivesTheTopic(t *testing.T) {
	r := newRig(t, nil)
	r.worker.Bus = &deafTopic{r.worker.Bus, 7}
	for _, s := range []step{vm("web", 1, security("TrustedLaunch")), do("deallocate", "web"), events, drain} {
		s(r)
	}
	compare(t, "events", []string{"failed OperationNotAllowed"}, r.events)
	if n := r.logs.FilterMessage("vm_event_continued").Len(); n != 7 {
		t.Errorf("%d continuations, want 7", n)
	}
}

// TestPoisonousVMEvent: an event whose handling dies every time is tried once more, and then fails,
// and its failure is published.
func TestPoisonousVMEvent(t *testing.T) {
	r := newRig(t, nil)
	r.worker.VMs = dyingVMs{}
	for _, s := range with(byHand, only("generalize"), events, drain) {
		s(r)
	}
	compare(t, "dead letters", []string{"PoisonMessage"}, r.deadLetters())
	compare(t, "events", []string{"failed PoisonMessage"}, r.events)
	if poison := r.logs.FilterMessage("poison").All(); len(poison) != 2 || poison[0].ContextMap()["vm"] != vmID {
		t.Errorf("the log has %v", poison)
	}
}

type dyingVMs struct{ worker.VMs }

func (dyingVMs) VM(context.Context, vmevent.ID) (vmevent.VM, error) { panic(errCrash) }
