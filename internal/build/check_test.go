package build

import (
	"strings"
	"testing"
	"time"

	"goldmint/internal/armerr"
	"goldmint/internal/request"
)

const checkedSubscription = "11111111-1111-1111-1111-111111111111"

// travelling is a build as a real continuation carries it.
func travelling(t *testing.T) Build {
	t.Helper()
	r, err := request.Decode([]byte(`{"id":"b","resourceGroup":"rg","name":"img","image":{"location":"westeurope","properties":{"sourceVirtualMachine":
		{"id":"/subscriptions/` + checkedSubscription + `/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/vm"}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	b := New(r, checkedSubscription, zero)
	b.Seq, b.Attempts, b.AcceptedAt, b.Attempt.Token, b.Announced = 1, 1, zero.Add(time.Second), "token", true
	return b
}

// TestCheckRefusesCraftedBuilds: builds that a sender may write into a continuation and that have
// to be refused.
func TestCheckRefusesCraftedBuilds(t *testing.T) {
	for name, test := range map[string]struct {
		craft func(*Build)
		want  string
	}{
		"another request":              {func(b *Build) { b.Request.Name = "other" }, "digest"},
		"another build's digest":       {func(b *Build) { b.Digest = strings.Repeat("0", 64) }, "digest"},
		"no digest":                    {func(b *Build) { b.Digest = "" }, "digest"},
		"no id":                        {func(b *Build) { b.Request.ID = "" }, "request.id"},
		"subscription that climbs":     {func(b *Build) { b.SubscriptionID = "x/../../providers/evil" }, "subscriptionId"},
		"subscription with a query":    {func(b *Build) { b.SubscriptionID = checkedSubscription + "?x=" }, "subscriptionId"},
		"subscription with escapes":    {func(b *Build) { b.SubscriptionID = "%2e%2e" }, "subscriptionId"},
		"subscription with a new line": {func(b *Build) { b.SubscriptionID = checkedSubscription + "\n" }, "subscriptionId"},
		"subscription of another": {func(b *Build) {
			b.Request.SubscriptionID = strings.ReplaceAll(checkedSubscription, "1", "2")
			b.Digest = b.Request.Digest()
		}, "subscriptionId"},
		"before the first link": {func(b *Build) { b.Seq = 0 }, "seq"},
	} {
		b := travelling(t)
		test.craft(&b)
		if err := b.Check(); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want an error about %s", name, err, test.want)
		}
	}
	if err := travelling(t).Check(); err != nil {
		t.Errorf("the honest one: %v", err)
	}
}

// TestBuildsOutliveTheirSettings: a build from before a change of the settings is not a forgery. It
// ends, and its end is published.
func TestBuildsOutliveTheirSettings(t *testing.T) {
	b := travelling(t)
	b.Attempts, b.Attempt.Token = 3, ""
	now := b.RequestedAt.Add(4 * 24 * time.Hour)
	if err := b.Check(); err != nil {
		t.Fatalf("a build of four days ago in its third attempt: %v", err)
	}
	lowered := DefaultPolicy()
	lowered.Attempts, lowered.MaxWait = 1, time.Hour
	b, do := lowered.Step(b, Woken{}, now)
	if do.Verb != Look {
		t.Fatalf("woken: %v", do)
	}
	b, do = lowered.Step(b, Image{}, now)
	if do.Verb != Continue || !b.Decided() {
		t.Errorf("no image: %v, want the build's end", do)
	}
}

// TestAbsurdTimesBoundTheWait: with all times and counts that pass the check, the next look comes
// within bounds.
func TestAbsurdTimesBoundTheWait(t *testing.T) {
	p, now := DefaultPolicy(), zero.Add(time.Minute)
	for name, at := range map[string]time.Time{
		"year 1": time.Date(1, 1, 1, 0, 0, 1, 0, time.UTC), "year 9999": time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC),
	} {
		b := travelling(t)
		b.Attempt.StartedAt, b.Attempt.Looks, b.Transient = at, 3, 1_000_000
		if err := b.Check(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, seen := range []Observation{
			Operation{Status: "InProgress", StartedAt: at, Date: now},
			Errored{Verb: Look, Err: &armerr.Error{Status: 503}},
		} {
			woken, _ := p.Step(b, Woken{}, now)
			_, do := p.Step(woken, seen, now)
			if wait := do.At.Sub(now); do.Verb != Continue || wait <= 0 || wait > 2*p.Backoff.Max {
				t.Errorf("%s: after %T: %v in %v", name, seen, do, wait)
			}
		}
	}
}
