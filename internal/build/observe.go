package build

import (
	"strings"
	"time"

	"goldmint/internal/armerr"
	"goldmint/internal/event"
	"goldmint/internal/ratelimit"
)

// Observation is what came of a command, or that a message woke the build.
type Observation interface{ observed() }

// Woken says that a message brought the build here.
type Woken struct {
	// Redelivered says that the message was delivered before. Whoever had it may have acted already, so now nothing is
	// created or deleted: that is handed on by a continuation, which duplicate detection drops if there was one.
	Redelivered bool
}

// Image is what a GET of the image, or of the gallery image version, says.
type Image struct {
	Exists           bool
	ID               string // in ARM's letter case, which changes: the build's own is ImageID
	Location         string
	HyperVGeneration string
	State            string             // provisioningState: Succeeded, Failed, Creating, Updating, Deleting, …
	BuildTag         string             // the goldmint-build-id tag, "" where there is none
	RequestedAt      time.Time          // the goldmint-requested-at tag
	UniqueID         string             // the goldmint-source-unique-id tag
	CreatedAt        time.Time          // systemData.createdAt; zero where ARM does not tell
	Replication      *event.Replication // of a gallery image version
}

func (i Image) is(state string) bool { return strings.EqualFold(i.State, state) }

// broken says that ARM has given the image up: it stays as it is until it is deleted.
func (i Image) broken() bool { return i.is("Failed") || i.is("Canceled") }

// born is the best known time at which an image came to be.
func (i Image) born() time.Time {
	if i.CreatedAt.IsZero() {
		return i.RequestedAt
	}
	return i.CreatedAt
}

// Accepted is ARM's answer to a PUT that it took on.
type Accepted struct {
	Token string            // resumes the operation; "" when ARM had nothing left to do
	Date  time.Time         // ARM's clock
	Took  time.Duration     // from the PUT to the answer
	Left  []ratelimit.Limit // what remains of the limits

	UniqueID string // of the source, "" where ARM does not tell
}

// Postponed says that the build may not create its image yet: others go first, or ARM's allowance is used up for now.
type Postponed struct {
	At     time.Time // when to ask again
	Ahead  int       // builds that are let go first
	Reason string
}

// Operation is what a look at the ARM operation says.
type Operation struct {
	Status     string // InProgress, Succeeded, Failed (canceled ones too); "" when the operation cannot be seen any more
	StartedAt  time.Time
	Date       time.Time // ARM's clock
	RetryAfter time.Duration
	Err        *armerr.Error // of a failed one
}

// Deleted says that ARM took on the deletion of the image.
type Deleted struct{}

// Published says that the event is in the topic.
type Published struct{}

// Trouble says that a command did not go through.
type Trouble struct {
	Verb Verb          // of the command
	Err  *armerr.Error // ARM's error, nil when the trouble is with the bus
}

func (Woken) observed()     {}
func (Image) observed()     {}
func (Accepted) observed()  {}
func (Postponed) observed() {}
func (Operation) observed() {}
func (Deleted) observed()   {}
func (Published) observed() {}
func (Trouble) observed()   {}
