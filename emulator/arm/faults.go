package arm

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Faults are chances, between 0 and 1, of faults. The seed, the method, the resource and the number
// of earlier such requests decide which request meets which fault, so the same run meets the same
// faults with any timing.
type Faults struct {
	Seed uint64

	Throttle      float64 // 429 with a Retry-After, without effect
	ServerError   float64 // 500 or 504, without effect
	Conflict      float64 // 409 ConflictingConcurrentWriteNotAllowed to a write, without effect
	Forbidden     float64 // 403 AuthorizationFailed, as when a role assignment has not yet arrived
	Reset         float64 // the connection is reset, without effect
	LostReply     float64 // the request has its effect, then the connection is reset before the answer
	FailOperation float64 // an operation ends Failed, with InternalExecutionError
	FailRegion    float64 // a version fails in one of its regions, when the others are done
	SlowOperation float64 // an operation takes SlowFactor times as long

	// VanishOperation lets an operation's URL answer 404 while the operation goes on to its end.
	VanishOperation float64

	NoCode    float64       // 404 to a read or 409 to a write, without effect and with nothing in the body
	AcceptPut float64       // a PUT that starts an operation answers 202 instead of 201, as the specification allows
	LateRead  float64       // reads show the end of an operation only LateBy after the operation reported it
	LateBy    time.Duration // zero: 3 s

	SlowFactor int           // zero: 10
	RetryAfter time.Duration // the Retry-After of a throttled request, in whole seconds; zero: 5 s
}

type fault int

const (
	none fault = iota
	throttle
	serverError
	conflicting
	forbidden
	reset
	lostReply
	noCode
)

// injector draws the faults. It is guarded by the server's lock.
type injector struct {
	faults Faults
	picked map[string]int // how often, by subject
	hits   map[string]int // how often a fault happened, by its name
}

// Injected counts the faults that happened, by name: throttle, error, conflict, forbidden, reset,
// lost-reply, fail, region, slow, vanish.
func (s *Server) Injected() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.injector.hits)
}

// subject names a request so that it has the same name in every run: an operation has the name of
// its resource.
func (s *Server) subject(rq *request) (method, path string) {
	path = fold(rq.http.URL.Path)
	if strings.HasPrefix(rq.target.key(), "@locations/") {
		if op := s.state.operations[fold(rq.target.names[len(rq.target.names)-1])]; op != nil {
			path = op.resource + "/operation"
		}
	}
	return rq.http.Method, path
}

// chance is a number between 0 and 1 that depends only on the seed and the words.
func (d *injector) chance(words ...string) float64 {
	h := fnv.New64a()
	_ = binary.Write(h, binary.LittleEndian, d.faults.Seed) // a hash takes everything
	for _, w := range words {
		_, _ = h.Write([]byte(w + "\x00"))
	}
	mixed := h.Sum64() // FNV's upper bits follow its last words too weakly: mix as splitmix64 does
	mixed = (mixed ^ mixed>>30) * 0xbf58476d1ce4e5b9
	mixed = (mixed ^ mixed>>27) * 0x94d049bb133111eb
	return float64((mixed^mixed>>31)>>11) / (1 << 53)
}

func (d *injector) next(words ...string) string {
	subject := strings.Join(words, " ")
	d.picked[subject]++
	return strconv.Itoa(d.picked[subject])
}

func (d *injector) pick(method, path string) fault {
	f := d.faults
	if f.Throttle+f.ServerError+f.Conflict+f.Forbidden+f.Reset+f.LostReply+f.NoCode == 0 {
		return none
	}
	c := d.chance(method, path, d.next(method, path))
	if method == http.MethodGet || method == http.MethodHead {
		f.Conflict = 0
	}
	for _, sort := range []struct {
		fault  fault
		name   string
		chance float64
	}{
		{throttle, "throttle", f.Throttle},
		{serverError, "error", f.ServerError},
		{conflicting, "conflict", f.Conflict},
		{forbidden, "forbidden", f.Forbidden},
		{reset, "reset", f.Reset},
		{lostReply, "lost-reply", f.LostReply},
		{noCode, "no-code", f.NoCode},
	} {
		if c < sort.chance {
			d.hits[sort.name]++
			return sort.fault
		}
		c -= sort.chance
	}
	return none
}

