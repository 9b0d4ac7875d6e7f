// Package event is what Goldmint publishes about a build: CloudEvents 1.0 in structured JSON. A
// build has one when it starts and one when it ends. A refused message has one that says why.
//
// An event is always safe to publish. Texts of Azure or of a sender may be large or hostile; still
// the JSON stays below [MaxBytes], its texts are single lines, and URLs lose their query strings,
// which may hold signatures.
package event

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/messaging"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
)

// ContentType is the content type of an event's JSON.
const ContentType = "application/cloudevents+json"

// MaxBytes is the largest size of an event's JSON, well within the 256 KB that Service Bus carries.
const MaxBytes = 200_000

// The types of events. Queued says that a request was accepted, Asked that its turn has come and
// Azure is asked for the image. Succeeded and Failed end a build. Rejected refuses a message that
// is no valid request. Delayed says once what a build waits for.
const (
	Queued      = "goldmint.build.queued"
	Asked       = "goldmint.build.asked"
	Started     = "goldmint.build.started"
	Delayed     = "goldmint.build.delayed"
	Replicating = "goldmint.build.replicating"
	Succeeded   = "goldmint.build.succeeded"
	Failed      = "goldmint.build.failed"
	Rejected    = "goldmint.build.rejected"
)

// Event is one published event.
type Event struct {
	ID      string    // see ID; unique within the source, the same when published again
	Source  string    // who publishes: the function app, as a URI reference
	Type    string    // one of the constants above
	Subject string    // the image's resource ID; empty when a rejected message did not name it
	Time    time.Time // when it happened
	Data    Data
}

// ID is the id of an event of the given type about the build with the given key (request.Key). run
// is the sequence number of the message that began this run of the build, or of the message that is
// rejected; of a build that is queued it is 1, because its run is not known yet. Success and
// failure share one id, so that a run cannot have both. what distinguishes events of one type and
// run: the reason of a delay, or the number of replicated regions.
//
//	KEY/queued/1  KEY/asked/RUN  KEY/started/RUN  KEY/ended/RUN  KEY/rejected/N  KEY/delayed/RUN/REASON  KEY/replicating/RUN/REGIONS
func ID(key, eventType string, run int64, what ...string) string {
	name, known := idNames[eventType]
	if !known {
		panic("no such type of event: " + eventType)
	}
	return strings.Join(append([]string{key, name, strconv.FormatInt(run, 10)}, what...), "/")
}

var idNames = map[string]string{
	Queued: "queued", Asked: "asked", Started: "started", Succeeded: "ended", Failed: "ended", Rejected: "rejected", Delayed: "delayed", Replicating: "replicating",
}

// Ends reports whether the event is the last one of its build.
func (e Event) Ends() bool {
	return e.Type == Succeeded || e.Type == Failed
}

// Answers reports whether the event is the answer to a request: the image exists, there will be no
// image, or the message was no valid request.
func (e Event) Answers() bool { return e.Ends() || e.Type == Rejected }

// Properties are the Service Bus application properties by which a subscription can filter: type,
// buildId, name, location and so on, each a string. Empty ones are left out.
func (e Event) Properties() map[string]any {
	e = e.bounded()
	properties := map[string]any{}
	for name, value := range map[string]string{
		"type":             e.Type,
		"buildId":          e.Data.BuildID,
		"digest":           e.Data.Digest,
		"imageId":          e.Data.ImageID,
		"name":             e.Data.Name,
		"galleryImageName": e.Data.GalleryImageName,
		"resourceGroup":    e.Data.ResourceGroup,
		"subscriptionId":   e.Data.SubscriptionID,
		"location":         e.Data.Location,
		"hyperVGeneration": e.Data.HyperVGeneration,
		"sourceType":       e.Data.Source.Type,
		"errorCode":        e.Data.code(),
	} {
		if value != "" {
			properties[name] = value
		}
	}
	return properties
}

