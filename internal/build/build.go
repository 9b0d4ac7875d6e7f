// Package build is one image build as a pure state machine: Step takes what was observed and
// returns what to do next.
//
// It uses no clock, no network and no log. A Build travels inside the continuation message, so the
// receiver of that message has everything that is known of the build.
package build

import (
	"fmt"
	"strings"
	"time"

	"goldmint/internal/armid"
	"goldmint/internal/event"
	"goldmint/internal/request"
)

// Build is what is known of one build. It is the state that a continuation message carries.
type Build struct {
	Request        request.Request `json:"request"`
	SubscriptionID string          `json:"subscriptionId"` // where the image goes: the request's, else the handler's default
	Digest         string          `json:"digest"`         // of Request, hexadecimal SHA-256; with the id it is the build's identity

	Seq         int       `json:"seq"`                 // position of the message in the chain, from 1
	Run         int64     `json:"run,omitempty"`       // sequence number of the message that began this run; 0 in that message itself
	RequestedAt time.Time `json:"requestedAt"`         // the request's enqueued time, by Service Bus's clock
	AcceptedAt  time.Time `json:"acceptedAt,omitzero"` // first PUT that ARM accepted: the request's timeout counts from here
	Announced   bool      `json:"announced,omitempty"` // the started event is published
	Regions     int       `json:"regions,omitempty"`   // regions that have the gallery image version, as published
	UniqueID    string    `json:"uniqueId,omitempty"`  // of the source, where ARM returns it
	Attempts    int       `json:"attempts,omitempty"`  // PUTs that ARM accepted
	Attempt     Attempt   `json:"attempt,omitzero"`    // the last of them
	Failure     *Failure  `json:"failure,omitempty"`   // why it failed
	Verdict     Verdict   `json:"verdict,omitempty"`   // stored in the message, still to be published

	Transient int      `json:"transient,omitempty"` // temporary failures of ARM or the bus in a row
	Grace     int      `json:"grace,omitempty"`     // waits in a row for a failure that may pass by itself
	Delays    []string `json:"delays,omitempty"`    // reasons for which it waited, as published
	Poison    bool     `json:"poison,omitempty"`    // a message of it was delivered too often once
	Number    int      `json:"number,omitempty"`    // place in the line for ARM's rate limits, see ratelimit.Turn
	Step      Verb     `json:"step,omitempty"`      // the last thing done: reported when the build ends as poison

	message message
}

// Attempt is one PUT that ARM accepted, and what is known of its operation.
type Attempt struct {
	Token       string    `json:"token,omitempty"`       // resumes the operation; a capability, never logged
	StartedAt   time.Time `json:"startedAt,omitzero"`    // the operation's startTime, by ARM's clock
	Looks       int       `json:"looks,omitempty"`       // at the operation
	ProgressAt  time.Time `json:"progressAt,omitzero"`   // last look at how far a version is replicated
	Redelivered bool      `json:"redelivered,omitempty"` // a message of it came again: an earlier delivery may have published its end
}

// Verdict is how the build ends. If a later delivery could come to another verdict, this one is
// sent in a message before it is published.
type Verdict string

// The verdicts.
const (
	Created Verdict = "created" // the image is this build's
	Reused  Verdict = "reused"  // the image existed, and the request allows its reuse
	Failed  Verdict = "failed"  // the reason is Build.Failure
)

// message is what belongs to the handling of one message. The continuation does not carry it.
type message struct {
	redelivered bool          // see Woken
	verdict     Verdict       // in the message: only publishing it is left to do
	created     bool          // the operation has succeeded
	ending      bool          // the last command publishes the end
	progress    bool          // the last command looks at how far a version is replicated
	regions     int           // number that the last command publishes
	date        time.Time     // ARM's clock at the last look at the operation
	asked       time.Duration // its Retry-After
}

// Failure is why an attempt, or the whole build, did not make an image.
type Failure struct {
	event.Error
	Final       bool               `json:"final,omitempty"`       // another attempt would fail the same way
	Replication *event.Replication `json:"replication,omitempty"` // of a gallery image version that did not reach all its regions
}

// New is the build that a checked request asks for. requestedAt is the message's enqueued time.
func New(r request.Request, defaultSubscription string, requestedAt time.Time) Build {
	subscription := r.SubscriptionID
	if subscription == "" {
		subscription = defaultSubscription
	}
	return Build{Request: r, SubscriptionID: subscription, Digest: r.Digest(), Seq: 1, RequestedAt: requestedAt}
}

// Anew is the build as a new run: a person sent its dead letter again at that time.
func (b Build) Anew(requestedAt time.Time) Build {
	return New(b.Request, b.SubscriptionID, requestedAt)
}

// Key names the build: its id and the first twelve digits of its digest. Event and continuation ids
// start with it.
func (b Build) Key() string { return request.Key(b.Request.ID, b.Digest) }

