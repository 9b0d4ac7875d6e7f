package deploy_test

import (
	"context"
	"math"
	"regexp"
	"strconv"
	"sync"
	"testing"
	"time"

	"goldmint/emulator/arm"
	"goldmint/internal/localazure"
)

// What Azure Functions bills on Flex Consumption: the instance's memory for the time of an execution, a second at least.
const (
	instanceGB  = 0.5 // instance_memory_in_mb of function.tf
	leastBilled = time.Second
	billedBy    = 100 * time.Millisecond
)

// BenchmarkCost builds one image or version of each kind as `goldmint local` does, with Resource Manager as slow as it was
// recorded, and counts what Azure would bill. docs/deploy.md has the figures. A whole version takes seven minutes.
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
			total.report(b)
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

func (t *bill) report(b *testing.B) {
	each := func(n float64, unit string) { b.ReportMetric(n/float64(b.N), unit) }
	each(0, "ns/op")
	each(float64(t.executions["take-request"]), "take")
	each(float64(t.executions["build-image"]), "build")
	each(t.gbSeconds, "GB-s")
	each(float64(t.events), "events")
	each(float64(t.reads), "blob-reads")
	each(float64(t.wrote), "blob-writes")
}

var executed = regexp.MustCompile(`executed 'Functions\.([\w-]+)' \(\w+, id \S+, (\d+) ms\)`)

// buildOnce runs one build on a local Azure of its own.
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
	if err := f.azure.Host.Stop(context.WithoutCancel(b.Context())); err != nil { // the last execution is told
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