// spoil draws the faults of an operation that begins.
func (d *injector) spoil(op *operation, method string) {
	f := d.faults
	if f.FailOperation+f.SlowOperation+f.VanishOperation+f.LateRead+f.AcceptPut == 0 {
		return
	}
	n := d.next("operation", method, op.resource)
	meets := func(what string, chance float64) bool {
		hit := d.chance(what, method, op.resource, n) < chance
		if hit {
			d.hits[what]++
		}
		return hit
	}
	if op.failure == nil && meets("fail", f.FailOperation) {
		op.failure = &opError{Code: "InternalExecutionError", Message: "An internal execution error occurred."}
	}
	op.vanished = meets("vanish", f.VanishOperation)
	op.accepted = method == http.MethodPut && meets("accept", f.AcceptPut)
	if meets("late", f.LateRead) {
		op.late = f.LateBy
		if op.late == 0 {
			op.late = 3 * time.Second
		}
	}
	if meets("slow", f.SlowOperation) {
		factor := f.SlowFactor
		if factor == 0 {
			factor = 10
		}
		op.end = op.start.Add(op.end.Sub(op.start) * time.Duration(factor))
	}
}

// failsRegion draws whether a version fails in a region.
func (d *injector) failsRegion(id string) bool {
	if d.faults.FailRegion == 0 || d.chance("region", id, d.next("region", id)) >= d.faults.FailRegion {
		return false
	}
	d.hits["region"]++
	return true
}

func (f fault) cutsConnection() bool { return f == reset || f == lostReply }

// answer is what a request without effect gets; ok is false where the request has its effect.
func (d *injector) answer(f fault, rq *request) (answer, bool) {
	switch f {
	case throttle:
		return d.throttled(rq), true
	case serverError:
		return d.brokenGateway(rq), true
	case conflicting:
		return computeError(http.StatusConflict, "ConflictingConcurrentWriteNotAllowed", "",
			"The operation was interrupted by a conflicting concurrent write on the same entity. Please retry later.").answer(), true
	case forbidden:
		return gatewayError(http.StatusForbidden, "AuthorizationFailed", "The client '%s' with object id '%s' does not have authorization to perform "+
			"action on '%s' or the scope is invalid. If access was recently granted, please refresh your credentials.",
			principalID, principalID, rq.http.URL.Path).answer(), true
	case reset:
		return answer{}, true
	case noCode:
		if rq.http.Method == http.MethodGet || rq.http.Method == http.MethodHead {
			return answer{status: http.StatusNotFound}, true
		}
		return answer{status: http.StatusConflict}, true
	default:
		return answer{}, false
	}
}

func (d *injector) throttled(rq *request) answer {
	seconds := strconv.Itoa(int(max(time.Second, d.faults.RetryAfter) / time.Second))
	if d.faults.RetryAfter == 0 {
		seconds = "5"
	}
	a := gatewayError(http.StatusTooManyRequests, "SubscriptionRequestsThrottled", "Number of requests for subscription '%s' and operation '%s' "+
		"exceeded the backend storage limit. Please try again after '%s' seconds.", rq.target.subscription, rq.http.Method, seconds).answer()
	a.set("Retry-After", seconds)
	return a
}

// brokenGateway is one of the two recorded failures.
func (d *injector) brokenGateway(rq *request) answer {
	if d.chance("gateway", rq.http.URL.Path, d.next("gateway", rq.http.URL.Path)) < 0.5 {
		e := gatewayError(http.StatusGatewayTimeout, "ResourceReadFailed", "Policy required full resource content to evaluate the request. "+
			"The request to GET resource 'https://management.azure.com%s' failed with status 'GatewayTimeout'.", rq.http.URL.RequestURI())
		e.Target = rq.target.name()
		return e.answer()
	}
	e := gatewayError(http.StatusInternalServerError, "MultipleErrorsOccurred", "Multiple error occurred: . Please see details.")
	timeout := errorDetail{Code: "ServerTimeout", Message: fmt.Sprintf("The request timed out. Diagnostic information: timestamp '%s', "+
		"subscription id '%s', tracking id '%s', request correlation id '%s'.", rq.now.UTC().Format("20060102T150405Z"), rq.target.subscription, rq.id, rq.correlate)}
	e.Details = slices.Repeat([]errorDetail{timeout}, 4)
	return e.answer()
}

// cut resets the connection under a request: the caller sees a reset, not an orderly end.
func cut(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	under := conn
	for t, ok := under.(interface{ NetConn() net.Conn }); ok; t, ok = under.(interface{ NetConn() net.Conn }) {
		under = t.NetConn()
	}
	if tcp, ok := under.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = under.Close()
	panic(http.ErrAbortHandler)
}
