package broker

import (
	"math"
	"time"

	"goldmint/emulator/servicebus/amqp"
)

// Defaults of the service.
const (
	DefaultLockDuration     = time.Minute
	DefaultMaxDeliveryCount = 10
	DefaultDuplicateWindow  = 10 * time.Minute
)

// Forever is a time to live without end.
const Forever = time.Duration(math.MaxInt64)

// Settings are the properties of an entity. Zero values stand for the service's
// defaults.
type Settings struct {
	LockDuration         time.Duration // 1 minute
	TimeToLive           time.Duration // forever
	DeadLetterOnExpiry   bool
	MaxDeliveryCount     int           // 10
	DuplicateWindow      time.Duration // 10 minutes
	DetectDuplicates     bool
	RequiresSession      bool
	ForwardTo            string // the entity that messages go on to
	ForwardDeadLettersTo string
}

func (s Settings) withDefaults() Settings {
	if s.LockDuration == 0 {
		s.LockDuration = DefaultLockDuration
	}
	if s.TimeToLive == 0 {
		s.TimeToLive = Forever
	}
	if s.MaxDeliveryCount == 0 {
		s.MaxDeliveryCount = DefaultMaxDeliveryCount
	}
	if s.DuplicateWindow == 0 {
		s.DuplicateWindow = DefaultDuplicateWindow
	}
	return s
}

// deadLetters are the settings of the entity's dead-letter queue: nothing
// expires there and nothing leaves it by itself.
func (s Settings) deadLetters() Settings {
	return Settings{
		LockDuration: s.LockDuration, TimeToLive: Forever, MaxDeliveryCount: math.MaxInt,
		ForwardTo: s.ForwardDeadLettersTo,
	}.withDefaults()
}

// Filter says which messages a subscription takes.
type Filter interface {
	Match(*amqp.Message) bool
}
