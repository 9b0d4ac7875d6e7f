package worker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"goldmint/internal/armerr"
	"goldmint/internal/build"
	"goldmint/internal/event"
	"goldmint/internal/message"
	"goldmint/internal/request"
)

// TestBadInput: each message that can never succeed leads to one rejected event and one dead letter
// that name the problem, and to no call of ARM.
func TestBadInput(t *testing.T) {
	with := func(old, replacement string) string {
		body := strings.Replace(ask("b", "img"), old, replacement, 1)
		if !strings.Contains(body, replacement) {
			t.Fatalf("no %s in the request", old)
		}
		return body
	}
	disk := `"storageProfile":{"osDisk":{"osType":"Linux","osState":"Generalized","managedDisk":{"id":"/subscriptions/` + ours +
		`/resourceGroups/rg/providers/Microsoft.Compute/disks/d"}}},"sourceVirtualMachine"`
	for name, c := range map[string]struct{ body, reason, text string }{
		"not JSON":      {"make me an image", request.InvalidJSON, "not JSON"},
		"unknown field": {with(`"name"`, `"colour":"red","name"`), request.InvalidRequest, "colour"},
		"two sources":   {with(`"sourceVirtualMachine"`, disk), request.InvalidRequest, "sourceVirtualMachine"},
		"path in name":  {ask("b", "../img"), request.InvalidRequest, "name"},
		"200 KB":        {with(`"name"`, strings.Repeat(" ", 200<<10)+`"name"`), request.RequestTooLarge, "bytes"},
		"placeholder":   {strings.ReplaceAll(ask("b", "img"), ours, "{subscription-id}"), request.InvalidRequest, "{subscription-id}"},
		"empty":         {"", request.EmptyBody, "empty"},
		"Latin-1":       {with("westeurope", "Z\xfcrich"), request.InvalidEncoding, "UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(Rules{})
			b.handle(t, received(c.body))
			if len(b.bus.events) != 1 || len(b.bus.reasons) != 1 {
				t.Fatalf("%d events and %d dead letters, want one of each", len(b.bus.events), len(b.bus.reasons))
			}
			e := b.bus.events[0]
			if e.Type != event.Rejected || e.Data.Error == nil || e.Data.Error.Code != c.reason || !strings.Contains(e.Data.Error.Message, c.text) {
				t.Errorf("event %s with %+v, want %s about %q", e.Type, e.Data.Error, c.reason, c.text)
			}
			if dead := b.bus.reasons[0]; !strings.HasPrefix(dead, c.reason+": ") || !strings.Contains(dead, c.text) {
				t.Errorf("dead letter %q, want %s about %q", dead, c.reason, c.text)
			}
			if len(b.arm.calls) > 0 || len(b.bus.queued) > 0 {
				t.Errorf("ARM was asked for %v, %d messages were sent", b.arm.calls, len(b.bus.queued))
			}
			b.handle(t, received(ask("next", "img"))) // the queue goes on
			if len(b.bus.queued) != 1 {
				t.Errorf("the next message was not dealt with")
			}
		})
	}
}

// TestBuildRoundTrip: a message holds all that is known of a build.
func TestBuildRoundTrip(t *testing.T) {
	b := newBench(Rules{})
	want := b.read(t, received(ask("b", "img")))
	want.Seq, want.Run, want.AcceptedAt, want.Attempts, want.Announced = 3, 12, noon.Add(time.Minute), 2, true
	want.Attempt = build.Attempt{Token: "token", StartedAt: noon.Add(time.Second), Looks: 4, Redelivered: true}
	want.Transient, want.Grace, want.Step = 5, 1, build.Watch
	want.Verdict, want.Poison = build.Failed, true
	want.Failure = &build.Failure{Error: event.Error{Code: "C", Message: "m", Details: []event.Detail{{Code: "D"}}, Retryable: true}, Final: true}
	out, err := b.outgoing(want, "id")
	if err != nil {
		t.Fatal(err)
	}
	got := b.read(t, received(string(out.Body)))
	if d := cmp.Diff(mustJSON(t, want), mustJSON(t, got)); d != "" {
		t.Errorf("the build changed on the way (-sent +received):\n%s", d)
	}
}

// largest is the largest legal request: tags and metadata at their limits, in characters that
// JSON escapes, and as many data disks as a VM can have.
func largest(t *testing.T) string {
	t.Helper()
	metadata := map[string]string{"m": strings.Repeat("<", request.MaxMetadataBytes-1)} // six bytes each where JSON is escaped
	tags := map[string]string{}
	for n := range request.MaxTags {
		tags[fmt.Sprintf("%s-%02d", strings.Repeat("t", 500), n)] = strings.Repeat("&", 256)
	}
	var disks []string
	disk := func(n int) string {
		return fmt.Sprintf(`{"lun":%d,"managedDisk":{"id":"/subscriptions/%s/resourceGroups/%s/providers/Microsoft.Compute/disks/d"}}`, n, ours, strings.Repeat("g", 90))
	}
	body := func() string {
		return strings.NewReplacer(`\u003c`, "<", `\u0026`, "&").Replace(fmt.Sprintf(`{"id":"b","resourceGroup":"rg","name":"img","metadata":%s,"image":
			{"location":"westeurope","tags":%s,"properties":{"storageProfile":{"osDisk":{"osType":"Linux","osState":"Generalized","managedDisk":
			{"id":"/subscriptions/%s/resourceGroups/rg/providers/Microsoft.Compute/disks/d"}},"dataDisks":[%s]}}}}`,
			mustJSON(t, metadata), mustJSON(t, tags), ours, strings.Join(disks, ",")))
	}
	for n := 0; n < 64 && len(body())+len(disk(n)) < request.MaxBytes; n++ {
		disks = append(disks, disk(n))
	}
	return body()
}

