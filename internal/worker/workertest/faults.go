package workertest

import "time"

// Faults are how often things go wrong. All but the last four are probabilities, drawn at each call
// or operation.
type Faults struct {
	// Of a call to Resource Manager.
	Lost        float64 // the call took effect, but the answer was lost
	Refused     float64 // the connection was reset before the call took effect
	Timeout     float64 // no answer until the caller's timeout; the call may take effect late
	Unavailable float64 // 500, 502, 503
	Throttled   float64 // 429 with Retry-After, whatever the limits
	Conflict    float64 // 409 on a creation
	Doubted     float64 // 403 for a minute or two, of a build
	Final       float64 // 409 OperationNotAllowed on a creation

	// Of an ARM operation.
	Fails    float64 // InternalExecutionError
	FailsFor float64 // ImageBlobNotFound: another attempt fails the same way
	Hangs    float64 // never ends
	Vanishes float64 // 404 when looked at; the image is made all the same
	Slow     float64 // takes one to ten minutes

	// Of Service Bus.
	SendLost   float64 // sent, but the sender gets an error
	SendFails  float64
	LockLost   float64 // the message is delivered to another instance too
	NoComplete float64 // the host's completion does not arrive

	// Of the store of the rate limits.
	StoreFails     float64
	StoreLost      float64 // a write is applied, the answer does not come
	StoreConflicts float64 // another instance writes in between
	StoreForgets   float64 // the document is deleted

	// Of a process, between any two effects.
	Killed      float64 // the handler: its host abandons the messages
	MachineLost float64 // the host too: the locks run out

	Skew    time.Duration // clocks of the instances are off by up to this
	Outages []Outage      // of Resource Manager
	NoSend  []Outage      // of the right to send to the builds queue and to the topic
}

// Outage is a time in which something is out of service.
type Outage struct {
	After, For time.Duration
}

// Usual has each fault now and then.
func Usual() Faults {
	return Faults{
		Lost: 0.01, Refused: 0.01, Timeout: 0.005, Unavailable: 0.02, Throttled: 0.01, Conflict: 0.01, Doubted: 0.01, Final: 0.005,
		Fails: 0.05, FailsFor: 0.02, Hangs: 0.003, Vanishes: 0.03, Slow: 0.02,
		SendLost: 0.01, SendFails: 0.01, LockLost: 0.01, NoComplete: 0.01,
		StoreFails: 0.01, StoreLost: 0.01, StoreConflicts: 0.05, StoreForgets: 0.0005,
		Killed: 0.0005, MachineLost: 0.0002,
		Skew: 3 * time.Second,
	}
}

// Terrible has each fault very often.
func Terrible() Faults {
	f := Usual()
	for _, p := range []*float64{
		&f.Lost, &f.Refused, &f.Timeout, &f.Unavailable, &f.Throttled, &f.Conflict, &f.Fails, &f.Hangs, &f.Vanishes, &f.Slow,
		&f.SendLost, &f.SendFails, &f.LockLost, &f.NoComplete, &f.Killed, &f.MachineLost,
	} {
		*p *= 5
	}
	return f
}

// chance is true with probability p. It draws nothing for 0, so that faults can be turned off one
// by one.
func (w *World) chance(p float64) bool { return p > 0 && w.rng.Float64() < p }

// between is a duration in [low, high).
func (w *World) between(low, high time.Duration) time.Duration {
	return low + time.Duration(w.rng.Int64N(int64(high-low)))
}

// out reports whether Resource Manager is out of service now.
func (w *World) out() bool { return w.within(w.Faults.Outages) }

// denied reports whether the right to send is missing now.
func (w *World) denied() bool { return w.within(w.Faults.NoSend) }

func (w *World) within(outages []Outage) bool {
	since := w.clock.now.Sub(Start)
	for _, o := range outages {
		if since >= o.After && since < o.After+o.For {
			return true
		}
	}
	return false
}
