package servicebus

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Config is the configuration file of Microsoft's Service Bus emulator. Its
// limits there are far below the real service's; here they are the service's.
type Config struct {
	UserConfig UserConfig
}

// UserConfig holds the namespaces. All of them are one here: names must differ.
type UserConfig struct {
	Namespaces []Namespace
	Logging    Logging
}

// Logging is read and not used: see Options.Log.
type Logging struct{ Type string }

// Namespace holds entities.
type Namespace struct {
	Name   string
	Queues []Queue
	Topics []Topic
}

// Queue is a queue and its properties.
type Queue struct {
	Name       string
	Properties QueueProperties
}

// QueueProperties are those of queues and subscriptions. Zero values stand for
// the service's defaults: lock 1 minute, deliveries 10, duplicate window 10
// minutes, no end of life.
type QueueProperties struct {
	DeadLetteringOnMessageExpiration    bool
	DefaultMessageTimeToLive            Duration // 1 s and more
	DuplicateDetectionHistoryTimeWindow Duration // 5 s to 7 days
	ForwardDeadLetteredMessagesTo       string
	ForwardTo                           string
	LockDuration                        Duration // 5 s to 5 min
	MaxDeliveryCount                    int      // 1 to 2000
	RequiresDuplicateDetection          bool     // not for subscriptions
	RequiresSession                     bool
}

// Topic is a topic with its subscriptions.
type Topic struct {
	Name          string
	Properties    TopicProperties
	Subscriptions []Subscription
}

// TopicProperties are those of a topic.
type TopicProperties struct {
	DefaultMessageTimeToLive            Duration
	DuplicateDetectionHistoryTimeWindow Duration
	RequiresDuplicateDetection          bool
}

// Subscription takes the messages that any of its rules takes; all without rules.
type Subscription struct {
	Name       string
	Properties QueueProperties
	Rules      []Rule
}

// Rule is a filter with a name.
type Rule struct {
	Name       string
	Properties RuleProperties
}

// RuleProperties hold the filter. FilterType is Correlation, Sql, True or False; without it the
// filter that is there decides.
type RuleProperties struct {
	FilterType        string
	CorrelationFilter *CorrelationFilter `json:",omitempty"`
	SQLFilter         *SQLFilter         `json:"SqlFilter,omitempty"`
	Action            *Action            `json:",omitempty"`
}

// CorrelationFilter matches messages whose properties equal all that are set.
type CorrelationFilter struct {
	ContentType      string
	CorrelationID    string `json:"CorrelationId"`
	Label            string // the subject
	MessageID        string `json:"MessageId"`
	ReplyTo          string
	ReplyToSessionID string `json:"ReplyToSessionId"`
	SessionID        string `json:"SessionId"`
	To               string
	Properties       map[string]any // application properties
}

// SQLFilter matches messages for which the expression is true.
type SQLFilter struct {
	SQLExpression string `json:"SqlExpression"`
}

// Action would change messages. It is refused: actions are not supported here.
type Action struct {
	SQLExpression string `json:"SqlExpression"`
}

// ParseConfig reads a configuration file, which may hold // and /* */ comments.
// Unknown fields are errors.
func ParseConfig(file []byte) (Config, error) {
	var c Config
	dec := json.NewDecoder(bytes.NewReader(stripComments(file)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&c); err != nil {
		return Config{}, fmt.Errorf("service bus configuration: %w", err)
	}
	if dec.More() {
		return Config{}, fmt.Errorf("service bus configuration: text after the end of the object")
	}
	if err := c.Validate(); err != nil {
		return Config{}, fmt.Errorf("service bus configuration: %w", err)
	}
	return c, nil
}

// stripComments puts blanks in place of comments, so that the positions in error
// messages stay right.
func stripComments(file []byte) []byte {
	out := bytes.Clone(file)
	for i := 0; i < len(out); i++ {
		switch {
		case out[i] == '"':
			i = stringEnd(out, i)
		case bytes.HasPrefix(out[i:], []byte("//")):
			i = blank(out, i, "\n")
		case bytes.HasPrefix(out[i:], []byte("/*")):
			i = blank(out, i, "*/")
		}
	}
	return out
}

func stringEnd(b []byte, start int) int {
	for i := start + 1; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return len(b)
}

// blank writes blanks from start to the end mark and returns the mark's last
// place. Line ends stay.
func blank(b []byte, start int, mark string) int {
	end := len(b)
	if n := bytes.Index(b[start+2:], []byte(mark)); n >= 0 {
		end = start + 2 + n + len(mark)
	}
	for i := start; i < end; i++ {
		if b[i] != '\n' {
			b[i] = ' '
		}
	}
	return end - 1
}