// MarshalJSON writes the event as a structured CloudEvent, bounded and clean.
func (e Event) MarshalJSON() ([]byte, error) {
	e = e.bounded()
	ce := messaging.CloudEvent{
		ID:              e.ID,
		Source:          e.Source,
		SpecVersion:     "1.0",
		Type:            e.Type,
		DataContentType: to.Ptr("application/json"),
		Data:            e.Data,
		Time:            to.Ptr(e.Time.UTC()),
	}
	if e.Subject != "" {
		ce.Subject = &e.Subject
	}
	return json.Marshal(ce)
}

// Parse reads an event as Goldmint publishes it. Unknown fields are ignored, so that old readers
// understand newer writers.
func Parse(body []byte) (Event, error) {
	var ce messaging.CloudEvent
	if err := json.Unmarshal(body, &ce); err != nil {
		return Event{}, fmt.Errorf("read event: %w", err)
	}
	text, ok := ce.Data.([]byte)
	switch {
	case ce.SpecVersion != "1.0":
		return Event{}, fmt.Errorf("read event %q: CloudEvents version %q is not 1.0", ce.ID, ce.SpecVersion)
	case !known(ce.Type):
		return Event{}, fmt.Errorf("read event %q: type %q is none of Goldmint's", ce.ID, ce.Type)
	case ce.Time == nil:
		return Event{}, fmt.Errorf("read event %q: it has no time", ce.ID)
	case !ok:
		return Event{}, fmt.Errorf("read event %q: it has no data", ce.ID)
	}
	e := Event{ID: ce.ID, Source: ce.Source, Type: ce.Type, Time: *ce.Time}
	if ce.Subject != nil {
		e.Subject = *ce.Subject
	}
	if err := json.Unmarshal(text, &e.Data); err != nil {
		return Event{}, fmt.Errorf("read data of event %q: %w", ce.ID, err)
	}
	return e, nil
}

// UnmarshalJSON is [Parse].
func (e *Event) UnmarshalJSON(body []byte) error {
	parsed, err := Parse(body)
	if err != nil {
		return err
	}
	*e = parsed
	return nil
}

func known(eventType string) bool { return idNames[eventType] != "" }

// Data is what an event says. Which fields are set depends on the type; see
// schema/event.schema.json.
type Data struct {
	BuildID           string            `json:"buildId"`
	Digest            string            `json:"digest,omitempty"`  // of the request; of the body if the request could not be read
	Run               int64             `json:"run,omitzero"`      // distinguishes the runs of one build: a later run has a higher number
	ImageID           string            `json:"imageId,omitempty"` // of the image or version: what to deploy from
	Name              string            `json:"name,omitempty"`
	GalleryName       string            `json:"galleryName,omitempty"` // these fields of a gallery image version
	GalleryImageName  string            `json:"galleryImageName,omitempty"`
	ExcludeFromLatest bool              `json:"excludeFromLatest,omitzero"`
	EndOfLifeDate     time.Time         `json:"endOfLifeDate,omitzero"`
	ReplicationStatus *Replication      `json:"replicationStatus,omitempty"` // replicating, succeeded, and failed replication
	ResourceGroup     string            `json:"resourceGroup,omitempty"`
	SubscriptionID    string            `json:"subscriptionId,omitempty"`
	Location          string            `json:"location,omitempty"`
	HyperVGeneration  string            `json:"hyperVGeneration,omitempty"`
	Source            Source            `json:"source,omitzero"`
	RequestedAt       time.Time         `json:"requestedAt,omitzero"`     // the message was enqueued
	StartedAt         time.Time         `json:"startedAt,omitzero"`       // Azure accepted the first PUT
	EndedAt           time.Time         `json:"endedAt,omitzero"`         // the outcome was known
	DurationSeconds   float64           `json:"durationSeconds,omitzero"` // from started to ended
	WaitSeconds       float64           `json:"waitSeconds,omitzero"`     // from requested to started
	Reused            bool              `json:"reused,omitzero"`          // ifExists was reuse, and another build's image existed
	Attempts          int               `json:"attempts,omitzero"`        // PUTs that Azure accepted
	Metadata          map[string]string `json:"metadata,omitempty"`       // the request's own
	Delay             *Delay            `json:"delay,omitempty"`          // delayed: what the build waits for
	Error             *Error            `json:"error,omitempty"`          // failed and rejected
	Problems          []Problem         `json:"problems,omitempty"`       // rejected: what to correct
}

