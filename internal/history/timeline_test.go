package history_test

import (
	"strings"
	"testing"
	"time"

	"goldmint/internal/event"
	"goldmint/internal/history"
)

var (
	digestA = strings.Repeat("a", 64)
	digestB = strings.Repeat("b", 64)
)

// published is an event as the worker publishes it.
func published(id, digest, eventType string) event.Event {
	at := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	data := event.Data{BuildID: id, Digest: digest, ImageID: "/subscriptions/s/images/" + id, Name: id, RequestedAt: at, StartedAt: at}
	if eventType == event.Failed || eventType == event.Rejected {
		data.Error = &event.Error{Code: "Code", Message: "message"}
	}
	return event.Event{ID: event.ID(id+"/"+digest[:32], eventType, 1), Source: "/goldmint", Type: eventType, Subject: data.ImageID, Time: at, Data: data}
}

// Each line is a history: what was published under one id, by the digests a and b; then what the
// timeline answers. The runs of each digest are counted, unless a number is given: those of b come
// after those of a.
func TestOutcome(t *testing.T) {
	for _, test := range []struct{ events, digest, want, latest string }{
		{"", "", "", ""},
		{"a started", "", "", "a started"},
		{"a started, a succeeded", "", "a succeeded", ""},
		{"a started, a failed", "", "a failed", ""},
		{"a succeeded, a started", "", "a succeeded", ""},                         // out of order
		{"a succeeded, a failed", "", "a succeeded", ""},                          // a build ends once
		{"a rejected", "", "a rejected", ""},                                      //
		{"a rejected, b rejected", "", "b rejected", ""},                          //
		{"a rejected, b started", "", "", "b started"},                            // a corrected request
		{"a rejected, b started, b succeeded", "", "b succeeded", ""},             //
		{"a started, b rejected", "", "", "a started"},                            // the end will come
		{"a started, a rejected", "", "", "a started"},                            // anybody can have that rejected
		{"a queued", "", "", "a queued"},                                          //
		{"a queued, a started", "", "", "a started"},                              //
		{"a queued, a asked", "", "", "a asked"},                                  //
		{"a queued, a asked, a started", "", "", "a started"},                     //
		{"a queued, a started, a asked", "", "", "a started"},                     // out of order
		{"a queued, a delayed, a asked", "", "", "a asked"},                       // its turn has come
		{"a queued, a asked, a delayed", "", "", "a delayed"},                     // Azure refused
		{"a asked, a rejected", "", "a rejected", ""},                             // refused before Azure took it on
		{"a queued, a asked, a failed, a2 asked", "", "", "a asked"},              // a dead letter sent again
		{"a queued, a started, a succeeded, a queued", "", "a succeeded", ""},     // the same request again, which does nothing
		{"a queued, a failed, b queued", "", "", "b queued"},                      // a corrected request is on its way
		{"a queued, a failed, b queued", digestA, "a failed", ""},                 //
		{"a rejected, b queued", "", "", "b queued"},                              //
		{"a queued, b queued, a started, a failed", "", "", "b queued"},           //
		{"a queued, b queued, a started, b failed", "", "b failed", ""},           //
		{"a rejected, a queued", "", "", "a queued"},                              // allowed later
		{"a queued, a rejected", "", "a rejected", ""},                            // disallowed later, or poison
		{"a queued, b rejected", "", "", "a queued"},                              //
		{"a delayed", "", "", "a delayed"},                                        //
		{"a delayed, a started, a delayed", "", "", "a delayed"},                  //
		{"a started, a replicating", "", "", "a replicating"},                     //
		{"a delayed, a rejected", "", "a rejected", ""},                           // refused before its first PUT
		{"a rejected, b delayed", "", "", "b delayed"},                            // a corrected request waits
		{"a started, a failed, a2 started", "", "", "a started"},                  // a dead letter sent again
		{"a started, a failed, a2 started, a2 succeeded", "", "a succeeded", ""},  //
		{"a2 started, a2 succeeded, a failed", "", "a succeeded", ""},             // the older run's, late
		{"a started, b rejected, a failed", "", "a failed", ""},                   //
		{"a started, a succeeded, b rejected", "", "a succeeded", ""},             // an end is preferred to any rejection
		{"a started, a failed, b started", "", "", "b started"},                   // the newest build
		{"a started, a failed, b started, b succeeded", "", "b succeeded", ""},    //
		{"a started, b started, b succeeded, a failed", "", "b succeeded", ""},    //
		{"a started, a failed, b started, b succeeded", digestA, "a failed", ""},  // the only one that counts
		{"a started, a failed, b rejected", digestB, "b rejected", ""},            //
		{"a rejected, a started, a succeeded, a rejected", "", "a succeeded", ""}, // allowed later, sent again later
		{"a rejected, b started, b succeeded", digestA[:12], "a rejected", ""},    //
		{"a started, a failed", digestB, "", ""},                                  // a digest that nobody knows
	} {
		t.Run(test.events+" of "+test.digest, func(t *testing.T) {
			timeline := history.Timeline{Digest: test.digest}
			for _, line := range strings.Split(test.events, ", ") {
				if letter, word, ok := strings.Cut(line, " "); ok {
					e := published("web", strings.Repeat(letter[:1], 64), "goldmint.build."+word)
					e.Data.Run = map[string]int64{"a": 10, "a2": 20, "b": 30}[letter]
					timeline.Add(history.Entry{Event: e})
				}
			}
			if got := name(timeline.Outcome()); got != test.want {
				t.Errorf("outcome %q, want %q", got, test.want)
			}
			if test.latest == "" {
				test.latest = test.want
			}
			if got := name(timeline.Latest()); got != test.latest {
				t.Errorf("latest %q, want %q", got, test.latest)
			}
		})
	}
}

func name(e *history.Entry) string {
	if e == nil {
		return ""
	}
	return e.Event.Data.Digest[:1] + " " + strings.TrimPrefix(e.Event.Type, "goldmint.build.")
}
