package deploy_test

import (
	"context"
	"math"
	"os"
	"regexp"
	"strconv"
	"sync"
	"testing"
	"time"

	"goldmint/emulator/arm"
	"goldmint/internal/localazure"
)

// What Azure Functions bills on Flex Consumption: the instance's memory for the time of an
// execution, a second at least.
const (
	instanceGB  = 0.5 // instance_memory_in_mb of function.tf
	leastBilled = time.Second
	billedBy    = 100 * time.Millisecond
)

// BenchmarkCost builds one image or version of each kind as `goldmint local` does, with Resource
// Manager as slow as it was recorded, and counts what Azure would bill. docs/deploy.md has the
// figures. A whole version takes seven minutes.
//
//	go test ./internal/deploy -run '^$' -bench Cost -benchtime 1x -timeout 30m
func BenchmarkCost(b *testing.B) {
	handler := buildHandler(b)
	example := func(path string) func(*flow) {
		return func(f *flow) { f.submitExample("../examples/"+path+".json", "build") }
	}
	for _, kind := range []struct {
		name string
		ask  func(*flow)
	}{
		{"image-from-managed-disk", example("requests/from-managed-disk")},
		{"image-from-snapshot", example("requests/from-snapshot")},
		{"image-from-vm", example("requests/from-vm")},
		{"image-from-blob", example("requests/from-blob")},
		{"image-by-vm-event", func(f *flow) {
			f.deallocated("web", map[string]string{"goldmint": "capture", "goldmint-generalize": "true"})
		}},
		{"version-shallow", example("requests-gallery/from-vm-shallow")},
		{"version-from-vm-2-regions", example("requests-gallery/from-vm")},
		{"version-from-managed-image", example("requests-gallery/from-managed-image")},
	} {
		b.Run(kind.name, func(b *testing.B) {
			var total bill
			for b.Loop() {
				total.add(buildOnce(b, handler, kind.ask))
			}
			for unit, value := range total.metrics(b.N) {
				b.ReportMetric(value, unit)
			}
		})
	}
}

// bill is what one build used.
type bill struct {
	executions           map[string]int // by function
	gbSeconds            float64
	events, reads, wrote int
}

func (t *bill) add(one bill) {
	if t.executions == nil {
		t.executions = map[string]int{}
	}
	for function, n := range one.executions {
		t.executions[function] += n
	}
	t.gbSeconds += one.gbSeconds
	t.events += one.events
	t.reads += one.reads
	t.wrote += one.wrote
}

// metrics are what is reported of it, each for one of n builds.
func (t *bill) metrics(n int) map[string]float64 {
	all := map[string]float64{
		"ns/op": 0, "take": float64(t.executions["take-request"]), "build": float64(t.executions["build-image"]), "GB-s": t.gbSeconds,
		"events": float64(t.events), "blob-reads": float64(t.reads), "blob-writes": float64(t.wrote),
	}
	for unit := range all {
		all[unit] /= float64(n)
	}
	return all
}

var executed = regexp.MustCompile(`executed 'Functions\.([\w-]+)' \(\w+, id \S+, (\d+) ms\)`)

// buildOnce runs one build on a separate local Azure.
func buildOnce(b *testing.B, handler string, ask func(*flow)) bill {
	b.Helper()
	var mu sync.Mutex
	used := bill{executions: map[string]int{}}
	f := openFlow(b, localazure.Options{
		Handler: handler,
		ARM:     arm.Options{PutLatency: arm.RecordedLatency},
		Log: func(line string) {
			found := executed.FindStringSubmatch(line)
			if found == nil {
				return
			}
			ms, _ := strconv.Atoi(found[2])
			took := max(leastBilled, time.Duration(ms)*time.Millisecond)
			mu.Lock()
			defer mu.Unlock()
			used.executions[found[1]]++
			used.gbSeconds += instanceGB * math.Ceil(float64(took)/float64(billedBy)) * billedBy.Seconds()
		},
	})
	f.limit = 20 * time.Minute
	ask(f)
	f.until("the build's end", func() bool { return len(f.outcomes()) == 1 })
	for id, outcome := range f.outcomes() {
		if outcome != "succeeded" {
			b.Fatalf("%s %s; logged:\n%s", id, outcome, f.text())
		}
	}
	if err := f.azure.Host.Stop(context.WithoutCancel(b.Context())); err != nil { // the last execution is reported
		b.Fatal(err)
	}
	used.events = f.published()
	used.reads, used.wrote = f.azure.Storage.Requests()
	mu.Lock()
	defer mu.Unlock()
	return used
}

// published counts the events in the history.
func (f *flow) published() int {
	f.t.Helper()
	receiver, err := f.client.NewReceiverForSubscription(localazure.Topic, localazure.History, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	defer func() { _ = receiver.Close(context.Background()) }()
	events, err := receiver.PeekMessages(f.t.Context(), 100, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	return len(events)
}

// List prices of docs/deploy.md in US dollars.
const (
	anExecution    = 0.40 / 1e6
	onDemandGBs    = 0.000026
	alwaysReadyGBs = 0.000016
	aBlobRead      = 0.004 / 1e4
	aBlobWrite     = 0.05 / 1e4
	logsOfOne      = 10e3 / 1e9 * 2.76 // ten lines of 1 kB for each execution
)

var costRow = regexp.MustCompile(`(?m)^\| .*? \| (\d+) \| (\d+) \| ([\d.]+) \| (\d+) \| (\d+) \| (\d+) \| (\d+) \+ (\d+) \| \$([\d.]+) \| \$([\d.]+) \|$`)

// The costs of docs/deploy.md follow from its counts and prices.
func TestCostArithmetic(t *testing.T) {
	page, err := os.ReadFile("../docs/deploy.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := costRow.FindAllStringSubmatch(string(page), -1)
	if len(rows) != 6 {
		t.Fatalf("docs/deploy.md has %d rows of costs, want 6", len(rows))
	}
	for _, row := range rows {
		var n []float64
		for _, text := range row[1:] {
			value, err := strconv.ParseFloat(text, 64)
			if err != nil {
				t.Fatal(err)
			}
			n = append(n, value)
		}
		take, build, gbSeconds, requestOps, buildOps, reads, writes := n[0], n[1], n[2], n[3], n[4], n[6], n[7]
		if requestOps != 3*take || buildOps != 3*build {
			t.Errorf("%s: each message is sent, received and completed", row[0])
		}
		rest := (take+build)*(anExecution+logsOfOne) + reads*aBlobRead + writes*aBlobWrite
		for i, perGBs := range []float64{onDemandGBs, alwaysReadyGBs} {
			if want := 1000 * (rest + gbSeconds*perGBs); math.Abs(want-n[8+i]) > 0.005+1e-9 {
				t.Errorf("%s: %.3f, not %v", row[0], want, n[8+i])
			}
		}
	}
}
