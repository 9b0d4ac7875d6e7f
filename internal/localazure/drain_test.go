package localazure_test

import (
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"goldmint/emulator/arm"
	"goldmint/internal/build"
	"goldmint/internal/event"
	"goldmint/internal/localazure"
)

// stopped are the ways in which a handler is asked to end, is killed, or answers too late, during
// thirty builds.
var stopped = []struct {
	name     string
	underway int // invocations that run at the first signal
	signals  []syscall.Signal
	toGroup  bool
	again    bool // the same to the next process
	late     bool // answers come after their messages' locks were lost and the messages were handled again
}{
	{name: "SIGTERM as the first requests come", underway: 1, signals: []syscall.Signal{syscall.SIGTERM}},
	{name: "SIGTERM while requests keep coming", underway: 5, signals: []syscall.Signal{syscall.SIGTERM}},
	{name: "SIGTERM with creations under way", underway: 12, signals: []syscall.Signal{syscall.SIGTERM}},
	{name: "SIGTERM, and once more at once", underway: 12, signals: []syscall.Signal{syscall.SIGTERM, syscall.SIGTERM}},
	{name: "SIGTERM to two processes in a row", underway: 8, signals: []syscall.Signal{syscall.SIGTERM}, again: true},
	{name: "SIGINT to the process group", underway: 12, signals: []syscall.Signal{syscall.SIGINT}, toGroup: true},
	{name: "SIGKILL", underway: 12, signals: []syscall.Signal{syscall.SIGKILL}},
	{name: "hung until it is killed", underway: 8, signals: []syscall.Signal{syscall.SIGSTOP, syscall.SIGKILL}},
	{name: "answers after the lock was lost", late: true},
}

// TestAStoppedHandlerLosesNothing: at any moment of the stop and with late answers, every build has
// one end, no message is dead-lettered, and none is delivered more than once more for each process
// that ended or each late answer. A redelivered build waits for ten seconds, so all of them wait
// side by side.
func TestAStoppedHandlerLosesNothing(t *testing.T) {
	const builds = 30
	worlds, sent := make([]*azure, len(stopped)), make([]map[string]build.Build, len(stopped))
	var signalling sync.WaitGroup
	for i, c := range stopped {
		o := localazure.Options{Settings: killable(), ARM: arm.Options{PutLatency: 500 * time.Millisecond, ImageDuration: time.Second}}
		if c.late {
			o = answersLate(t, o)
		}
		a := start(t, o)
		worlds[i] = a
		signalling.Go(func() {
			a.signal(c.underway, c.toGroup, c.signals)
			if c.again {
				a.until("another process is ready", func() bool { return a.lines("is ready on port") == 2 })
				a.signal(c.underway, c.toGroup, c.signals)
			}
		})
		sent[i] = a.submitMany(builds)
	}
	t.Logf("%-36s %9s %8s %5s %13s %15s %5s", "", "processes", "refused", "late", "dead letters", "most deliveries", "ends")
	for i, c := range stopped {
		a, history := worlds[i], &peeking{}
		a.collect(history, builds)
		if i == 0 {
			signalling.Wait()
		}
		a.drained()
		history.read(a)
		check(t, a, sent[i], history.all)
		ends := outcomes(history.all)[event.Succeeded]
		dead, deliveries, refused := a.dead(), a.mostDelivered(), a.lines("connection refused")
		processes, most := 2, 2
		switch {
		case c.again:
			processes, most = 3, 3
		case c.late:
			processes = 1
			a.until("the late answers find their locks lost", func() bool {
				late := a.lines("answered late")
				return late >= 2*mostLate && a.lines("error: complete message") >= late
			})
		}
		late := a.lines("answered late")
		t.Logf("%-36s %9d %8d %5d %13d %15d %5d", c.name, a.Host.Starts(), refused, late, dead, deliveries, ends)
		if a.Host.Starts() != processes || dead > 0 || deliveries > most || ends != builds {
			t.Errorf("%s: want %d processes, no dead letter, at most %d deliveries of a message and %d ends", c.name, processes, most, builds)
		}
	}
}

// signal sends the signals to the handler once so many invocations run.
func (a *azure) signal(underway int, toGroup bool, signals []syscall.Signal) {
	running := func() int { return a.lines("executing 'Functions.") - a.lines("executed 'Functions.") }
	a.until("invocations run", func() bool { return running() >= underway })
	pid := a.Host.HandlerPID()
	if toGroup {
		pid = -pid
	}
	for i, s := range signals {
		if i > 0 && signals[0] == syscall.SIGSTOP {
			a.until("all calls hang", func() bool { return running() >= 16 })
		}
		if err := syscall.Kill(pid, s); err != nil {
			a.t.Errorf("%s to %d: %v", s, pid, err)
		}
	}
}

func (a *azure) until(what string, so func() bool) {
	deadline := time.After(5 * time.Minute)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !so() {
		select {
		case <-tick.C:
		case <-deadline:
			a.t.Errorf("five minutes passed before %s", what)
			return
		}
	}
}

// lines counts the lines of the host and the handler that hold a text.
func (a *azure) lines(text string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := 0
	for _, line := range a.logs {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}

// dead counts the dead letters of all queues.
func (a *azure) dead() int {
	sum := 0
	for _, q := range localazure.Entities().UserConfig.Namespaces[0].Queues {
		_, _, dead, _ := a.ServiceBus.Counts(q.Name)
		sum += dead
	}
	return sum
}

var delivery = regexp.MustCompile(`^executing .*, delivery (\d+), id `)

// mostDelivered is the highest delivery count that the host was given.
func (a *azure) mostDelivered() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	most := 0
	for _, line := range a.logs {
		if m := delivery.FindStringSubmatch(line); m != nil {
			n, _ := strconv.Atoi(m[1]) // digits by the pattern
			most = max(most, n)
		}
	}
	return most
}
