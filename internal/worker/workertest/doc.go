// Package workertest plays thousands of builds against a misbehaving world in virtual time, from a
// seed.
//
// The worker and the policy are the real ones. Service Bus, Resource Manager and the Functions host
// are stand-ins that keep the measured facts and break down as a seed says: lost answers, timeouts,
// throttling, operations that fail, hang or vanish, lost locks, killed processes, clocks that
// disagree. A checker watches every effect, and at the end asks each build what became of it.
//
// Everything runs on one goroutine at a time: an invocation is a coroutine that stops at each call
// of a port, so another one can act between any two effects, and the same seed gives the same run.
// Production code does not import this package.
package workertest
