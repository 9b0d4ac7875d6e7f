package workertest

import (
	"fmt"
	"time"

	"goldmint/internal/armerr"
	"goldmint/internal/build"
	"goldmint/internal/event"
)

// Measured behaviour of ARM's image operations.
const (
	putTakes = 5 * time.Second // until the 201
	tick     = 5150 * time.Millisecond
)

// arm is a model of Resource Manager's images.
type arm struct {
	w          *World
	images     map[string]*image
	operations map[string]*operation
}

// image is one image resource.
type image struct {
	id         string
	tag        string // goldmint-build-id
	properties string // its source: a PUT with another one is refused
	state      string // Creating, Succeeded, Failed, Deleting
	since      time.Time
	created    time.Time
	regions    []time.Time // of a version: when each of them has it
}

// operation is the creation of an image.
type operation struct {
	image    *image
	started  time.Time
	ends     time.Time // zero: never
	code     string    // of the failure
	vanishes bool
}

func (a *arm) get(id string) build.Image {
	i := a.images[id]
	if i == nil {
		return build.Image{}
	}
	return build.Image{Exists: true, ID: id, Location: "westeurope", State: i.state, BuildTag: i.tag, CreatedAt: i.created, Replication: i.replication(a.w.clock.now)}
}

// replication is the progress of a version's replication.
func (i *image) replication(now time.Time) *event.Replication {
	if i.regions == nil {
		return nil
	}
	r := event.Replication{AggregatedState: "InProgress"}
	for n, at := range i.regions {
		region := event.Region{Region: []string{"westeurope", "northeurope"}[n], State: "Replicating"}
		if !now.Before(at) {
			region.State = "Completed"
		}
		r.Summary = append(r.Summary, region)
	}
	return &r
}

// put is a PUT that has arrived.
func (a *arm) put(inv *invocation, b build.Build) (build.Accepted, time.Duration, *armerr.Error) {
	w, id := a.w, b.ImageID()
	now := w.clock.now
	had := a.images[id]
	w.putLands(inv, b, had)
	left, e := w.allowance(b)
	if e != nil {
		return build.Accepted{}, 0, e
	}
	if had != nil {
		if e := had.again(b); e != nil {
			return build.Accepted{}, 0, e
		}
		had.tag = b.Tag() // succeeds without a second capture
		return build.Accepted{Date: now.Truncate(time.Second), Left: left}, time.Second, nil
	}
	made := &image{id: id, tag: b.Tag(), properties: properties(b), state: "Creating", since: now, created: now}
	a.images[id] = made
	w.captureBegins(b.Key())
	takes := putTakes + w.between(0, time.Second)
	token := a.begin(made, b.Key(), now.Add(takes))
	return build.Accepted{Token: token, Date: now.Add(takes).Truncate(time.Second), Left: left}, takes, nil
}

// again is ARM's error for a PUT over an image, or nil if it succeeds.
func (i *image) again(b build.Build) *armerr.Error {
	switch {
	case i.state == "Creating":
		return &armerr.Error{Status: 409, Code: "Conflict", Message: "the image is being created"}
	case i.state != "Succeeded":
		return &armerr.Error{Status: 409, Code: "OperationNotAllowed", Message: "the image is " + i.state}
	case i.properties != properties(b):
		return &armerr.Error{Status: 409, Code: "PropertyChangeNotAllowed"}
	}
	return nil
}

// properties are what a build's image is made from.
func properties(b build.Build) string { return b.Request.Source().ID }

// begin starts the operation that finishes the image, and draws its outcome.
func (a *arm) begin(i *image, key string, answered time.Time) (token string) {
	w := a.w
	token = fmt.Sprintf("op-%d", len(a.operations)+1)
	op := &operation{image: i, started: answered.Add(-w.between(0, time.Second))}
	a.operations[token] = op
	takes := time.Duration(1+w.rng.IntN(2))*tick + w.between(0, 100*time.Millisecond)
	if w.chance(w.Faults.Slow) {
		takes = w.between(time.Minute, 10*time.Minute)
	}
	limit := 4 * time.Minute // less than every timeout in a request
	if w.Versions {
		takes, limit = takes+w.between(5*time.Minute, 9*time.Minute), 25*time.Minute
		i.regions = []time.Time{answered.Add(takes / 2), answered.Add(takes * 3 / 4)}
	}
	op.vanishes = w.chance(w.Faults.Vanishes)
	switch {
	case w.chance(w.Faults.Hangs):
		w.mayTimeOut(key)
		return token
	case w.chance(w.Faults.Fails):
		op.code = "InternalExecutionError"
	case w.chance(w.Faults.FailsFor):
		op.code = "ImageBlobNotFound"
	}
	op.ends = op.started.Add(takes)
	if takes > limit {
		w.mayTimeOut(key)
	}
	w.clock.at(op.ends, func() { a.finish(op, key) })
	return token
}

func (a *arm) finish(op *operation, key string) {
	if op.image.state != "Creating" { // deleted meanwhile
		return
	}
	op.image.state, op.image.since = "Succeeded", a.w.clock.now
	if op.code != "" {
		op.image.state = "Failed"
		a.w.refusal(key, &armerr.Error{Status: 200, Code: op.code})
	}
	a.w.tell("arm", key, "image is %s", op.image.state)
	a.w.captureEnds(key, op.image)
}

// operation is a GET of the operation. A build must not see the operation of another image.
func (a *arm) operation(token, imageID string) (build.Operation, *armerr.Error) {
	op, now := a.operations[token], a.w.clock.now
	if op == nil || op.image.id != imageID {
		return build.Operation{}, nil
	}
	if op.vanishes {
		return build.Operation{}, &armerr.Error{Status: 404, Code: "NotFound"}
	}
	seen := build.Operation{Status: "InProgress", StartedAt: op.started, Date: now.Truncate(time.Second)}
	switch {
	case op.ends.IsZero() || now.Before(op.ends):
	case op.code != "":
		seen.Status, seen.Err = "Failed", &armerr.Error{Status: 200, Code: op.code, Message: "in Azure's words"}
	default:
		seen.Status = "Succeeded"
	}
	return seen, nil
}

// remove is a DELETE that has arrived. It takes some time, during which the image is visible.
func (a *arm) remove(inv *invocation, id string) {
	i := a.images[id]
	a.w.deleteLands(inv, i)
	if i == nil || i.state == "Deleting" {
		return
	}
	i.state, i.since = "Deleting", a.w.clock.now
	takes := tick
	if a.w.chance(a.w.Faults.Slow) {
		takes = a.w.between(tick, time.Minute)
	}
	a.w.clock.after(takes, func() {
		if a.images[id] == i {
			delete(a.images, id)
			a.w.tell("arm", inv.m.key, "image is gone")
		}
	})
}

// place adds an image of somebody else.
func (a *arm) place(id, tag, state string, created time.Time) {
	a.images[id] = &image{id: id, tag: tag, properties: "something else", state: state, since: created, created: created}
}
