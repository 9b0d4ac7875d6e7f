// Package history reads the published events from the history subscription by peeking: it needs Listen alone, takes no
// lock, changes nothing, and so gives any number of readers the same answer before, during and after a build.
package history

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"

	"goldmint/internal/event"
)

// Subscription is the name of the topic's subscription that keeps the events.
const Subscription = "history"

// Reader reads the events of one topic in the order of their publication.
type Reader struct {
	receiver *azservicebus.Receiver
	next     int64 // sequence number to peek from
}

// Open makes a reader that starts at the oldest event that is kept.
func Open(client *azservicebus.Client, topic, subscription string) (*Reader, error) {
	r, err := client.NewReceiverForSubscription(topic, subscription, nil)
	if err != nil {
		return nil, fmt.Errorf("subscription %q of topic %q: %w", subscription, topic, err)
	}
	return &Reader{receiver: r}, nil
}

// batch is how many events one call peeks at the most.
const batch = 250

// Entry is one event as it was published.
type Entry struct {
	Event event.Event
	Body  []byte
}

// Read gives the events that came since the last call, at most a few hundred; none means that there is nothing new.
// Messages that are no events of Goldmint's are passed over.
func (r *Reader) Read(ctx context.Context) ([]Entry, error) {
	messages, err := r.receiver.PeekMessages(ctx, batch, &azservicebus.PeekMessagesOptions{FromSequenceNumber: &r.next})
	if err != nil {
		return nil, fmt.Errorf("peek the events: %w", err)
	}
	var entries []Entry
	for _, m := range messages {
		if m.SequenceNumber != nil && *m.SequenceNumber >= r.next {
			r.next = *m.SequenceNumber + 1
		}
		if e, err := event.Parse(m.Body); err == nil {
			entries = append(entries, Entry{Event: e, Body: m.Body})
		}
	}
	return entries, nil
}

// Follow calls each for every event, old and new, until it says stop or the context ends. It looks every interval.
func (r *Reader) Follow(ctx context.Context, interval time.Duration, each func(Entry) (stop bool)) error {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		entries, err := r.Read(ctx)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if each(e) {
				return nil
			}
		}
		if len(entries) > 0 {
			continue
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}

// Close closes the link.
func (r *Reader) Close(ctx context.Context) error {
	return errors.Join(r.receiver.Close(ctx))
}