// TestLargestFits: every message that the largest legal request makes Goldmint send fits Service
// Bus, with a resume token of 7 KB and an error as long as ARM likes.
func TestLargestFits(t *testing.T) {
	const most = 256 << 10
	b := newBench(Rules{})
	large := b.read(t, received(largest(t)))
	large.Number = 1 << 40
	large.Attempt.Token, large.Attempts, large.AcceptedAt, large.Seq = strings.Repeat("t", 7<<10), 1, noon, 1
	long := strings.Repeat("\x01", 100_000)
	arm := &armerr.Error{Status: 409, Code: "OperationNotAllowed", Message: long, Details: []armerr.Detail{{Message: long}}}
	failed, do := b.Policy.Step(large, build.Errored{Verb: build.Create, Err: arm}, noon)
	if do.Verb != build.Continue {
		t.Fatalf("%s, want a continuation that holds the failure", do)
	}
	for name, next := range map[string]build.Build{"token": large, "failure": failed} {
		out, err := b.outgoing(next, "id")
		if err != nil {
			t.Fatal(err)
		}
		if len(out.Body) > most {
			t.Errorf("the continuation with a %s has %d bytes", name, len(out.Body))
		}
		b.read(t, received(string(out.Body)))
		told, err := next.Poisoned(build.Image{}, long, noon).MarshalJSON()
		if err != nil || len(told) > most {
			t.Errorf("the event has %d bytes, error %v", len(told), err)
		}
	}
}

// TestLogTellsTheBuildAndNoToken: lines about a build carry its id; a resume token grants access
// and is not logged.
func TestLogTellsTheBuildAndNoToken(t *testing.T) {
	b := newBench(Rules{})
	b.handle(t, received(ask("b", "img")))
	b.handle(t, delivered(b.bus.queued[0], received("")))
	if strings.Contains(b.log.String(), `token"`) || strings.Contains(b.log.String(), "asyncURL") {
		t.Errorf("the log contains the token:\n%s", b.log)
	}
	for line := range strings.Lines(b.log.String()) {
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil || fields["buildId"] != "b" {
			t.Errorf("a line without its build, or none at all (%v): %s", err, line)
		}
	}
	if !bytes.Contains(b.log.Bytes(), []byte(`"msg":"continued"`)) {
		t.Errorf("nothing is logged:\n%s", b.log)
	}
}

// TestPoison: the first message that comes back too often is tried once more, later; the second
// ends the build.
func TestPoison(t *testing.T) {
	b := newBench(Rules{})
	m := received(ask("b", "img"))
	m.DeliveryCount = 5
	b.handle(t, m)
	if len(b.bus.queued) != 1 || len(b.bus.reasons) != 0 || b.bus.queued[0].At.Sub(noon) < b.Policy.HandOver {
		t.Fatalf("dead letters %v and continuations %+v, want one continuation after %s", b.bus.reasons, b.bus.queued, b.Policy.HandOver)
	}
	m = delivered(b.bus.queued[0], received(""))
	m.DeliveryCount = 5
	b.handle(t, m)
	if len(b.bus.queued) != 2 || b.bus.queued[1].At.Sub(noon) < b.Policy.HandOver || len(b.bus.reasons) != 1 || !strings.HasPrefix(b.bus.reasons[0], "PoisonMessage: ") {
		t.Fatalf("dead letters %v and %d continuations, want the failure on its way and PoisonMessage", b.bus.reasons, len(b.bus.queued))
	}
	b.handle(t, delivered(b.bus.queued[1], received("")))
	if n := len(b.bus.events); n != 1 || b.bus.events[0].Type != event.Failed || b.bus.events[0].Data.Error.Code != "PoisonMessage" {
		t.Errorf("events %+v, want failed with PoisonMessage", b.bus.events)
	}
}

