package localazure_test

import (
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"goldmint/internal/event"
	"goldmint/internal/localazure"
)

var messages = flag.Int("messages", 0, "messages of TestMemory; 0 skips it")

// sample is the handler's resident memory when so many builds had ended.
type sample struct {
	ended int
	after time.Duration
	bytes int
}

// TestMemory sends messages, one bad in a hundred, through the real handler and reads its resident
// memory from /proc. It fails when the memory's peak still grows in the last quarter of the run:
// `make bench-memory` prints the curve.
func TestMemory(t *testing.T) {
	if *messages == 0 {
		t.Skip("takes minutes: make bench-memory")
	}
	settings := map[string]string{"LOG_LEVEL": "error"}
	for k, v := range quick {
		if k != "LOG_LEVEL" {
			settings[k] = v
		}
	}
	a := start(t, localazure.Options{Settings: settings})
	began := time.Now()
	bad := *messages / 100
	total := *messages
	for i := range bad {
		a.send(fmt.Sprint("bad-", i), []byte(`{"name": "../x", "metadata": `+strings.Repeat("[", 10_000)))
	}
	a.submitMany(total - bad)
	history, samples := &peeking{}, []sample(nil)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for ends := 0; ends < total; {
		<-tick.C
		history.read(a)
		if ends = count(history.all); len(samples) == 0 || ends >= samples[len(samples)-1].ended+total/20 || ends == total {
			samples = append(samples, sample{ends, time.Since(began), residentSet(t, a.Host.HandlerPID())})
		}
	}
	t.Logf("%d messages, %d of them bad, %v\n%s", total, bad, outcomes(history.all), curve(samples))
	if a.Host.Starts() != 1 {
		t.Errorf("the handler was started %d times: the curve is not that of one process", a.Host.Starts())
	}
	early, late := peak(samples, total/4, total/2), peak(samples, total*3/4, total)
	if slack := 8 << 20; late > early*5/4+slack {
		t.Errorf("the peak grew from %d MB in the second quarter to %d MB in the last", early>>20, late>>20)
	}
}

// count counts the ends and rejections.
func count(all []event.Event) int {
	n := 0
	for _, e := range all {
		if e.Answers() {
			n++
		}
	}
	return n
}

// residentSet is VmRSS of a process, in bytes.
func residentSet(t *testing.T, pid int) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.Atoi(strings.Fields(rest)[0])
			if err != nil {
				t.Fatal(err)
			}
			return kb << 10
		}
	}
	t.Fatalf("process %d has no VmRSS", pid)
	return 0
}

func peak(samples []sample, from, to int) int {
	most := 0
	for _, s := range samples {
		if s.ended >= from && s.ended <= to {
			most = max(most, s.bytes)
		}
	}
	return most
}

// curve is a table with a bar for each sample.
func curve(samples []sample) string {
	var b strings.Builder
	for _, s := range samples {
		mb := float64(s.bytes) / (1 << 20)
		fmt.Fprintf(&b, "%6d ended  %6.1f s  %5.1f MB  %s\n", s.ended, s.after.Seconds(), mb, strings.Repeat("#", int(mb)))
	}
	return b.String()
}
