package worker

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"goldmint/internal/armerr"
	"goldmint/internal/build"
	"goldmint/internal/event"
	"goldmint/internal/request"
)

const (
	ours   = "11111111-1111-1111-1111-111111111111"
	theirs = "22222222-2222-2222-2222-222222222222"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// recorder is a bus that keeps what it is given.
type recorder struct {
	events  []event.Event
	queued  []Outgoing
	reasons []string // of dead letters, each with its description
}

func (r *recorder) Publish(_ context.Context, e event.Event) error {
	r.events = append(r.events, e)
	return nil
}

func (r *recorder) Enqueue(_ context.Context, m Outgoing) error {
	r.queued = append(r.queued, m)
	return nil
}

func (r *recorder) DeadLetter(_ context.Context, _, reason, description string) error {
	r.reasons = append(r.reasons, reason+": "+description)
	return nil
}

// emptyARM has no image and refuses none. Its calls are the paths asked for.
type emptyARM struct {
	ARM
	calls []string
}

func (a *emptyARM) Image(_ context.Context, id string) (build.Image, error) {
	a.calls = append(a.calls, id)
	return build.Image{}, nil
}

func (a *emptyARM) Create(_ context.Context, b build.Build) (build.Accepted, error) {
	a.calls = append(a.calls, b.ImageID())
	return build.Accepted{Token: "token", Date: noon}, nil
}

func (a *emptyARM) Operation(_ context.Context, b build.Build) (build.Operation, error) {
	a.calls = append(a.calls, b.ImageID())
	return build.Operation{Status: "InProgress", StartedAt: noon, Date: noon}, nil
}

// bench is a worker between a recorder and an empty ARM.
type bench struct {
	*Worker
	bus *recorder
	arm *emptyARM
	log *bytes.Buffer
}

func newBench(rules Rules) *bench {
	b := &bench{bus: &recorder{}, arm: &emptyARM{}, log: &bytes.Buffer{}}
	rules.PoisonDelivery = 5
	if rules.DefaultSubscription == "" {
		rules.DefaultSubscription = ours
	}
	core := zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), zapcore.AddSync(b.log), zap.DebugLevel)
	b.Worker = &Worker{Bus: b.bus, ARM: b.arm, Policy: build.DefaultPolicy(), Rules: rules, Now: func() time.Time { return noon }, Log: zap.New(core)}
	return b
}

func (b *bench) handle(t *testing.T, m Message) {
	t.Helper()
	if err := b.Handle(t.Context(), m); err != nil {
		t.Fatal(err)
	}
}

func message(body string) Message {
	return Message{Body: []byte(body), ID: "m", LockToken: "lock", SequenceNumber: 7, EnqueuedAt: noon, DeliveryCount: 1}
}

func ask(id, name string) string {
	return fmt.Sprintf(`{"id":%q,"resourceGroup":"rg","name":%q,"image":{"location":"westeurope","properties":{"sourceVirtualMachine":
		{"id":"/subscriptions/%s/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/vm"}}}}`, id, name, ours)
}

// honest is the first continuation of a build.
func honest(tb testing.TB) Outgoing {
	tb.Helper()
	b := newBench(Rules{})
	if err := b.Handle(context.Background(), message(ask("b", "img"))); err != nil {
		tb.Fatal(err)
	}
	if len(b.bus.queued) != 1 {
		tb.Fatalf("%d continuations", len(b.bus.queued))
	}
	return b.bus.queued[0]
}

