package event

import "time"

// Data is what an event says. Which fields are set depends on the type; see
// schema/event.schema.json.
type Data struct {
	BuildID           string            `json:"buildId"`
	Digest            string            `json:"digest,omitempty"`  // of the request; of the body when that could not be read
	Run               int64             `json:"run,omitzero"`      // tells the runs of one build apart: a later one has a higher number
	ImageID           string            `json:"imageId,omitempty"` // of the image or version: what to deploy from
	Name              string            `json:"name,omitempty"`
	GalleryName       string            `json:"galleryName,omitempty"` // these of a gallery image version
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
	Reused            bool              `json:"reused,omitzero"`          // ifExists: reuse found an image of somebody else
	Attempts          int               `json:"attempts,omitzero"`        // PUTs that Azure accepted
	Metadata          map[string]string `json:"metadata,omitempty"`       // the request's own
	Delay             *Delay            `json:"delay,omitempty"`          // delayed: what the build waits for
	Error             *Error            `json:"error,omitempty"`          // failed and rejected
	Problems          []Problem         `json:"problems,omitempty"`       // rejected: what to correct
}

// Replication is how far a gallery image version has come to its regions, in Azure's words.
type Replication struct {
	AggregatedState string   `json:"aggregatedState"`
	Summary         []Region `json:"summary,omitempty"`
}

// Done is how many regions have it.
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

// Region is one of them.
type Region struct {
	Region   string `json:"region"`
	State    string `json:"state"`
	Progress int32  `json:"progress"` // percent
	Details  string `json:"details,omitempty"`
}

// Done reports whether the region has it, so that it can be deployed there.
func (r Region) Done() bool { return r.State == "Completed" }

// Delay is why a build waits before Azure works on its image.
type Delay struct {
	Reason  string    `json:"reason"`         // PascalCase, one of a few
	Code    string    `json:"code,omitempty"` // Azure's, where Azure said something
	Message string    `json:"message"`        // for a person
	Ahead   int       `json:"ahead,omitzero"` // builds that are let go first, when this was said
	Until   time.Time `json:"until,omitzero"` // about when the build goes on, or gives up trying
}

// Source is what the image is made from.
type Source struct {
	Type string `json:"type"` // virtualMachine, managedDisk, snapshot, blob, image, galleryImageVersion or communityGalleryImage
	ID   string `json:"id"`   // a resource ID, or the blob's URL

	// UniqueID outlives the name: a VM's vmId, a disk's or snapshot's uniqueId. Azure tells of no other.
	UniqueID string `json:"uniqueId,omitempty"`
}

// Error is why a build failed or a message was rejected, in Azure's words
// where they are Azure's.
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
	Path    string `json:"path"`    // the same for people
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

// seconds has milliseconds; clocks that disagree do not make it negative.
func seconds(d time.Duration) float64 {
	return float64(max(d, 0).Milliseconds()) / 1000
}
