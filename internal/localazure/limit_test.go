package localazure_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"goldmint/emulator/arm"
	"goldmint/internal/event"
	"goldmint/internal/localazure"
)

// TestTwoHandlersShareALimit: two handlers on one namespace, and a limit of six creations in ten
// seconds. All builds succeed, both handlers take part, and Resource Manager does not have to
// refuse one.
func TestTwoHandlersShareALimit(t *testing.T) {
	t.Parallel()
	const builds, window = 12, 10 * time.Second
	a := start(t, localazure.Options{ARM: arm.Options{Limits: arm.Within(6, window)}})
	other, err := a.AddHost(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	sent := a.submitMany(builds)
	for _, e := range a.events(ended(builds)) {
		if e.Answers() && e.Type != event.Succeeded {
			t.Errorf("%s: %s %+v", e.Data.BuildID, e.Type, e.Data.Error)
		}
	}
	var created []time.Time
	refused := 0
	for _, c := range a.ARM.Calls() {
		switch {
		case c.Method != http.MethodPut || c.Action != "Microsoft.Compute/images/write":
		case c.Status == http.StatusTooManyRequests:
			refused++
		default:
			created = append(created, c.Time)
		}
	}
	if len(created) != builds || refused > 0 {
		t.Errorf("%d creations and %d refused, want %d and none", len(created), refused, builds)
	} else if took := created[builds-1].Sub(created[0]); took < window {
		t.Errorf("the last creation came %s after the first: was there a limit?", took)
	} else {
		t.Logf("the last creation came %s after the first, none was refused", took.Round(100*time.Millisecond))
	}
	if one, two := a.Host.Invocations(), other.Invocations(); one.Succeeded == 0 || two.Succeeded == 0 {
		t.Errorf("the hosts ran %+v and %+v, want both to take part", one, two)
	}
	document := sent["b000"].RateLimit() + ".json"
	var shared struct{ Starts []int64 }
	if body, found := a.Storage.Blob("ratelimit", document); !found || json.Unmarshal(body, &shared) != nil || len(shared.Starts) != builds {
		t.Errorf("%s has %d creations, want all: %s", document, len(shared.Starts), body)
	}
}