// TestCraftedContinuationsAreRefused: each is dead-lettered with a reason and a rejected event, and ARM hears nothing.
func TestCraftedContinuationsAreRefused(t *testing.T) {
	body := string(honest(t).Body)
	set := func(field, value string) string {
		changed := regexp.MustCompile(`"`+field+`":("[^"]*"|[0-9]+|true)`).ReplaceAllString(body, `"`+field+`":`+value)
		if changed == body {
			t.Fatalf("the continuation has no %s:\n%s", field, body)
		}
		return changed
	}
	add := func(members string) string { return strings.Replace(body, `"data":{`, `"data":{`+members+`,`, 1) }
	for name, crafted := range map[string]string{
		"another request":         set("name", `"other"`),
		"another digest":          set("digest", `"`+strings.Repeat("0", 64)+`"`),
		"foreign build's id":      set("id", `"a/b"`),
		"path as subscription":    set("subscriptionId", `"../../x"`),
		"foreign subscription":    strings.Replace(body, `"request":{`, `"request":{"subscriptionId":"`+theirs+`",`, 1),
		"climbing resource group": set("resourceGroup", `".."`),
		"encoded name":            set("name", `"a%2fb"`),
		"huge attempts":           set("attempts", "99999999"),
		"number beyond all":       set("seq", "1e999"),
		"huge seq":                set("seq", "9223372036854775807"),
		"year 1":                  set("requestedAt", `"0001-01-01T00:00:00Z"`),
		"year 9999":               set("requestedAt", `"9999-01-01T00:00:00Z"`),
		"no time":                 set("requestedAt", `"now"`),
		"two builds":              body + body,
		"failure without a code":  add(`"failure":{"final":true}`),
		"deep":                    add(`"failure":` + strings.Repeat(`{"details":[`, 9000) + strings.Repeat(`]}`, 9000)),
		"deeper than the parser":  add(`"failure":` + strings.Repeat(`{"details":[`, 30_000)),
		"too large":               add(`"token":"` + strings.Repeat("x", maxContinuation) + `"`),
		"no build":                `{"specversion":"1.0","type":"` + continuationType + `"}`,
		"build is a list":         `{"specversion":"1.0","type":"` + continuationType + `","data":[]}`,
		"not UTF-8":               set("location", "\"\xff\""),
	} {
		b := newBench(Rules{})
		m := message(crafted)
		b.handle(t, m)
		if len(b.bus.reasons) != 1 || len(b.bus.events) != 1 || b.bus.events[0].Type != event.Rejected {
			t.Errorf("%s: dead letters %v, events %v", name, b.bus.reasons, b.bus.events)
		}
		if len(b.arm.calls) > 0 || len(b.bus.queued) > 0 {
			t.Errorf("%s: ARM was asked for %v, %d messages were sent", name, b.arm.calls, len(b.bus.queued))
		}
	}
	for name, good := range map[string]string{ // go on, so the refusals above mean something
		"the honest one":          body,
		"one of another version":  add(`"later":{"field":1}`),
		"and of what it has seen": add(`"pace":{"ticket":1,"sights":[{"name":"CreateImages3Min","window":180000000000,"remaining":3,"past":[{"at":1,"total":2}],"most":39}]}`),
	} {
		b := newBench(Rules{})
		b.handle(t, message(good))
		if len(b.bus.reasons) > 0 || len(b.bus.queued) != 1 || len(b.arm.calls) == 0 {
			t.Errorf("%s: dead letters %v, %d messages sent, ARM asked for %v", name, b.bus.reasons, len(b.bus.queued), b.arm.calls)
		}
	}
}

// TestAllowLists: a request and a continuation outside the lists are rejected before ARM hears of them.
func TestAllowLists(t *testing.T) {
	continuation := string(honest(t).Body)
	for name, test := range map[string]struct {
		rules Rules
		want  string // the reason, "" where it is allowed
	}{
		"no lists":             {Rules{}, ""},
		"in both, other case":  {Rules{AllowedSubscriptions: []string{strings.ToUpper(ours)}, AllowedResourceGroups: []string{"x", "RG"}}, ""},
		"other subscription":   {Rules{AllowedSubscriptions: []string{theirs}}, "SubscriptionNotAllowed"},
		"other resource group": {Rules{AllowedResourceGroups: []string{"rg2", "r"}}, "ResourceGroupNotAllowed"},
	} {
		for kind, body := range map[string]string{"request": ask("b", "img"), "continuation": continuation} {
			b := newBench(test.rules)
			b.handle(t, message(body))
			switch {
			case test.want == "":
				if len(b.arm.calls) == 0 || len(b.bus.reasons) > 0 {
					t.Errorf("%s, %s: refused: %v", name, kind, b.bus.reasons)
				}
			case len(b.arm.calls) > 0:
				t.Errorf("%s, %s: ARM was asked for %v", name, kind, b.arm.calls)
			case len(b.bus.reasons) != 1 || !strings.HasPrefix(b.bus.reasons[0], test.want) || b.bus.events[0].Data.Error.Code != test.want:
				t.Errorf("%s, %s: dead letters %v, want %s", name, kind, b.bus.reasons, test.want)
			}
		}
	}
}

