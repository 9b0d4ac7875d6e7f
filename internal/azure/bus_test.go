package azure

import (
	"context"
	"errors"
	"testing"
)

// TestTwiceEndsWithItsContext: nothing is sent after the invocation has ended, when another one may
// have the message.
func TestTwiceEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	calls := 0
	err := twice(ctx, func(ctx context.Context) error {
		calls++
		cancel()
		return ctx.Err()
	})
	if calls != 1 || !errors.Is(err, context.Canceled) {
		t.Errorf("%d calls, %v; want one", calls, err)
	}
	calls = 0
	if err := twice(t.Context(), func(context.Context) error { calls++; return errors.New("cut") }); calls != 2 || err == nil {
		t.Errorf("%d calls, %v; want two while there is time", calls, err)
	}
}
