package workertest

import (
	"path"
	"strconv"
	"time"

	"goldmint/internal/armerr"
	"goldmint/internal/build"
	"goldmint/internal/event"
	"goldmint/internal/request"
)

// record is what the checker knows about one build.
type record struct {
	key         string
	build       build.Build
	messages    map[string]bool // MessageIds with which it was sent
	requestedAt time.Time
	doubted     time.Time // until then ARM does not see the role assignment

	ends          []event.Event // after duplicate detection
	endedAt       time.Time
	creatingAtEnd bool            // ARM still worked on it when the failure was published
	captures      int             // PUTs that made ARM capture an image
	images        int             // of them, successful
	failed        bool            // one of them failed, so that there was another attempt
	codes         map[string]bool // errors that ARM answered
	mayTimeOut    bool
	deliveries    int // of the message delivered most often
	continuations int
}

func (w *World) newRecord(b build.Build) *record {
	r := &record{key: b.Key(), build: b, messages: map[string]bool{}, codes: map[string]bool{}}
	if w.chance(w.Faults.Doubted) {
		r.doubted = Start.Add(w.between(0, 2*time.Hour))
	}
	w.records[r.key] = r
	w.order = append(w.order, r)
	w.names[b.ImageID()]++
	w.stats.Builds++
	return r
}

// alone reports whether one message asks for the build: then nothing may happen twice.
func (r *record) alone() bool { return len(r.messages) == 1 }

// shared reports whether others want the build's image name as well.
func (w *World) shared(key string) bool {
	r := w.records[key]
	return r != nil && (w.names[r.build.ImageID()] > 1 || !r.alone())
}

func (w *World) doubted(key string) bool {
	r := w.records[key]
	return r != nil && w.clock.now.Before(r.doubted)
}

func (w *World) refusal(key string, e *armerr.Error) {
	if r := w.records[key]; r != nil && e != nil {
		r.codes[e.Code] = true
	}
}

func (w *World) mayTimeOut(key string) {
	if r := w.records[key]; r != nil {
		r.mayTimeOut = true
	}
}

// continued counts a build's continuations. More than one a second means a busy loop.
func (w *World) continued(key string) {
	r := w.records[key]
	if r == nil {
		return
	}
	r.continuations++
	if age := w.clock.now.Sub(r.requestedAt); float64(r.continuations) > 10+float64(len(r.messages))*age.Seconds() {
		w.violated(key, "the build spins: %d continuations in %s", r.continuations, age)
	}
}

// putLands checks a PUT when it reaches ARM.
func (w *World) putLands(inv *invocation, b build.Build, had *image) {
	r := w.records[b.Key()]
	switch {
	case r == nil:
		w.violated(b.Key(), "PUT for a build that nobody asked for")
	case !inv.absent:
		w.violated(r.key, "PUT without having seen that the name is free")
	case !inv.first:
		w.violated(r.key, "PUT from a message that was delivered before")
	case !w.shared(r.key) && r.images > 0:
		w.violated(r.key, "PUT for a build that already has its image")
	case r.alone() && len(r.ends) > 0:
		w.violated(r.key, "PUT for a build that has ended")
	case had != nil && had.state == "Succeeded" && r.alone() && w.names[had.id] == 1:
		w.violated(r.key, "PUT over an image that exists: it succeeds and captures nothing")
	}
}

// deleteLands checks a DELETE when it reaches ARM.
func (w *World) deleteLands(inv *invocation, i *image) {
	r := w.records[inv.m.key]
	if i == nil || i.state == "Deleting" || r == nil {
		return
	}
	replaced := r.build.Request.IfExists == request.Replace && i.created.Before(r.requestedAt)
	switch {
	case !inv.first:
		w.violated(r.key, "DELETE from a message that was delivered before")
	case i.tag == r.build.Tag() && i.state != "Failed":
		w.violated(r.key, "DELETE of the build's own image in state %s", i.state)
	case i.tag == r.build.Tag(), i.tag != "" && i.state == "Failed", replaced:
	case r.alone():
		w.violated(r.key, "DELETE of another's image %q in state %s", i.tag, i.state)
	}
}

func (w *World) captureBegins(key string) {
	if r := w.records[key]; r != nil {
		r.captures++
	}
}

func (w *World) captureEnds(key string, i *image) {
	r := w.records[key]
	if r == nil {
		return
	}
	if i.state == "Failed" {
		r.failed = true
		return
	}
	r.images++
	if r.images > 1 && !w.shared(key) {
		w.violated(key, "a second image for one build")
	}
	if len(r.ends) > 0 && r.ends[0].Type == event.Failed && r.alone() && !r.creatingAtEnd {
		w.violated(key, "an image after the build failed")
	}
}

