// Package filter decides which messages a subscription takes, by Service Bus's
// three kinds of filters: constant, correlation and SQL.
package filter

import (
	"fmt"
	"math"
	"strings"

	"goldmint/emulator/servicebus/amqp"
)

// Constant is the filter that takes all messages or none.
type Constant bool

// Match returns the constant.
func (c Constant) Match(*amqp.Message) bool { return bool(c) }

// Correlation takes messages whose properties equal all of those given.
type Correlation struct {
	system map[string]string
	user   map[string]any
}

// NewCorrelation makes a filter from system properties, of which empty ones do
// not count, and application properties.
func NewCorrelation(system map[string]string, user map[string]any) (*Correlation, error) {
	c := &Correlation{system: map[string]string{}, user: map[string]any{}}
	for name, want := range system {
		if want == "" {
			continue
		}
		if _, ok := systemProperties(name); !ok {
			return nil, fmt.Errorf("there is no system property %q", name)
		}
		c.system[name] = want
	}
	for name, want := range user {
		c.user[name] = want
	}
	if len(c.system)+len(c.user) == 0 {
		return nil, fmt.Errorf("a correlation filter needs at least one property")
	}
	return c, nil
}

// Match compares the properties, text with regard to letter case.
func (c *Correlation) Match(m *amqp.Message) bool {
	for name, want := range c.system {
		if got := system(m, name); got != any(want) {
			return false
		}
	}
	for name, want := range c.user {
		got, ok := m.Application.Get(name)
		if !ok {
			return false
		}
		if order, ok := compare(scalar(got), scalar(want)); !ok || order != 0 {
			return false
		}
	}
	return true
}

// systemProperties maps the names of sys.* to properties of a message.
func systemProperties(name string) (index int, ok bool) {
	switch strings.ToLower(name) {
	case "messageid":
		return amqp.PropMessageID, true
	case "to":
		return amqp.PropTo, true
	case "label", "subject":
		return amqp.PropSubject, true
	case "replyto":
		return amqp.PropReplyTo, true
	case "correlationid":
		return amqp.PropCorrelationID, true
	case "contenttype":
		return amqp.PropContentType, true
	case "sessionid":
		return amqp.PropGroupID, true
	case "replytosessionid":
		return amqp.PropReplyToGroupID, true
	}
	return 0, false
}

// system is a system property's text, or nil when it is not set.
func system(m *amqp.Message, name string) any {
	index, ok := systemProperties(name)
	if !ok {
		return nil
	}
	if s, ok := m.Properties.Text(index); ok {
		return s
	}
	return nil
}

// scalar reduces a value to nil, bool, int64, float64 or string. What has no
// place there counts as not known.
func scalar(v any) any {
	switch v := v.(type) {
	case bool, string, float64, int64:
		if f, ok := v.(float64); ok && f == math.Trunc(f) && math.Abs(f) < 1<<53 {
			return int64(f) // as JSON configuration writes integers
		}
		return v
	case amqp.Symbol:
		return string(v)
	case float32:
		return scalar(float64(v))
	}
	if n, ok := amqp.Int(v); ok {
		return n
	}
	return nil
}

// compare orders two scalars; ok is false when they cannot be compared.
func compare(a, b any) (order int, ok bool) {
	switch x := a.(type) {
	case string:
		y, ok := b.(string)
		return strings.Compare(x, y), ok
	case bool:
		y, ok := b.(bool)
		if !ok || x == y {
			return 0, ok
		}
		return 1, true
	}
	x, okX := number(a)
	y, okY := number(b)
	switch {
	case !okX || !okY:
		return 0, false
	case x < y:
		return -1, true
	case x > y:
		return 1, true
	}
	return 0, true
}

func number(v any) (float64, bool) {
	switch v := v.(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}
