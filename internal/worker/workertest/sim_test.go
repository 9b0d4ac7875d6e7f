package workertest

import (
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"
)

var (
	seed   = flag.Uint64("seed", 0, "play this seed alone")
	seeds  = flag.Int("seeds", 16, "how many seeds to play")
	builds = flag.Int("builds", 25, "builds of a seed")
	full   = flag.Bool("full", false, "play the scenarios at full size")
	trace  = flag.Bool("trace", false, "print everything that happens")
)

// TestSimulation plays seeds. With none given they are the first few, so that a failure is the next
// run's as well.
func TestSimulation(t *testing.T) {
	first, n := uint64(1), *seeds
	if *seed != 0 {
		first, n = *seed, 1
	}
	for s := first; s < first+uint64(n); s++ {
		t.Run(fmt.Sprint("seed=", s), func(t *testing.T) {
			t.Parallel()
			o := Default(s)
			if s%2 == 0 {
				o.Faults = Terrible()
			}
			began := time.Now()
			r := play(o, *builds, *trace)
			t.Logf("%d builds in %s: %+v", *builds, time.Since(began).Round(time.Millisecond), r.Stats)
			report(t, r, func(o Options) { play(o, *builds, false) })
		})
	}
}

// TestSimulationOfVersions plays gallery image versions: they take minutes, are looked at in two
// ways and have two attempts.
func TestSimulationOfVersions(t *testing.T) {
	regions := 0
	for s := uint64(1); s <= uint64(*seeds); s++ {
		o := Default(s)
		o.Versions = true
		if s%2 == 0 {
			o.Faults = Terrible()
		}
		r := play(o, *builds, false)
		t.Logf("seed %d: %+v", s, r.Stats)
		report(t, r, func(o Options) { play(o, *builds, false) })
		regions += r.Stats.Regions
	}
	if regions == 0 {
		t.Error("no event reported a region")
	}
}

func play(o Options, builds int, loud bool) Report {
	if loud {
		o.Trace = func(at time.Time, who, key, what string) { fmt.Println(line(at, who, key, what)) }
	}
	w := New(o)
	w.Load(builds, time.Duration(builds)*time.Second)
	return w.Run()
}

func line(at time.Time, who, key, what string) string {
	return fmt.Sprintf("%12s  %-7s %-20s %s", at.Sub(Start).Round(time.Millisecond), who, key, what)
}

// report fails the test with what was violated, how to see it again, and how it came to it: the run
// is run once more with a trace of the builds with that image.
func report(t *testing.T, r Report, again func(Options)) {
	t.Helper()
	if len(r.Violations) == 0 {
		return
	}
	v := r.Violations[0]
	id, _, _ := strings.Cut(v.Key, "/")
	var lines []string
	o := r.Options
	o.Trace = func(at time.Time, who, key, what string) {
		if strings.HasPrefix(key, id) {
			lines = append(lines, line(at, who, key, what))
		}
	}
	again(o)
	t.Errorf("%s\nreplay: go test ./internal/worker/workertest -run Simulation -seed %d -builds %d -trace\n%s",
		v, r.Options.Seed, *builds, strings.Join(lines, "\n"))
}
