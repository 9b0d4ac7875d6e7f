package pace

import (
	"flag"
	"fmt"
	"testing"
	"time"
)

var (
	burstSeeds = flag.Int("burst.seeds", 1, "how many orders of delivery to play each burst in")
	burstAll   = flag.Bool("burst.all", false, "play the slow bursts, too")
	burstTable = flag.Bool("burst.table", false, "print the burst table of docs/pacing.md")
)

// burst is the number of requests that arrive at once.
const burst = 1000

// TestBurst holds what pacing promises for each model and number of instances: the last creation not much later than the
// model allows, hardly a refusal, nothing lost, the oldest first.
func TestBurst(t *testing.T) {
	for i, m := range models() {
		if i >= 3 && !*burstAll {
			break
		}
		least := bound(m(), burst)
		for _, instances := range []int{1, 4, 40} {
			t.Run(fmt.Sprintf("%s, %d instances", m(), instances), func(t *testing.T) {
				t.Parallel()
				for seed := range *burstSeeds {
					r := run(burst, instances, m(), newOurs(instances), uint64(seed)+1)
					r.hold(t, promised(m()), least)
				}
			})
		}
	}
}

// promise is what a burst has to hold, however many instances there are.
type promise struct{ time, refused, messages float64 }

// promised is the same for every model that Azure's headers and documents suggest. Windows in fixed steps, which they do
// not, may cost more.
func promised(m model) promise {
	if w, ok := m.(*windows); ok && w.fixed {
		return promise{time: 1.3, refused: 0.04, messages: 60}
	}
	return promise{time: 1.1, refused: 0.02, messages: 80}
}

func (r result) hold(t *testing.T, p promise, least time.Duration) {
	t.Helper()
	if r.started != r.builds {
		t.Errorf("%d of %d builds were started", r.started, r.builds)
	}
	if ratio := float64(r.last) / float64(least); ratio > p.time {
		t.Errorf("the last was started after %.3f of the least time, not %.2f", ratio, p.time)
	}
	if r.refusals() > p.refused {
		t.Errorf("%.1f %% were refused, more than %.0f %%", 100*r.refusals(), 100*p.refused)
	}
	if each := float64(r.messages) / float64(r.builds); each > p.messages {
		t.Errorf("%.0f messages for each build, more than %.0f", each, p.messages)
	}
	if r.overtaken > burst/8 {
		t.Errorf("%d builds were started before the oldest", r.overtaken)
	}
}

// TestMixedQueue holds that a burst gets done in time where requests for other regions come in between its own: what lies
// between their tickets is learned, and what it costs is refusals.
func TestMixedQueue(t *testing.T) {
	for _, others := range []int{1, 4, 19} {
		for _, instances := range []int{1, 4, 40} {
			t.Run(fmt.Sprintf("%d others, %d instances", others, instances), func(t *testing.T) {
				t.Parallel()
				m := &windows{per3: 40, per30: 200}
				r := (&world{limit: m, policy: newOurs(instances), others: others}).play(burst, instances, 1)
				least := bound(&windows{per3: 40, per30: 200}, burst)
				t.Logf("%.2f of the least, %.1f %% refused", float64(r.last)/float64(least), 100*r.refusals())
				r.hold(t, promise{time: 1.4, refused: 0.7, messages: 120}, least)
			})
		}
	}
}

// TestBurstTable prints how Goldmint's pacing compares with policies that try at once.
func TestBurstTable(t *testing.T) {
	if !*burstTable {
		t.Skip("the table is printed with -args -burst.table")
	}
	fmt.Println("| limit | least | policy | instances | time | of the least | 98 % | refused | messages a build | before the oldest |")
	fmt.Println("|---|---|---|---|---|---|---|---|---|---|")
	for _, m := range models() {
		least, most := bound(m(), burst), bound(m(), burst*98/100)
		for _, instances := range []int{1, 4, 40} {
			for _, name := range []string{"Goldmint", "Retry-After, in place", "again after 10 s"} {
				r := worst(m, name, instances)
				fmt.Printf("| %s | %.1f min | %s | %d | %.1f min | %.2f | %.2f | %.1f %% | %.0f | %d |\n", m(), least.Minutes(), name, instances,
					r.last.Minutes(), float64(r.last)/float64(least), float64(r.most)/float64(most), 100*r.refusals(), float64(r.messages)/burst, r.overtaken)
			}
		}
	}
}

// worst takes the worst of each figure over the seeds.
func worst(m func() model, policy string, instances int) result {
	var w result
	for seed := range *burstSeeds {
		r := run(burst, instances, m(), policyOf(policy, instances), uint64(seed)+1)
		w.started, w.builds = r.started, r.builds
		w.last, w.most = max(w.last, r.last), max(w.most, r.most)
		w.refused, w.messages, w.overtaken = max(w.refused, r.refused), max(w.messages, r.messages), max(w.overtaken, r.overtaken)
	}
	return w
}

func policyOf(name string, instances int) policy {
	switch name {
	case "Goldmint":
		return newOurs(instances)
	case "again after 10 s":
		return naive{fixed: 10 * time.Second}
	default:
		return naive{}
	}
}
