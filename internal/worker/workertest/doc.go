// Package workertest simulates thousands of builds with random faults in virtual time, from a seed.
//
// The worker and the policy are the real ones. Service Bus, Resource Manager and the Functions host
// are models with the measured behaviour and with faults drawn from the seed: lost answers,
// timeouts, throttling, operations that fail, hang or vanish, lost locks, killed processes, clocks
// that disagree. A checker watches every effect, and at the end checks the outcome of each build.
//
// Everything runs on one goroutine at a time: an invocation is a coroutine that stops at each call
// of a port, so another one can act between any two effects, and the same seed produces the same
// run. Production code does not import this package.
package workertest