// TestSuspectsAreProbed: a message that came back too often is first read in a separate process. A
// message that kills this process is rejected under the ids that its sender waits for. Any other is
// handled, for any delivery count.
func TestSuspectsAreProbed(t *testing.T) {
	digest := strings.Repeat("0123456789abcdef", 4)
	for name, c := range map[string]struct {
		id, buildID string
		probe       error
		want        string // the type of the event, "" for none
	}{
		"kills":                 {"m", "m", ErrKilled, event.Rejected},
		"kills, sent by submit": {"web-1/" + digest, "web-1", ErrKilled, event.Rejected},
		"does not kill":         {"m", "b", nil, ""},
	} {
		b := newBench(Rules{})
		probes := 0
		b.Probe = func(context.Context, message.Received) error { probes++; return c.probe }
		m := received(ask("b", "img"))
		m.ID, m.DeliveryCount = c.id, 93
		if err := b.TakeRequest(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		if c.want == "" {
			if probes != 1 || len(b.bus.queued) != 1 || len(b.bus.reasons) != 0 {
				t.Errorf("%s: probed %d times, sent %d, dead letters %v", name, probes, len(b.bus.queued), b.bus.reasons)
			}
			continue
		}
		if len(b.bus.reasons) != 1 || !strings.HasPrefix(b.bus.reasons[0], "PoisonMessage: ") || len(b.bus.queued) > 0 {
			t.Errorf("%s: dead letters %v, %d messages", name, b.bus.reasons, len(b.bus.queued))
		}
		if e := b.bus.events[0]; e.Type != c.want || e.Data.BuildID != c.buildID || c.buildID == "web-1" && e.Data.Digest != digest {
			t.Errorf("%s: event %+v", name, e)
		}
	}
	b := newBench(Rules{}) // what cannot be probed comes again
	b.Probe = func(context.Context, message.Received) error { return errors.New("no process can be started") }
	m := received(ask("b", "img"))
	m.DeliveryCount = 5
	if err := b.TakeRequest(t.Context(), m); err == nil || len(b.bus.queued)+len(b.bus.reasons) > 0 {
		t.Errorf("error %v, sent %d, dead letters %v", err, len(b.bus.queued), b.bus.reasons)
	}
}

// TestMemoryStaysFlat: a worker holds nothing of the messages it has handled.
func TestMemoryStaysFlat(t *testing.T) {
	b := newBench(Rules{})
	handle := func(n int) uint64 {
		for i := range n {
			body := ask(fmt.Sprint("b", i), "img")
			if i%100 == 0 {
				body = "no request"
			}
			b.handle(t, received(body))
			*b.bus, *b.arm = recorder{}, emptyARM{}
			b.log.Reset()
		}
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := handle(200)
	if after := handle(2000); after > before+2<<20 {
		t.Errorf("the heap grew from %d to %d bytes over 2000 messages", before, after)
	}
}

// FuzzHandle: any message is settled (completed after an effect, or dead-lettered after a
// rejection) or it is an error; nothing panics, and ARM gets only requests about the build's own
// image.
func FuzzHandle(f *testing.F) {
	f.Add([]byte(ask("b", "img")), 1)
	f.Add([]byte(ask("b", "img")), 5)
	f.Add(honest(f).Body, 1)
	f.Add(honest(f).Body, 6)
	f.Add([]byte("no request"), 9)
	f.Fuzz(func(t *testing.T, body []byte, deliveries int) {
		b := newBench(Rules{})
		m := received(string(body))
		m.DeliveryCount = max(deliveries, 1)
		b.Probe = func(context.Context, message.Received) error { return nil }
		if k := message.KindOf(body); k == message.VMEvent || k == message.VMWork {
			return // has a target of its own
		}
		err := b.tryHandle(m)
		var refused *refusal
		if errors.As(err, &refused) {
			t.Errorf("a refusal leaked: %v", err)
		}
		if err == nil && len(b.bus.events)+len(b.bus.queued)+len(b.bus.reasons) == 0 {
			t.Error("completed, and nobody hears of it")
		}
		for _, id := range b.arm.calls {
			if !cleanID.MatchString(id) {
				t.Errorf("ARM was asked for %q", id)
			}
		}
	})
}

// FuzzBuild: a build that is taken up from a message is one that Goldmint could have sent: it goes
// out and comes back the same.
func FuzzBuild(f *testing.F) {
	f.Add(honest(f).Body)
	f.Fuzz(func(t *testing.T, body []byte) {
		e, err := message.Open[build.Build](body)
		if err != nil || e.Data.Check() != nil {
			return
		}
		b := e.Data
		out, err := newBench(Rules{}).outgoing(b, "id")
		if err != nil {
			t.Fatal(err)
		}
		again, err := message.Open[build.Build](out.Body)
		if err != nil || again.Data.Check() != nil {
			t.Fatalf("what it sends is refused: %v\n%s", errors.Join(err, again.Data.Check()), out.Body)
		}
		if again.Data.Key() != b.Key() || again.Data.ImageID() != b.ImageID() {
			t.Errorf("%s became %s", b.Key(), again.Data.Key())
		}
	})
}

// read is the build of a request or of a message of the function's own.
func (b *bench) read(tb testing.TB, m message.Received) build.Build {
	tb.Helper()
	body := m.Body
	if !own(m) {
		taken, err := b.handOn(m)
		if err != nil {
			tb.Fatal(err)
		}
		body = taken.out.Body
	}
	e, err := message.Open[build.Build](body)
	if err == nil {
		err = e.Data.Check()
	}
	if err != nil {
		tb.Fatal(err)
	}
	return e.Data
}
