package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"goldmint/emulator/arm"
	"goldmint/emulator/identity"
	"goldmint/internal/localazure"
)

// BenchmarkPrune10000 runs the command on a full definition: it lists and decides, as a process of
// its own. Beside the time it prints the process's peak of resident memory and its calls to Azure.
func BenchmarkPrune10000(b *testing.B) {
	const full, keep = 10_000, 5
	g := newGallery(b, arm.Options{Limits: arm.Windows(40, 200)})
	for n := range full {
		g.put(fmt.Sprintf("1.%d.%d", n/100, n%100))
	}
	g.FastForward(2 * day)
	goldmint := filepath.Join(b.TempDir(), "goldmint")
	if out, err := exec.CommandContext(b.Context(), "go", "build", "-trimpath", "-o", goldmint, "goldmint/cmd/goldmint").CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	env := os.Environ()
	for name, value := range identityOf(identity.Start(b, identity.Options{ClientIDs: []string{localazure.ClientID}})) {
		env = append(env, name+"="+value)
	}
	peak := int64(0)
	for b.Loop() {
		c := exec.CommandContext(b.Context(), goldmint, append([]string{"prune", "--arm-endpoint", g.Endpoint(), "--keep", fmt.Sprint(keep)}, ofDefinition...)...)
		c.Env, c.Stderr = env, os.Stderr
		out, err := c.Output()
		if err != nil || !bytes.HasSuffix(out, fmt.Appendf(nil, "\n%d go, %d stay: nothing is deleted without --yes\n", full-keep, keep)) {
			b.Fatalf("%v\n%.500s", err, out)
		}
		if usage, ok := c.ProcessState.SysUsage().(*syscall.Rusage); ok {
			peak = max(peak, usage.Maxrss) // in kilobytes on Linux
		}
	}
	b.ReportMetric(float64(peak)/1000, "MB-peak")
	b.ReportMetric(float64(g.counts()["LIST"])/float64(b.N), "calls/op")
}