// Replication is the progress of a gallery image version's replication, in Azure's words.
type Replication struct {
	AggregatedState string   `json:"aggregatedState"`
	Summary         []Region `json:"summary,omitempty"`
}

// Done is the number of regions that have the version.
func (r *Replication) Done() int {
	if r == nil {
		return 0
	}
	n := 0
	for _, region := range r.Summary {
		if region.Done() {
			n++
		}
	}
	return n
}

// Region is the progress in one region.
type Region struct {
	Region   string `json:"region"`
	State    string `json:"state"`
	Progress int32  `json:"progress"` // percent
	Details  string `json:"details,omitempty"`
}

// Done reports whether the region has the version, so that it can be deployed there.
func (r Region) Done() bool { return r.State == "Completed" }

// Delay is why a build waits before Azure works on its image.
type Delay struct {
	Reason  string    `json:"reason"`         // PascalCase, one of a few
	Code    string    `json:"code,omitempty"` // Azure's, where Azure said something
	Message string    `json:"message"`        // for a person
	Ahead   int       `json:"ahead,omitzero"` // builds that went first when the event was published
	Until   time.Time `json:"until,omitzero"` // estimate of when the build continues, or ends its attempts
}

// Source is what the image is made from.
type Source struct {
	Type string `json:"type"` // virtualMachine, managedDisk, snapshot, blob, image, galleryImageVersion or communityGalleryImage
	ID   string `json:"id"`   // a resource ID, or the blob's URL

	// UniqueID identifies the source even when its name is used again: a VM's vmId, a disk's or a
	// snapshot's uniqueId. Other sources have no such id.
	UniqueID string `json:"uniqueId,omitempty"`
}

// Error is why a build failed or a message was rejected. Errors of Azure keep Azure's words.
type Error struct {
	Code      string   `json:"code"`
	Message   string   `json:"message"`
	Target    string   `json:"target,omitempty"`
	Details   []Detail `json:"details,omitempty"`
	Hint      string   `json:"hint,omitempty"` // what to do about it
	Retryable bool     `json:"retryable"`      // the same request may succeed later
}

// Detail is one of the errors that an error is made of.
type Detail struct {
	Code    string   `json:"code,omitempty"`
	Message string   `json:"message,omitempty"`
	Target  string   `json:"target,omitempty"`
	Details []Detail `json:"details,omitempty"`
}

// Problem is one thing to correct in a rejected request.
type Problem struct {
	Pointer string `json:"pointer"` // JSON pointer into the request
	Path    string `json:"path"`    // the place as people write it
	Message string `json:"message"`
}

func (d Data) code() string {
	if d.Error == nil {
		return ""
	}
	return d.Error.Code
}

// withDurations fills in the durations from the times that are known.
func (d Data) withDurations() Data {
	if !d.RequestedAt.IsZero() && !d.StartedAt.IsZero() {
		d.WaitSeconds = seconds(d.StartedAt.Sub(d.RequestedAt))
	}
	if !d.StartedAt.IsZero() && !d.EndedAt.IsZero() {
		d.DurationSeconds = seconds(d.EndedAt.Sub(d.StartedAt))
	}
	return d
}

// seconds has milliseconds. It is never negative, even when two clocks disagree.
func seconds(d time.Duration) float64 {
	return float64(max(d, 0).Milliseconds()) / 1000
}
