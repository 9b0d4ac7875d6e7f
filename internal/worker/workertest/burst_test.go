package workertest

import (
	"fmt"
	"testing"
	"time"

	"goldmint/internal/request"
)

// TestBurst sends a thousand requests at once against ARM's limits, through the real worker: all
// are created, hardly one creation is refused, and the last ends not much later than the limit
// allows. What is held is internal/ratelimit's promise.
func TestBurst(t *testing.T) {
	for _, c := range []struct {
		name   string
		limits func() Limits
		least  time.Duration
		slow   bool // at full size only
	}{
		{"bucket 60 + 20", func() Limits { return Bucket(60, 20) }, 47 * time.Minute, false},
		{"windows 40 + 200", func() Limits { return Windows(40, 200) }, 132 * time.Minute, true},
	} {
		for _, instances := range []int{1, 4, 40} {
			if !*full && (c.slow || instances != 4) {
				continue
			}
			t.Run(fmt.Sprintf("%s, %d instances", c.name, instances), func(t *testing.T) {
				t.Parallel()
				r := burst(t, 1000, c.limits(), instances)
				t.Logf("%.1f min, %.2f of the least, %d of %d creations refused, %.1f messages a build", r.LastEnd.Minutes(),
					float64(r.LastEnd)/float64(c.least), r.Throttled, r.Creations, float64(r.Deliveries)/float64(r.Builds))
				if r.Succeeded != r.Builds || r.Throttled > r.Creations/200 || r.LastEnd > c.least*105/100 || r.Deliveries > 12*r.Builds {
					t.Errorf("%+v", r)
				}
			})
		}
	}
}

// BenchmarkTenThousand is what a build costs the worker, the limiter and the simulation while ten
// thousand stand in line.
func BenchmarkTenThousand(b *testing.B) {
	const builds = 10_000
	var r Stats
	for b.Loop() {
		r = burst(b, builds, Bucket(600, 200), 4)
	}
	b.ReportMetric(float64(b.Elapsed().Milliseconds())/builds/float64(b.N), "ms/build")
	b.ReportMetric(float64(r.Deliveries)/builds, "messages/build")
	b.ReportMetric(float64(r.Throttled), "refused")
	b.ReportMetric(r.LastEnd.Minutes(), "virtual-minutes")
}

func burst(tb testing.TB, builds int, limits Limits, instances int) Stats {
	tb.Helper()
	o := calm(1)
	o.Limits, o.Instances, o.Policy.MaxWait = limits, instances, 12*time.Hour
	w := New(o)
	for i := range builds {
		s := Spec{ID: fmt.Sprintf("b%05d", i), Name: fmt.Sprintf("image-%05d", i), Source: "vm", IfExists: request.Fail, Timeout: "PT30M"}
		w.Submit(0, s, "m-"+s.ID)
	}
	return sure(tb, w).Stats
}