// TestContinuationIDIsTheMessagesOwn: the same for every delivery of a message, another for any other message, so that it
// cannot be known before the handled message is in the queue.
func TestContinuationIDIsTheMessagesOwn(t *testing.T) {
	id := func(change func(*Message)) string {
		b := newBench(Rules{})
		m := message(ask("b", "img"))
		change(&m)
		b.handle(t, m)
		return b.bus.queued[0].ID
	}
	first := id(func(*Message) {})
	if !regexp.MustCompile(`^b/[0-9a-f]{12}/1/[0-9a-f]{16}$`).MatchString(first) {
		t.Errorf("id %q", first)
	}
	if again := id(func(m *Message) { m.DeliveryCount, m.LockToken, m.ID = 2, "other", "squatted" }); again != first {
		t.Errorf("delivered again the continuation is %q, not %q", again, first)
	}
	for name, other := range map[string]string{
		"sequence number": id(func(m *Message) { m.SequenceNumber++ }),
		"enqueued time":   id(func(m *Message) { m.EnqueuedAt = m.EnqueuedAt.Add(time.Millisecond) }),
	} {
		if other == first {
			t.Errorf("another %s gives the same continuation %q", name, first)
		}
	}
}

// TestSameIDAnotherRequest: another request under the same id is another build with events, a tag and continuations of its
// own; neither answers for the other.
func TestSameIDAnotherRequest(t *testing.T) {
	b := newBench(Rules{})
	b.handle(t, message(ask("b", "img")))
	b.handle(t, message(ask("b", "img2")))
	if len(b.bus.events) != 2 || len(b.bus.queued) != 2 {
		t.Fatalf("%d events, %d continuations", len(b.bus.events), len(b.bus.queued))
	}
	one, two := b.bus.events[0], b.bus.events[1]
	if one.ID == two.ID || one.Data.Digest == two.Data.Digest || one.Data.BuildID != two.Data.BuildID {
		t.Errorf("events %s and %s, digests %s and %s", one.ID, two.ID, one.Data.Digest, two.Data.Digest)
	}
	if b.bus.queued[0].ID == b.bus.queued[1].ID {
		t.Errorf("both continue as %s", b.bus.queued[0].ID)
	}
}

// TestMessageIDGivesNoPower: a message that carries another build's MessageId is still the build that its body says, and a
// rejected one tells of a digest that no build has.
func TestMessageIDGivesNoPower(t *testing.T) {
	victim := request.Key("b", strings.Repeat("a", 64))
	b := newBench(Rules{})
	m := message(ask("mine", "img"))
	m.ID = victim
	b.handle(t, m)
	if got := b.bus.events[0]; got.Data.BuildID != "mine" || strings.HasPrefix(got.ID, victim) {
		t.Errorf("event %s of build %s", got.ID, got.Data.BuildID)
	}
	m = message("no request at all")
	m.ID = victim
	b.handle(t, m)
	if got := b.bus.events[1]; got.Type != event.Rejected || strings.HasPrefix(got.ID, "b/") || got.Data.BuildID == "b" {
		t.Errorf("event %s of build %s", got.ID, got.Data.BuildID)
	}
}

// TestForgedEnd shows what a sender can do who knows another's whole request, id included: a crafted continuation ends the
// build as failed before its time. A value of chance in the request's metadata prevents it: the forger then knows neither
// the digest nor any id of the build.
func TestForgedEnd(t *testing.T) {
	forge := func(body string) event.Event {
		r, err := request.Decode([]byte(body))
		if err != nil {
			t.Fatal(err)
		}
		forged := build.New(r, ours, noon)
		forged.Seq, forged.Verdict, forged.Failure = 1, build.Failed, &build.Failure{Error: event.Error{Code: "Forged", Message: "see https://x/?sig=c2VjcmV0"}, Final: true}
		out, err := continuation(forged, message(""), "/goldmint", noon)
		if err != nil {
			t.Fatal(err)
		}
		b := newBench(Rules{})
		b.handle(t, message(string(out.Body)))
		if len(b.bus.events) != 1 || b.bus.events[0].Type != event.Failed || b.bus.events[0].Data.Error.Code != "Forged" {
			t.Fatalf("events %+v: the threat model is out of date", b.bus.events)
		}
		return b.bus.events[0]
	}
	known := ask("b", "img")
	unknown := strings.Replace(known, `{`, `{"metadata":{"nonce":"8f14e45fceea167a"},`, 1)
	victim := newBench(Rules{})
	victim.handle(t, message(known))
	victim.handle(t, message(unknown))
	if got, want := forge(known).ID, strings.Replace(victim.bus.events[0].ID, "/started", "/ended", 1); got != want {
		t.Errorf("the forged end is %s, the victim's is %s: the threat model is out of date", got, want)
	}
	if got, want := forge(known).ID, strings.Replace(victim.bus.events[1].ID, "/started", "/ended", 1); got == want {
		t.Errorf("the forged end %s is that of a build whose metadata the forger did not know", got)
	}
}

