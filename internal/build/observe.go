package build

import (
	"time"

	"goldmint/internal/armerr"
	"goldmint/internal/ratelimit"
)

// Observation is the result of a command, or that a message woke the build.
type Observation interface{ observed() }

// Woken says that a message brought the build here.
type Woken struct {
	// Redelivered says that the message was delivered before. The earlier delivery may have acted
	// already, so this one creates and deletes nothing. It leaves that to a continuation, which
	// duplicate detection drops if the earlier delivery has sent it.
	Redelivered bool
}

// Accepted is ARM's answer to a PUT that it accepted.
type Accepted struct {
	Token string            // resumes the operation; "" when ARM had nothing left to do
	Date  time.Time         // ARM's clock
	Took  time.Duration     // from the PUT to the answer
	Left  []ratelimit.Limit // what remains of the limits

	UniqueID string // of the source, "" where ARM does not return it
}

// Postponed says that the build may not create its image yet: others go first, or ARM's rate limit
// is used up for now.
type Postponed struct {
	At     time.Time // when to ask the limiter again
	Ahead  int       // builds that go first
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

// Deleted says that ARM accepted the deletion of the image.
type Deleted struct{}

// Published says that the event is in the topic.
type Published struct{}

// Errored says that a command failed.
type Errored struct {
	Verb Verb          // of the command
	Err  *armerr.Error // ARM's error, nil when the bus failed
}

func (Woken) observed()     {}
func (Image) observed()     {}
func (Accepted) observed()  {}
func (Postponed) observed() {}
func (Operation) observed() {}
func (Deleted) observed()   {}
func (Published) observed() {}
func (Errored) observed()   {}
