package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"goldmint/cmd/goldmint/internal/namespace"
	"goldmint/emulator/servicebus"
	"goldmint/internal/event"
	"goldmint/internal/localazure"
)

// BenchmarkEventSeen publishes events at random moments, and measures how long it takes until
// `goldmint events --follow`, which looks as `wait` does, has written the line of each.
func BenchmarkEventSeen(b *testing.B) {
	bus := servicebus.Start(b, servicebus.Options{Config: localazure.Entities()})
	b.Setenv(namespace.EnvConnectionString, bus.ConnectionString())
	ctx, cancel := context.WithCancel(b.Context())
	lines := make(lineWriter, 1)
	done := make(chan int, 1)
	go func() {
		done <- execute(ctx, []string{"events", "--follow"}, nil, lines, io.Discard)
	}()
	var took []time.Duration
	for n := int64(0); b.Loop(); n++ {
		pause := time.NewTimer(time.Duration(rand.Float64() * 2 * float64(lookEvery)))
		<-pause.C
		id := fmt.Sprintf("build-%d", n)
		e := event.Event{
			ID: event.ID(id, event.Started, n+1), Source: "/goldmint", Type: event.Started, Subject: "/subscriptions/s", Time: time.Now(),
			Data: event.Data{BuildID: id, Digest: strings.Repeat("a", 64), Run: n + 1},
		}
		begun := time.Now()
		if err := publish(ctx, bus.ConnectionString(), e); err != nil {
			b.Fatal(err)
		}
		if line := <-lines; !strings.Contains(line, id) {
			b.Fatalf("%s: %s", id, line)
		}
		took = append(took, time.Since(begun))
	}
	cancel()
	<-done
	slices.Sort(took)
	b.ReportMetric(took[len(took)/2].Seconds(), "s-median")
	b.ReportMetric(took[len(took)-1].Seconds(), "s-max")
}

// lineWriter hands on each write.
type lineWriter chan string

func (w lineWriter) Write(text []byte) (int, error) {
	w <- string(text)
	return len(text), nil
}
