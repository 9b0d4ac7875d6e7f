package build

import (
	"fmt"
	"time"

	"goldmint/internal/event"
)

// Verb is what a command does.
type Verb string

// The verbs. After each of the first five, Step gets the result; Continue and Finish end the work
// on a message.
const (
	Look     Verb = "look"     // GET the image
	Create   Verb = "create"   // PUT the image
	Watch    Verb = "watch"    // GET the operation that Build.Token resumes
	Delete   Verb = "delete"   // DELETE the image
	Publish  Verb = "publish"  // send Event to the topic
	Continue Verb = "continue" // send the build to the queue, to be delivered at At
	Finish   Verb = "finish"   // nothing is left to do
)

// Reasons of Continue that a screen puts in words of its own.
const (
	Creating    = "ARM is creating the image"
	RateLimited = "waiting for Azure's rate limit"
)

// Command is the one thing to do next.
type Command struct {
	Verb   Verb
	At     time.Time   // of Continue
	Reason string      // of Continue: why, for the log
	Event  event.Event // of Publish; of Create and Continue, where there is news: ARM is asked, the build waits
}

func (c Command) String() string {
	switch c.Verb {
	case Continue:
		s := fmt.Sprintf("continue at %s (%s)", c.At.UTC().Format("15:04:05.000"), c.Reason)
		if d := c.Event.Data.Delay; d != nil {
			s += ", publish " + c.Event.Type + " " + d.Reason
		}
		return s
	case Publish:
		s := "publish " + c.Event.Type
		if e := c.Event.Data.Error; e != nil {
			s += " " + e.Code
		}
		return s
	default:
		s := string(c.Verb)
		if c.Event.Type != "" {
			s += ", publish " + c.Event.Type
		}
		return s
	}
}
