package workertest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"goldmint/internal/armerr"
	"goldmint/internal/build"
	"goldmint/internal/message"
	"goldmint/internal/ratelimit"
	"goldmint/internal/worker"
)

// Start is when a simulation's virtual time begins.
var Start = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// Options configure a run. Two runs with the same options are the same, step by step.
type Options struct {
	Seed        uint64
	Instances   int  // Functions hosts, each with a handler process
	Slots       int  // messages that a host works on at once, of each function
	ProcessEach bool // each instance runs one of the functions, as in Azure; if false, both
	Policy      build.Policy
	Rules       worker.Rules
	Faults      Faults
	Limits      Limits // of image creations; nil for none
	Versions    bool   // the requests of Load ask for gallery image versions

	NoDuplicateDetection bool // on the builds queue; Goldmint relies on it

	Trace func(at time.Time, who, key, what string) // what happens, as it happens; nil for no trace

	mutate func(*invocation, *worker.Worker, *message.Received) // a deliberate bug
}

// Default is three instances of the worker with its default settings, except for shorter times of a
// build, and with the faults of Usual.
func Default(seed uint64) Options {
	p := build.DefaultPolicy()
	p.MaxWait = 3 * time.Hour
	return Options{
		Seed: seed, Instances: 3, Slots: 16, Policy: p, Faults: Usual(),
		Rules: worker.Rules{DefaultSubscription: subscription, EventSource: "/sim", PoisonDelivery: 5},
	}
}

const subscription = "11111111-1111-1111-1111-111111111111"

// World is the simulation: all that is around the workers.
type World struct {
	Options
	clock     clock
	rng       *rand.Rand
	store     store
	requests  *queue // anybody sends here
	builds    *queue // the workers alone
	arm       *arm
	instances []*instance
	topic     map[string]time.Time // event ids, for duplicate detection

	records    map[string]*record // by build key
	order      []*record
	names      map[string]int // builds by image id
	stats      Stats
	violations []Violation
}

// New makes a world without any work. See Load and Submit.
func New(o Options) *World {
	w := &World{
		Options: o, clock: clock{now: Start}, rng: rand.New(rand.NewPCG(o.Seed, 0)), //nolint:gosec // a run is to be repeated
		topic: map[string]time.Time{}, records: map[string]*record{}, names: map[string]int{},
		stats: Stats{Failed: map[string]int{}},
	}
	w.store = store{w, ratelimit.NewMemory(func() time.Time { return w.clock.now })}
	w.requests = &queue{w: w, name: message.Requests, seen: map[string]time.Time{}}
	w.builds = &queue{w: w, name: message.Builds, detects: !o.NoDuplicateDetection, seen: map[string]time.Time{}}
	w.arm = &arm{w: w, images: map[string]*image{}, operations: map[string]*operation{}}
	for n := range o.Instances {
		i := &instance{w: w, name: fmt.Sprintf("host-%d", n+1)}
		if o.ProcessEach {
			i.only = []message.Queue{message.Requests, message.Builds}[n%2]
		}
		i.boot()
		if o.Faults.Skew > 0 {
			i.skew = w.between(-o.Faults.Skew, o.Faults.Skew)
		}
		w.instances = append(w.instances, i)
	}
	return w
}

// Run lets time pass until nothing is left to do, then checks the outcome of each build. A
// violation ends it at once.
func (w *World) Run() Report {
	limit := Start.Add(w.life())
	for len(w.violations) == 0 && w.clock.step(limit) {
	}
	if len(w.violations) == 0 {
		w.judge()
	}
	for _, i := range w.instances {
		for _, inv := range i.at {
			inv.stop()
		}
	}
	dead := slices.Concat(w.requests.dead, w.builds.dead)
	w.stats.Dead = len(dead)
	return Report{Options: w.Options, Violations: w.violations, Stats: w.stats, Dead: dead}
}

// life is far longer than any build may take.
func (w *World) life() time.Duration { return 7 * 24 * time.Hour }

// Report is the result of a run.
type Report struct {
	Options    Options
	Violations []Violation
	Stats      Stats
	Dead       []Dead
}

// Stats count what happened.
type Stats struct {
	Builds      int
	Succeeded   int
	Failed      map[string]int // by code
	Rejected    int
	Deliveries  int // of messages to handlers
	Creations   int // PUTs that reached ARM
	Regions     int // events of another region that has a version
	Throttled   int // of them, refused for the allowance
	Kills       int
	Dead        int // messages dead-lettered
	Conflicting int // ends published again with another outcome, and dropped
	LastEnd     time.Duration
}

// Violation is a broken rule.
type Violation struct {
	At   time.Duration // since the start
	Key  string        // of the build
	What string
}

func (v Violation) String() string { return fmt.Sprintf("%s after %s: %s", v.Key, v.At, v.What) }

func (w *World) violated(key, format string, args ...any) {
	what := fmt.Sprintf(format, args...)
	w.violations = append(w.violations, Violation{At: w.clock.now.Sub(Start), Key: key, What: what})
	w.tell("check", key, "VIOLATION: %s", what)
}

func (w *World) tell(who, key, format string, args ...any) {
	if w.Trace != nil {
		w.Trace(w.clock.now, who, key, fmt.Sprintf(format, args...))
	}
}

func clockTime(t time.Time) string { return t.UTC().Format("15:04:05.000") }

// allowance counts one creation against ARM's rate limits and returns what remains of them.
func (w *World) allowance(b build.Build) ([]ratelimit.Limit, *armerr.Error) {
	w.stats.Creations++
	if w.Limits == nil {
		return nil, nil
	}
	scope := b.SubscriptionID + " " + b.Request.Location()
	remaining, wait, ok := w.Limits.Take(scope, w.clock.now)
	left := ratelimit.Parse(remaining)
	if ok {
		return left, nil
	}
	w.stats.Throttled++
	return nil, &armerr.Error{Status: 429, Code: "OperationNotAllowed", RetryAfter: wait, Left: left}
}
