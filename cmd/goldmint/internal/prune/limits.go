package prune

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
)

// Limit is how many deletions fit in a time. Azure counts those of all callers.
type Limit struct {
	Deletions int
	Window    time.Duration
}

// VersionLimits and ImageLimits are one below what Azure was recorded to allow in a subscription
// and region.
var (
	VersionLimits = []Limit{{149, 3 * time.Minute}, {999, 30 * time.Minute}}
	ImageLimits   = []Limit{{119, 3 * time.Minute}, {599, 30 * time.Minute}}
)

// tooMany is how long Azure asks to wait. It is zero for other errors.
func tooMany(err error) time.Duration {
	var r *azcore.ResponseError
	if !errors.As(err, &r) || r.StatusCode != http.StatusTooManyRequests {
		return 0
	}
	if r.RawResponse != nil {
		if seconds, err := strconv.Atoi(r.RawResponse.Header.Get("Retry-After")); err == nil && seconds > 0 {
			return time.Duration(seconds) * time.Second
		}
	}
	return time.Minute
}

// pace is how long to wait until one more deletion is within the limits.
func (p *Pruner) pace() (pause time.Duration) {
	for _, l := range p.Limits {
		if over := len(p.sent) - l.Deletions; over >= 0 {
			pause = max(pause, l.Window-time.Since(p.sent[over]))
		}
	}
	return pause
}

// rest pauses for Azure's limits, or ends with the context's error.
func (p *Pruner) rest(ctx context.Context, pause time.Duration) error {
	if pause > 0 && ctx.Err() == nil {
		p.Pause(pause)
	}
	return sleep(ctx, pause)
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
