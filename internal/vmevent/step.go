package vmevent

import (
	"strings"
	"time"

	"goldmint/internal/armerr"
	"goldmint/internal/armid"
	"goldmint/internal/event"
	"goldmint/internal/request"
)

// Mode is which VMs take part.
type Mode string

// The modes.
const (
	ModeTagged Mode = "tagged" // those tagged goldmint=capture
	ModeAll    Mode = "all"
	ModeOff    Mode = "off"
)

// Policy is the settings that decide what an event leads to.
type Policy struct {
	Mode                 Mode
	ResourceGroup        string   // where images go without a goldmint-resource-group; "" is the VM's own
	GalleryImage         string   // gallery/definition of VMs without a goldmint-gallery-image; "" is a managed image
	ZoneResilient        bool     // without a goldmint-zone-resilient
	CopyTags             []string // names of the VM's tags that the image gets too
	AllowedSubscriptions []string // all where empty
	AllowedGroups        []string // all where empty
	MaxWait              time.Duration
}

// Verb is what a command does.
type Verb string

// The verbs. After each of the first five, Step gets the result; the others end the work on a
// message.
const (
	Read      Verb = "read"       // GET the VM with its instance view
	Prepare   Verb = "generalize" // POST generalize
	Find      Verb = "find"       // look where Request makes its image for one of the build Request.ID
	Send      Verb = "send"       // send Request to the queue, its id being the MessageId
	Publish   Verb = "publish"    // send Event to the topic
	Continue  Verb = "continue"   // send the work to the queue, to be delivered at At
	Ignore    Verb = "ignore"     // nothing is to be done, for Why
	Completed Verb = "finish"
)

// Command is the one thing to do next.
type Command struct {
	Verb    Verb
	At      time.Time       // of Continue
	Reason  string          // of Continue: why, for the log
	Why     Reason          // of Ignore
	Warn    bool            // of Ignore: somebody may miss an image
	Detail  string          // of Ignore, for the log
	Request request.Request // of Find and Send
	Dropped []string        // of Send: tags of the VM that were not copied
	Event   event.Event     // of Publish
}

// Observation is the result of a command, or that a message woke the work.
type Observation interface{ observed() }

// Woken says that a message brought the work here.
type Woken struct{}

// Prepared says that ARM generalized the VM.
type Prepared struct{}

// Found is the image of the build that Find searched for, or "".
type Found struct{ ImageID string }

// Sent says that the request is in the queue, or was dropped because it had been sent before.
type Sent struct{}

// Published says that the event is in the topic.
type Published struct{}

// Errored says that a command failed.
type Errored struct {
	Verb Verb
	Err  *armerr.Error // nil when the bus failed
}

func (Woken) observed()     {}
func (VM) observed()        {}
func (Prepared) observed()  {}
func (Found) observed()     {}
func (Sent) observed()      {}
func (Published) observed() {}
func (Errored) observed()   {}

// Step takes what was observed and returns what the work is now and the one thing to do next.
//
// Its rules: believe the VM, not the event; change a VM only if its tags ask for it; refuse a VM
// that cannot be captured before it is generalized; send nothing while an image of this VM exists.
func (p Policy) Step(w Work, seen Observation, now time.Time) (Work, Command) {
	switch o := seen.(type) {
	case Woken:
		return p.woken(w)
	case VM:
		w.vm = o
		return p.judge(w, now)
	case Prepared:
		w.acted = true
		return w, Command{Verb: Read}
	case Found:
		if o.ImageID != "" {
			return leave(w, ImageExists, false, o.ImageID)
		}
		return w, Command{Verb: Send, Request: w.plan.request, Dropped: w.plan.dropped}
	case Sent, Published:
		return w, Command{Verb: Completed}
	case Errored:
		return p.errored(w, o, now)
	}
	panic("unknown observation")
}

func (p Policy) woken(w Work) (Work, Command) {
	switch {
	case p.Mode == ModeOff:
		return leave(w, Off, false, "")
	case !armid.Allowed(p.AllowedSubscriptions, w.Event.VM.SubscriptionID):
		return leave(w, NotAllowed, true, "")
	}
	return w, Command{Verb: Read}
}

// judge decides on the VM as it was just read.
func (p Policy) judge(w Work, now time.Time) (Work, Command) {
	v, later := w.vm, w.Event.Operation == Deallocate && !w.vm.Generalized && !w.vm.wantsGeneralize()
	if !v.ID.Same(w.Event.VM) || !armid.IsGUID(v.VMID) {
		return leave(w, Unreadable, true, "the answer is not that of this VM, or has no vmId")
	}
	w.VMID = v.VMID
	switch {
	case p.Mode != ModeAll && !v.optedIn():
		return leave(w, NotTagged, false, "")
	case later && !v.optedIn(): // for example a VM that is only switched off for the night
		return leave(w, NotGeneralized, false, "")
	}
	w.plan = p.plan(w)
	if code, message, found := v.obstacle(p.gallery(v) != ""); found {
		return p.fail(w, code, message, false, now)
	}
	switch {
	case later: // the generalize event does the work
		return leave(w, NotGeneralized, false, "")
	case w.plan.code != "":
		return p.fail(w, w.plan.code, w.plan.problem, false, now)
	case !v.Generalized:
		return p.ungeneralized(w, now)
	case !v.resting() && w.Looks < len(notReady):
		return p.lookAgain(w, "the VM is "+state(v), now)
	}
	return w, Command{Verb: Find, Request: w.plan.request} // ARM itself decides about the rest
}

// ungeneralized handles a VM that is not generalized: it has to be generalized, or ARM still shows
// the old state.
func (p Policy) ungeneralized(w Work, now time.Time) (Work, Command) {
	v := w.vm
	switch {
	case w.Event.Operation == Deallocate && v.resting() && !w.acted:
		return w, Command{Verb: Prepare}
	case w.Looks < len(notReady):
		return p.lookAgain(w, "the VM is "+state(v)+" and not generalized", now)
	case w.Event.Operation == Deallocate && !v.resting():
		return leave(w, NotDeallocated, true, "")
	}
	return leave(w, NotGeneralized, true, "")
}

// state is the VM's in a few words.
func state(v VM) string { return strings.ToLower(strings.TrimSpace(v.Power + " (" + v.State + ")")) }

func (p Policy) fail(w Work, code, message string, retryable bool, now time.Time) (Work, Command) {
	return w, Command{Verb: Publish, Event: w.failed(code, message, retryable, now)}
}

func leave(w Work, why Reason, warn bool, detail string) (Work, Command) {
	return w, Command{Verb: Ignore, Why: why, Warn: warn, Detail: detail}
}