// ImageID is the resource ID of the image that the build makes.
func (b Build) ImageID() string { return b.Request.ResourceID(b.SubscriptionID) }

// RateLimit names the document of the rate limits that the build's creation counts against. There
// is one for each kind of resource, subscription and region.
func (b Build) RateLimit() string {
	region := strings.Map(func(r rune) rune { // "West Europe" is westeurope; the name becomes part of a URL
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, strings.ToLower(b.Request.Location()))
	if region == "" {
		region = "-"
	}
	kind := "images/"
	if b.Request.Target() == request.GalleryImageVersion {
		kind = "gallery-versions/"
	}
	return strings.ToLower(kind + b.SubscriptionID + "/" + region[:min(len(region), 64)])
}

// Tag is the value of the image's goldmint-build-id tag. It says which build made the image.
func (b Build) Tag() string { return b.Request.ID + "/" + b.Digest }

// Tags of Goldmint's own on an image: who asked for it, when, what it is made from. Requests cannot
// set them.
const (
	TagBuildID     = "goldmint-build-id"         // Build.Tag
	TagRequestedAt = "goldmint-requested-at"     // RFC 3339, UTC
	TagSource      = "goldmint-source-id"        // its resource ID, or the blob's URL
	TagUniqueID    = "goldmint-source-unique-id" // Build.UniqueID
	TagCommit      = "goldmint-commit"           // the request's metadata.commit
)

// longestTag is how many characters a tag's value may have.
const longestTag = 256

// ImageTags are the tags the image is created with: the request's and Goldmint's own. A value that
// is too long for a tag is left out, because the events have it.
func (b Build) ImageTags() map[string]*string {
	tags := make(map[string]*string, len(b.Request.Tags())+5)
	for k, v := range b.Request.Tags() {
		tags[k] = v
	}
	for k, v := range map[string]string{
		TagBuildID: b.Tag(), TagRequestedAt: b.RequestedAt.UTC().Format(time.RFC3339Nano),
		TagSource: b.Request.Source().ID, TagUniqueID: b.UniqueID, TagCommit: b.Request.Metadata["commit"],
	} {
		if v != "" && len([]rune(v)) <= longestTag {
			tags[k] = &v
		}
	}
	return tags
}

// Decided reports whether the build has its verdict, which only has to be published.
func (b Build) Decided() bool { return b.Verdict != "" }

// deadlines of a build.
//
// waiting ends the time before ARM works on the image: waits for the rate limit, or for ARM to be
// available. working ends the operation itself, and is zero before ARM has accepted a PUT.
func (b Build) deadlines(maxWait time.Duration) (waiting, working time.Time) {
	waiting = b.RequestedAt.Add(maxWait)
	if !b.AcceptedAt.IsZero() {
		working = b.AcceptedAt.Add(b.Request.Timeout)
		if working.After(waiting) {
			waiting = working
		}
	}
	return waiting, working
}

// Check returns what is wrong with a build that came in a message, or nil. Only Goldmint writes to
// the builds queue, so this is a second defence against an operator's mistake or a role that is too
// wide.
func (b Build) Check() error {
	switch {
	case b.Digest != b.Request.Digest():
		return fmt.Errorf("digest is not that of the request")
	case b.Request.SubscriptionID != "" && b.Request.SubscriptionID != b.SubscriptionID:
		return fmt.Errorf("subscriptionId is not that of the request")
	case !armid.IsGUID(b.SubscriptionID): // it becomes part of a path
		return fmt.Errorf("subscriptionId is not a GUID")
	case b.Request.ID == "" || b.Seq < 1:
		return fmt.Errorf("request.id or seq is missing")
	case b.Verdict == Failed && b.Failure == nil:
		return fmt.Errorf("failure is missing")
	}
	return nil
}

// Image is what a GET of the image, or of the gallery image version, says.
type Image struct {
	Exists           bool
	ID               string // in ARM's letter case, which varies; events use ImageID
	Location         string
	HyperVGeneration string
	State            string             // provisioningState: Succeeded, Failed, Creating, Updating, Deleting, …
	BuildTag         string             // the goldmint-build-id tag, or ""
	RequestedAt      time.Time          // the goldmint-requested-at tag
	UniqueID         string             // the goldmint-source-unique-id tag
	CreatedAt        time.Time          // systemData.createdAt; zero where ARM does not return it
	Replication      *event.Replication // of a gallery image version
}

func (i Image) is(state string) bool { return strings.EqualFold(i.State, state) }

// broken reports whether the image failed for good: it stays as it is until it is deleted.
func (i Image) broken() bool { return i.is("Failed") || i.is("Canceled") }

// born is the best known time of an image's creation.
func (i Image) born() time.Time {
	if i.CreatedAt.IsZero() {
		return i.RequestedAt
	}
	return i.CreatedAt
}