// TestLogLinesAreWhole: a sender's text stays inside one JSON string of one line, without its secrets.
func TestLogLinesAreWhole(t *testing.T) {
	const secret = "c2VjcmV0c2VjcmV0c2VjcmV0"
	forged := "x\n{\"level\":\"error\",\"msg\":\"forged\"}\r\n\u2028\x1b[31m"
	uri := "https://a.blob.core.windows.net/c/b.vhd?sv=1&sig=" + secret
	for name, m := range map[string]Message{
		"message id":     {Body: []byte("{}"), ID: forged},
		"SAS message id": {Body: []byte("{}"), ID: uri},
		"name":           message(ask("b", forged)),
		"SAS name":       message(ask("b", uri)),
		"SAS blob": message(strings.Replace(ask("b", "img"), `"sourceVirtualMachine":`,
			`"storageProfile":{"osDisk":{"osType":"Linux","osState":"Generalized","blobUri":"`+uri+`"}},"x":`, 1)),
		"SAS field":   message(`{"` + uri + `":1}`),
		"field":       message(mustJSON(t, map[string]int{forged: 1})),
		"SAS in text": message(uri),
	} {
		b := newBench(Rules{})
		m.DeliveryCount, m.EnqueuedAt = 1, noon
		b.handle(t, m)
		told := b.log.String() + strings.Join(b.bus.reasons, "\n") + mustJSON(t, b.bus.events)
		if strings.Contains(told, secret) {
			t.Errorf("%s: the secret is told:\n%s", name, told)
		}
		for line := range strings.Lines(b.log.String()) {
			var object map[string]any
			if err := json.Unmarshal([]byte(line), &object); err != nil || object["msg"] == "forged" {
				t.Errorf("%s: line %q: %v", name, line, err)
			}
		}
		for _, r := range b.bus.reasons {
			if strings.ContainsAny(r, "\n\r\x1b\u2028") {
				t.Errorf("%s: dead-letter reason %q holds control characters", name, r)
			}
		}
	}
}

// wordyARM refuses with words of its own.
type wordyARM struct {
	ARM
	words string
}

func (a wordyARM) Image(context.Context, string) (build.Image, error) {
	return build.Image{}, &armerr.Error{Status: 503, Code: "ServerBusy", Message: a.words}
}

// TestARMsSecretsStayOffTheLog: what Resource Manager says of a signed URL is told without the signature.
func TestARMsSecretsStayOffTheLog(t *testing.T) {
	const secret = "c2VjcmV0c2VjcmV0c2VjcmV0"
	b := newBench(Rules{})
	b.ARM = wordyARM{words: "cannot read https://a.blob.core.windows.net/c/b.vhd?sv=1&sig=" + secret + " now"}
	b.handle(t, message(ask("b", "img")))
	if log := b.log.String(); !strings.Contains(log, "cannot read") || strings.Contains(log, secret) {
		t.Errorf("logged\n%s", log)
	}
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// cleanID is an image's resource ID out of which nothing can climb.
var cleanID = regexp.MustCompile(`^/subscriptions/[0-9A-Fa-f-]{36}/resourceGroups/[-_.()\p{L}\p{N}]{1,90}/providers/Microsoft\.Compute/images/[A-Za-z0-9_.-]{1,80}$`)

// FuzzDecode: whatever a message holds, what comes of it is a refusal with a reason or a build whose path is its own.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(ask("b", "img")), "m")
	f.Add(honest(f).Body, "b/000000000000/1/0000000000000000")
	f.Add([]byte(`{"type":"`+continuationType+`","data":{"request":{},"failure":{"details":[{"details":[]}]}}}`), "")
	f.Fuzz(func(t *testing.T, body []byte, id string) {
		w := newBench(Rules{}).Worker
		m := message(string(body))
		m.ID = id
		b, err := w.decode(m, kindOf(m.Body))
		if err != nil {
			if err.Error() == "" {
				t.Error("a refusal without a reason")
			}
			return
		}
		image := b.ImageID()
		if !cleanID.MatchString(image) || strings.Contains(image, "..") {
			t.Errorf("image id %q", image)
		}
		if b.Request.ID == "" || b.Digest != b.Request.Digest() || b.RequestedAt.IsZero() {
			t.Errorf("build %+v", b)
		}
	})
}
