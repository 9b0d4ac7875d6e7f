package functions

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
)

func TestJudgeIsTheHostsView(t *testing.T) {
	const json = "application/json"
	for _, c := range []struct {
		status      int
		contentType string
		body        string
		want        string // of the error; "" is success, "hangs" is errNoAnswer
	}{
		{200, json, `{}`, ""},
		{201, "Application/JSON; charset=utf-8", `{"outputs":{"a":1},"logs":["x"],"returnValue":null,"more":1}`, ""},
		{200, "text/json", `{}`, ""},
		{200, json, ``, "hangs"},
		{200, "", ``, "hangs"},
		{200, "text/plain", ``, "hangs"},
		{200, json, ` null `, "hangs"},
		{204, "", ``, "hangs"},
		{200, "text/plain", `{}`, `"text/plain"`},
		{200, "", `{}`, `""`},
		{200, json, `{`, "no invocation result"},
		{200, json, `[]`, "no invocation result"},
		{200, json, `{"Logs":"x"}`, "no invocation result"},
		{500, json, `{}`, "500 (Internal Server Error)"},
		{400, json, ``, "400 (Bad Request)"},
		{302, json, `{}`, "302 (Found)"},
	} {
		_, err := judge(answer{c.status, c.contentType, []byte(c.body)})
		switch {
		case c.want == "" && err == nil:
		case c.want == "hangs" && errors.Is(err, errNoAnswer):
		case c.want != "" && c.want != "hangs" && err != nil && strings.Contains(err.Error(), c.want):
		default:
			t.Errorf("%d %q %q is judged %v, want %q", c.status, c.contentType, c.body, err, c.want)
		}
	}
}

// TestALockIsRenewedAsLongAsHostJSONSays turns the clock with synctest: a lock
// of one minute is renewed ten seconds before its end.
func TestALockIsRenewedAsLongAsHostJSONSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		q := newFakeQueue()
		h := &Host{app: app{renewal: 3 * time.Minute}}
		h.renew(t.Context(), q, &azservicebus.ReceivedMessage{LockedUntil: ptr(began.Add(time.Minute))})
		var got []time.Duration
		for _, at := range q.renewals {
			got = append(got, at.Sub(began))
		}
		if want := []time.Duration{50 * time.Second, 100 * time.Second, 150 * time.Second}; !slices.Equal(got, want) {
			t.Errorf("renewed at %v, want %v", got, want)
		}
		if lasted := time.Since(began); lasted != h.app.renewal {
			t.Errorf("renewing lasted %v", lasted)
		}
	})
}

func TestRenewingEndsWithTheInvocationOrTheLock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lock := func() *azservicebus.ReceivedMessage {
			return &azservicebus.ReceivedMessage{LockedUntil: ptr(time.Now().Add(time.Minute))}
		}
		var log []string
		h := &Host{app: app{renewal: time.Hour}, log: func(line string) { log = append(log, line) }}
		q := newFakeQueue()
		ctx, cancel := context.WithTimeout(t.Context(), 49*time.Second)
		defer cancel()
		h.renew(ctx, q, lock())
		if len(q.renewals) != 0 || len(log) != 0 {
			t.Errorf("%d renewals after the invocation's end, logged %q", len(q.renewals), log)
		}
		q.renewErr = errors.New("lock lost")
		h.renew(t.Context(), q, lock())
		if len(q.renewals) != 1 || len(log) != 1 || !strings.Contains(log[0], "lock lost") {
			t.Errorf("%d renewals of a lost lock, logged %q", len(q.renewals), log)
		}
	})
}

func TestRenewalDelay(t *testing.T) {
	for left, want := range map[time.Duration]time.Duration{
		5 * time.Minute:        4*time.Minute + 50*time.Second,
		5 * time.Second:        2500 * time.Millisecond,
		300 * time.Millisecond: 0,
		-time.Second:           0,
	} {
		if got := renewalDelay(left); got != want {
			t.Errorf("a lock with %v left is renewed in %v, want %v", left, got, want)
		}
	}
}