// publish is the topic: it drops an event whose id it has seen.
func (w *World) publish(e event.Event) {
	if e.Type == event.Rejected {
		w.stats.Rejected++
		return
	}
	r := w.records[keyOf(e.ID)]
	if e.Type == event.Replicating {
		w.replicated(e)
	}
	if !e.Ends() {
		return
	}
	if r == nil {
		w.violated(e.ID, "the end of a build that nobody asked for")
		return
	}
	if at, known := w.topic[e.ID]; known && w.clock.now.Sub(at) < duplicateWindow && !w.NoDuplicateDetection {
		if r.ends[0].Type != e.Type {
			w.stats.Conflicting++
			w.tell("topic", r.key, "dropped %s: it ended as %s", e.Type, r.ends[0].Type)
		}
		return
	}
	w.topic[e.ID] = w.clock.now
	w.ends(r, e)
}

// replicated checks an event about a version's regions. Its id has their number.
func (w *World) replicated(e event.Event) {
	if n := e.Data.ReplicationStatus.Done(); n == 0 || path.Base(e.ID) != strconv.Itoa(n) {
		w.violated(keyOf(e.ID), "%s tells of %d regions", e.ID, n)
	}
	if _, known := w.topic[e.ID]; !known {
		w.topic[e.ID] = w.clock.now
		w.stats.Regions++
	}
}

// ends checks a terminal event.
func (w *World) ends(r *record, e event.Event) {
	r.ends = append(r.ends, e)
	r.endedAt = w.clock.now
	i := w.arm.images[r.build.ImageID()]
	own := i != nil && i.tag == r.build.Tag()
	settled := own && w.clock.now.Sub(i.since) > InvocationTimeout
	code := ""
	if e.Data.Error != nil {
		code = e.Data.Error.Code
	}
	r.creatingAtEnd = own && (i.state == "Creating" || !settled)
	switch {
	case len(r.ends) > 1:
		w.violated(r.key, "ended twice: %s, then %s", r.ends[0].Type, e.Type)
	case e.Type == event.Succeeded && !e.Data.Reused && r.images == 0 && r.alone():
		w.violated(r.key, "succeeded without an image of its own")
	case e.Type == event.Succeeded && e.Data.Reused && r.build.Request.IfExists != request.Reuse:
		w.violated(r.key, "reused an image without being asked to")
	case e.Type == event.Failed && settled && i.state == "Succeeded" && code != poison:
		w.violated(r.key, "failed (%s), and its image is there", code)
	case e.Type == event.Failed && settled && i.state == "Failed" && code != poison:
		w.violated(r.key, "failed (%s) and left its failed image", code)
	case e.Type == event.Failed:
		w.justify(r, code)
	}
}

const poison = "PoisonMessage"

// justify checks that a build had a reason to fail.
func (w *World) justify(r *record, code string) {
	shared := w.shared(r.key)
	ok := false
	switch code {
	case "TimedOut":
		ok = r.mayTimeOut || r.failed || shared
	case "WaitedTooLong":
		ok = shared
		for _, o := range w.Faults.Outages {
			ok = ok || o.For > w.Policy.MaxWait/2
		}
	case "ImageExists", "ReplacedByNewerBuild", "ImageNameTaken":
		ok = shared
	case "ImageVanished":
		ok = shared || r.failed
	case "ImageFailed":
		ok = r.captures > 0
	case poison:
		ok = r.deliveries >= w.Rules.PoisonDelivery
	default:
		ok = r.codes[code]
	}
	if !ok {
		w.violated(r.key, "failed with %s, for which there was no reason", code)
	}
}

// judge checks the outcome of each build at the end.
func (w *World) judge() {
	for _, r := range w.order {
		w.judgeBuild(r)
	}
	for _, q := range []*queue{w.requests, w.builds} {
		w.judgeQueue(q)
	}
}

func (w *World) judgeQueue(q *queue) {
	if q.left > 0 {
		w.violated(string(q.name), "%d messages are still there", q.left)
	}
	for _, d := range q.dead {
		if d.Reason == "MaxDeliveryCountExceeded" {
			w.violated(d.Key, "message %s was dead-lettered by its delivery count, without a reason", d.ID)
		}
	}
}

func (w *World) judgeBuild(r *record) {
	if len(r.ends) == 0 {
		w.violated(r.key, "never ended")
		return
	}
	e := r.ends[0]
	took := r.endedAt.Sub(r.requestedAt)
	w.stats.LastEnd = max(w.stats.LastEnd, r.endedAt.Sub(Start))
	if bound := w.Policy.MaxWait + r.build.Request.Timeout + time.Hour; took > bound && r.alone() {
		w.violated(r.key, "ended after %s, longer than %s", took, bound)
	}
	if e.Type == event.Succeeded {
		w.stats.Succeeded++
		return
	}
	w.stats.Failed[e.Data.Error.Code]++
	if r.images > 0 && r.alone() && !r.creatingAtEnd && e.Data.Error.Code != poison && !w.shared(r.key) {
		w.violated(r.key, "failed (%s) with an image", e.Data.Error.Code)
	}
}
