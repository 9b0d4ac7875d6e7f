package localazure

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"goldmint/emulator/arm"
	"goldmint/emulator/servicebus"
)

// Faults say how the local Azure misbehaves. The zero value is an Azure without faults.
type Faults struct {
	ARM        arm.Faults
	ServiceBus servicebus.Faults
	Kill       time.Duration // mean time between two kill -9 of the handler; zero: never
	Restart    time.Duration // mean time between two restarts of the Functions host; zero: never
	Cut        time.Duration // mean time after which every connection to Service Bus is cut; zero: never
}

// FaultNames returns the names that [ParseFaults] knows, each with its meaning, in the order of the
// help text.
func FaultNames() [][2]string {
	return [][2]string{
		{"throttle", "Resource Manager answers 429 with Retry-After"},
		{"error", "Resource Manager answers 500 or 504"},
		{"conflict", "Resource Manager answers a write with 409"},
		{"forbidden", "Resource Manager answers 403, as before a role assignment has arrived"},
		{"reset", "Resource Manager resets the connection, the request has no effect"},
		{"lost-reply", "Resource Manager does as asked, then resets the connection"},
		{"no-code", "Resource Manager answers 404 to a read or 409 to a write, with an empty body"},
		{"accept", "a PUT answers 202 instead of 201"},
		{"late", "a resource shows the end of an operation seconds after the operation does"},
		{"fail", "the creation of an image ends as Failed"},
		{"region", "a gallery image version fails in one of its regions when the others are done"},
		{"slow", "the creation of an image takes ten times as long"},
		{"vanish", "the URL of an operation answers 404"},
		{"drop", "Service Bus cuts the connection before or after a message"},
		{"duplicate", "Service Bus loses a completion and delivers again"},
		{"busy", "Service Bus refuses a message as busy"},
		{"kill", "kill -9 of the handler, about as often as the duration says"},
		{"restart", "restart of the Functions host, about as often"},
		{"cut", "every connection to Service Bus is cut, about as often"},
	}
}

// ParseFaults reads NAME=VALUE, comma separated: a chance between 0 and 1 for faults of single
// requests, or a mean duration between two faults of a process or connection. The seed decides
// which requests and which moments.
func ParseFaults(spec string, seed uint64) (Faults, error) {
	f := Faults{ARM: arm.Faults{Seed: seed}, ServiceBus: servicebus.Faults{Seed: seed}}
	given := map[string]bool{}
	for word := range strings.SplitSeq(spec, ",") {
		word = strings.TrimSpace(word)
		if word == "" {
			continue
		}
		name, value, _ := strings.Cut(word, "=")
		if given[name] {
			return Faults{}, fmt.Errorf("fault %q is given twice", name)
		}
		given[name] = true
		if err := f.set(name, value); err != nil {
			return Faults{}, err
		}
	}
	return f, f.check()
}

func (f *Faults) set(name, value string) error {
	if d := f.durations()[name]; d != nil {
		every, err := time.ParseDuration(value)
		if err != nil || every <= 0 {
			return fmt.Errorf("fault %s=%s is no duration above zero, such as %s=10s", name, value, name)
		}
		*d = every
		return nil
	}
	if c := f.chances()[name]; c != nil {
		chance, err := strconv.ParseFloat(value, 64)
		if err != nil || math.IsNaN(chance) || chance < 0 || chance > 1 {
			return fmt.Errorf("fault %s=%s is no chance between 0 and 1, such as %s=0.05", name, value, name)
		}
		*c = chance
		return nil
	}
	var known []string
	for _, n := range FaultNames() {
		known = append(known, n[0])
	}
	return fmt.Errorf("fault %q is unknown; known are %s", name, strings.Join(known, ", "))
}

func (f *Faults) durations() map[string]*time.Duration {
	return map[string]*time.Duration{"kill": &f.Kill, "restart": &f.Restart, "cut": &f.Cut}
}

func (f *Faults) chances() map[string]*float64 {
	return map[string]*float64{
		"throttle": &f.ARM.Throttle, "error": &f.ARM.ServerError, "conflict": &f.ARM.Conflict, "forbidden": &f.ARM.Forbidden,
		"reset": &f.ARM.Reset, "lost-reply": &f.ARM.LostReply,
		"no-code": &f.ARM.NoCode, "accept": &f.ARM.AcceptPut, "late": &f.ARM.LateRead,
		"fail": &f.ARM.FailOperation, "region": &f.ARM.FailRegion, "slow": &f.ARM.SlowOperation, "vanish": &f.ARM.VanishOperation,
		"drop": &f.ServiceBus.DropEvery, "duplicate": &f.ServiceBus.Duplicate, "busy": &f.ServiceBus.Busy,
	}
}

// check makes sure that the chances of faults that exclude each other are at most 1 together.
func (f *Faults) check() error {
	a := f.ARM
	if sum := a.Throttle + a.ServerError + a.Conflict + a.Forbidden + a.Reset + a.LostReply + a.NoCode; sum > 1 {
		return fmt.Errorf("throttle, error, conflict, forbidden, reset, lost-reply and no-code add up to %g: one request meets at most one of them, so at most 1", sum)
	}
	return nil
}

// losesLocks reports whether a message can stay locked for a receiver that is gone.
func (f *Faults) losesLocks() bool {
	return f.ServiceBus.DropEvery > 0 || f.Cut > 0 || f.Restart > 0
}
