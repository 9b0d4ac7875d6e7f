// Package history reads the published events from the history subscription by peeking. It needs
// only the Listen right, takes no lock and changes nothing. So any number of readers get the same
// events, before, during and after a build.
//
// A [Reader] reads all events that are kept, once, in large batches and in the order of their
// publication, and then asks for newer ones. A [Timeline] is what the events say about one build
// id.
package history

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"goldmint/internal/event"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
)

// Subscription is the name of the topic's subscription that keeps the events.
const Subscription = "history"

const (
	batch       = 250              // most events that one call peeks; the service may return fewer
	callTimeout = 15 * time.Second // for one call: after a cut connection the client can hang for longer
)

// Reader reads the events of one topic in the order of their publication. It is for one goroutine.
type Reader struct {
	// BuildIDs, if there are any, are the builds whose events count. Events of others are skipped
	// before they are parsed.
	BuildIDs []string

	client              *azservicebus.Client
	topic, subscription string
	receiver            *azservicebus.Receiver
	next                int64 // sequence number to peek from
}

// Open makes a reader that starts at the oldest event that is kept.
func Open(client *azservicebus.Client, topic, subscription string) (*Reader, error) {
	r := &Reader{client: client, topic: topic, subscription: subscription}
	return r, r.open()
}

func (r *Reader) open() (err error) {
	if r.receiver, err = r.client.NewReceiverForSubscription(r.topic, r.subscription, nil); err != nil {
		return fmt.Errorf("subscription %q of topic %q: %w", r.subscription, r.topic, err)
	}
	return nil
}

// Entry is one event as it was published.
type Entry struct {
	Event     event.Event
	Body      []byte
	Published time.Time // by Service Bus' clock
}

// Read returns the events that came since the last call, at most a few hundred. An empty list means
// that there is nothing new. Messages that are not events of Goldmint's are skipped.
func (r *Reader) Read(ctx context.Context) ([]Entry, error) {
	for {
		messages, err := r.peek(ctx)
		if err != nil || len(messages) == 0 {
			return nil, err
		}
		var entries []Entry
		for _, m := range messages {
			if m.SequenceNumber != nil && *m.SequenceNumber >= r.next {
				r.next = *m.SequenceNumber + 1
			}
			if !r.wants(m) {
				continue
			}
			if e, err := event.Parse(m.Body); err == nil && r.of(e.Data.BuildID) {
				entry := Entry{Event: e, Body: m.Body}
				if m.EnqueuedTime != nil {
					entry.Published = *m.EnqueuedTime
				}
				entries = append(entries, entry)
			}
		}
		if len(entries) > 0 {
			return entries, nil
		}
	}
}

func (r *Reader) peek(ctx context.Context) ([]*azservicebus.ReceivedMessage, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	messages, err := r.receiver.PeekMessages(ctx, batch, &azservicebus.PeekMessagesOptions{FromSequenceNumber: &r.next})
	if err != nil {
		return nil, fmt.Errorf("peek the events: %w", err)
	}
	return messages, nil
}

// wants decides by the message's buildId property, if it has one.
func (r *Reader) wants(m *azservicebus.ReceivedMessage) bool {
	id, ok := m.ApplicationProperties["buildId"].(string)
	return !ok || r.of(id)
}

func (r *Reader) of(id string) bool { return len(r.BuildIDs) == 0 || slices.Contains(r.BuildIDs, id) }

// ReadAll returns every event that is kept.
func (r *Reader) ReadAll(ctx context.Context) ([]Entry, error) {
	var all []Entry
	for {
		entries, err := r.Read(ctx)
		if err != nil || len(entries) == 0 {
			return all, err
		}
		all = append(all, entries...)
	}
}

// Following says how a reader follows the events.
type Following struct {
	Interval time.Duration // between two calls for new events

	// OnError gets an error, and how long there have been only errors. An error that it returns
	// ends Follow; after nil, Follow goes on with a new link. Without OnError the first error ends
	// Follow.
	OnError func(err error, since time.Duration) error

	// Each gets the events in order, old ones first. When there are no more for now, it gets no
	// events, and current is true. It returns whether to stop.
	Each func(entries []Entry, current bool) (stop bool)
}

// pauses between attempts after an error are short at first, because most errors are a connection
// that was cut.
var pauses = []time.Duration{50 * time.Millisecond, 250 * time.Millisecond, time.Second, 2 * time.Second, 5 * time.Second}

// Follow reads until Each says stop, OnError returns an error or the context ends, whose cause it
// returns. After an error it continues at the same place, so no event is lost or comes twice.
func (r *Reader) Follow(ctx context.Context, f Following) error {
	var troubled time.Time
	for failures := 0; ; {
		entries, err := r.Read(ctx)
		current := len(entries) == 0
		pause := f.Interval
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			if failures == 0 {
				troubled = time.Now()
			}
			if err := f.give(err, time.Since(troubled)); err != nil {
				return err
			}
			pause = pauses[min(failures, len(pauses)-1)]
			failures++
			if err := r.reopen(ctx); err != nil {
				return err
			}
		case f.Each(entries, current):
			return nil
		case !current:
			failures = 0
			continue
		default:
			failures = 0
		}
		if err := wait(ctx, pause); err != nil {
			return err
		}
	}
}

func (f Following) give(err error, since time.Duration) error {
	if f.OnError == nil {
		return err
	}
	return f.OnError(err, since)
}

// reopen replaces a link that may be broken for good. The client opens a new connection by itself.
func (r *Reader) reopen(ctx context.Context) error {
	closing, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	_ = r.receiver.Close(closing) // it is broken
	return r.open()
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

// Close closes the link.
func (r *Reader) Close(ctx context.Context) error {
	return errors.Join(r.receiver.Close(ctx))
}
