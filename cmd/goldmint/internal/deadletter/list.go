package deadletter

import (
	"context"
	"fmt"
	"math"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
)

// peeker looks at up to n messages from a sequence number on.
type peeker func(ctx context.Context, from int64, n int) ([]*azservicebus.ReceivedMessage, error)

// list looks at every message. The client decodes all messages of one call or none: after a call
// that failed it is asked for one message at a time, until the one that it cannot decode is found.
func list(ctx context.Context, peek peeker) ([]Letter, error) {
	var all []Letter
	n, single := batch, int64(0) // one at a time until there
	for from := int64(0); ; {
		if from >= single {
			n = batch
		}
		messages, err := peek(ctx, from, n)
		switch {
		case err != nil && n > 1:
			n, single = 1, from+batch
			continue
		case err != nil:
			bad, found := broken(ctx, peek, from)
			if !found {
				return nil, fmt.Errorf("peek the messages: %w", err)
			}
			all = append(all, unreadable(bad, err))
			from = bad + 1
			continue
		case len(messages) == 0:
			return all, nil
		}
		for _, m := range messages {
			l := newLetter(m)
			all = append(all, l)
			from = max(from, l.SequenceNumber+1)
		}
	}
}

// broken is the last number from which on the next message cannot be decoded. It is not found when
// the queue answers nothing at all.
func broken(ctx context.Context, peek peeker, from int64) (bad int64, found bool) {
	fails := func(number int64) bool {
		_, err := peek(ctx, number, 1)
		return err != nil
	}
	if fails(math.MaxInt64) { // where there is no message
		return 0, false
	}
	good := from + 1
	for step := int64(1); fails(good); step *= 2 {
		if step > 1<<40 {
			return 0, false
		}
		from, good = good, good+step
	}
	for from+1 < good {
		if middle := from + (good-from)/2; fails(middle) {
			from = middle
		} else {
			good = middle
		}
	}
	return from, true
}
