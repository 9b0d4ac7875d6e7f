package worker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
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
	"goldmint/internal/message"
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
	news    []event.Event // on which nothing depends
	queued  []message.Outgoing
	reasons []string // of dead letters, each with its description
}

func (r *recorder) Publish(_ context.Context, e event.Event) error {
	if e.Type == event.Queued || e.Type == event.Asked {
		r.news = append(r.news, e)
	} else {
		r.events = append(r.events, e)
	}
	return nil
}

func (r *recorder) Enqueue(_ context.Context, m message.Outgoing) error {
	r.queued = append(r.queued, m)
	return nil
}

func (r *recorder) DeadLetter(_ context.Context, _ message.Queue, _, reason, description string) error {
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
	b.Worker = &Worker{
		Bus: b.bus, ARM: b.arm, Policy: build.DefaultPolicy(), Rules: rules, Now: func() time.Time { return noon }, Log: zap.New(core),
		Probe: func(context.Context, message.Received) error { return nil },
	}
	return b
}

// handle takes a message from outside and handles the first message of the build or VM work that
// comes of it; or it handles a message of the function's own.
func (b *bench) handle(tb testing.TB, m message.Received) {
	tb.Helper()
	if err := b.tryHandle(m); err != nil {
		tb.Fatal(err)
	}
}

func (b *bench) tryHandle(m message.Received) error {
	if own(m) {
		return b.BuildImage(context.Background(), m)
	}
	before := len(b.bus.queued)
	if err := b.TakeRequest(context.Background(), m); err != nil || len(b.bus.queued) == before {
		return err
	}
	first := b.bus.queued[before]
	b.bus.queued = b.bus.queued[:before]
	return b.BuildImage(context.Background(), delivered(first, m))
}

func own(m message.Received) bool {
	k := message.KindOf(m.Body)
	return k == message.Build || k == message.VMWork
}

// delivered is what was sent as Service Bus delivers it, in the same form for both queues.
func delivered(out message.Outgoing, like message.Received) message.Received {
	like.Body, like.ID = out.Body, out.ID
	return like
}

func received(body string) message.Received {
	return message.Received{Body: []byte(body), ID: "m", LockToken: "lock", SequenceNumber: 7, EnqueuedAt: noon, DeliveryCount: 1}
}

func ask(id, name string) string {
	return fmt.Sprintf(`{"id":%q,"resourceGroup":"rg","name":%q,"image":{"location":"westeurope","properties":{"sourceVirtualMachine":
		{"id":"/subscriptions/%s/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/vm"}}}}`, id, name, ours)
}

// honest is the first real continuation of a build.
func honest(tb testing.TB) message.Outgoing {
	tb.Helper()
	b := newBench(Rules{})
	b.handle(tb, received(ask("b", "img")))
	if len(b.bus.queued) != 1 {
		tb.Fatalf("%d continuations", len(b.bus.queued))
	}
	return b.bus.queued[0]
}

// TestContinuationsAreRefusedOnTheIntake: a sender of requests cannot inject a build, not even a
// well-formed one.
func TestContinuationsAreRefusedOnTheIntake(t *testing.T) {
	vm := `{"specversion":"1.0","type":"` + message.VMWorkType + `","v":2,"data":{"event":{"id":"1","operation":"generalize"}}}`
	for name, body := range map[string]string{"an honest build": string(honest(t).Body), "work on a VM": vm, "no build": `{"type":"` + message.BuildType + `"}`} {
		b := newBench(Rules{})
		if err := b.TakeRequest(t.Context(), received(body)); err != nil {
			t.Fatal(err)
		}
		if len(b.bus.reasons) != 1 || !strings.HasPrefix(b.bus.reasons[0], "InvalidContinuation") || len(b.bus.events) != 1 ||
			b.bus.events[0].Type != event.Rejected || len(b.bus.queued)+len(b.arm.calls) > 0 {
			t.Errorf("%s: dead letters %v, events %v, sent %v", name, b.bus.reasons, b.bus.events, b.bus.queued)
		}
	}
}

// TestBuildsQueueTakesBuildsAlone: anything else there means that a role is wrong. A request that
// was sent there by mistake is rejected under the ids that the right queue would have used.
func TestBuildsQueueTakesBuildsAlone(t *testing.T) {
	for name, body := range map[string]string{"a request": ask("b", "img"), "an event": `{"specversion":"1.0","type":"x"}`, "nothing": "", "noise": "\xff\x00"} {
		b := newBench(Rules{})
		if err := b.BuildImage(t.Context(), received(body)); err != nil {
			t.Fatal(err)
		}
		if len(b.bus.reasons) != 1 || !strings.HasPrefix(b.bus.reasons[0], "UnknownMessage") || len(b.bus.queued)+len(b.arm.calls) > 0 ||
			!strings.Contains(b.log.String(), `"level":"error"`) {
			t.Errorf("%s: dead letters %v, sent %v, ARM asked for %v", name, b.bus.reasons, b.bus.queued, b.arm.calls)
		}
		if e := b.bus.events[0]; name == "a request" && (e.Data.BuildID != "b" || len(e.Data.Digest) != 64) {
			t.Errorf("rejected as %s %s, want the request's own", e.Data.BuildID, e.Data.Digest)
		}
	}
}

// TestDamagedBuildsAreRefused: each is dead-lettered with a reason and a rejected event, and ARM
// gets no request. This is the second defence: the first is that nobody but the function may send
// to the queue.
func TestDamagedBuildsAreRefused(t *testing.T) {
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
		"another version":         set("v", "3"),
		"path as subscription":    set("subscriptionId", `"../../x"`),
		"foreign subscription":    strings.Replace(body, `"request":{`, `"request":{"subscriptionId":"`+theirs+`",`, 1),
		"climbing resource group": set("resourceGroup", `".."`),
		"encoded name":            set("name", `"a%2fb"`),
		"number beyond all":       set("seq", "1e999"),
		"no time":                 set("requestedAt", `"now"`),
		"deep":                    add(`"failure":` + strings.Repeat(`{"details":[`, 9000) + strings.Repeat(`]}`, 9000)),
		"too large":               add(`"token":"` + strings.Repeat("x", message.MaxBytes) + `"`),
		"no build":                `{"specversion":"1.0","type":"` + message.BuildType + `","v":2}`,
		"build is a list":         `{"specversion":"1.0","type":"` + message.BuildType + `","v":2,"data":[]}`,
		"not UTF-8":               set("location", "\"\xff\""),
	} {
		b := newBench(Rules{})
		b.handle(t, received(crafted))
		if len(b.bus.reasons) != 1 || len(b.bus.events) != 1 || b.bus.events[0].Type != event.Rejected {
			t.Errorf("%s: dead letters %v, events %v", name, b.bus.reasons, b.bus.events)
		}
		if len(b.arm.calls) > 0 || len(b.bus.queued) > 0 {
			t.Errorf("%s: ARM was asked for %v, %d messages were sent", name, b.arm.calls, len(b.bus.queued))
		}
	}
	b := newBench(Rules{}) // the honest one goes on, so the refusals above mean something
	b.handle(t, delivered(honest(t), received("")))
	if len(b.bus.reasons) > 0 || len(b.bus.queued) != 1 || len(b.arm.calls) == 0 {
		t.Errorf("the honest one: dead letters %v, %d messages sent, ARM asked for %v", b.bus.reasons, len(b.bus.queued), b.arm.calls)
	}
}

// TestNarrowedAllowList: a build that ARM works on when an allow-list is narrowed has failed, and
// nothing more is created or deleted for it; a build without a request to ARM is rejected.
func TestNarrowedAllowList(t *testing.T) {
	narrowed := Rules{AllowedResourceGroups: []string{"other"}}
	under := newBench(narrowed)
	under.handle(t, delivered(honest(t), received(""))) // announced and accepted
	if len(under.bus.queued) != 1 || len(under.bus.events)+len(under.bus.reasons)+len(under.arm.calls) != 0 {
		t.Fatalf("sent %d, events %v, dead letters %v, ARM asked for %v", len(under.bus.queued), under.bus.events, under.bus.reasons, under.arm.calls)
	}
	under.handle(t, delivered(under.bus.queued[0], received("")))
	if len(under.bus.events) != 1 || under.bus.events[0].Type != event.Failed || under.bus.events[0].Data.Error.Code != "ResourceGroupNotAllowed" ||
		len(under.bus.reasons)+len(under.arm.calls) != 0 {
		t.Errorf("events %v, dead letters %v, ARM asked for %v", under.bus.events, under.bus.reasons, under.arm.calls)
	}
	before := newBench(Rules{})
	if err := before.TakeRequest(t.Context(), received(ask("b", "img"))); err != nil {
		t.Fatal(err)
	}
	early := newBench(narrowed)
	early.handle(t, delivered(before.bus.queued[0], received("")))
	if len(early.bus.events) != 1 || early.bus.events[0].Type != event.Rejected || len(early.bus.reasons) != 1 || len(early.arm.calls) != 0 {
		t.Errorf("before its first PUT: events %v, dead letters %v, ARM asked for %v", early.bus.events, early.bus.reasons, early.arm.calls)
	}
}

// TestReservedIDs: nobody but Goldmint asks for a build under the id that a VM's image has.
func TestReservedIDs(t *testing.T) {
	vm := "vm-0F8FAD5B-d9cb-469f-a165-70867728950e"
	asMessageID := received(strings.Replace(ask("b", "img"), `"id":"b",`, "", 1))
	asMessageID.ID = vm
	for name, m := range map[string]message.Received{"id": received(ask(vm, "img")), "MessageId": asMessageID} {
		b := newBench(Rules{})
		b.handle(t, m)
		if len(b.bus.reasons) != 1 || !strings.HasPrefix(b.bus.reasons[0], "ReservedID") || len(b.bus.queued) > 0 {
			t.Errorf("%s: dead letters %v", name, b.bus.reasons)
		}
	}
}

// TestAllowLists: a request and a continuation outside the lists are rejected before any request to
// ARM.
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
			b.handle(t, received(body))
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

// TestMessageIDs: a build's first message is named after the build alone, so that a repeat is
// dropped whatever MessageId it came under; what follows is named after the message before it, so
// that a redelivery writes the same again.
func TestMessageIDs(t *testing.T) {
	first := func(change func(*message.Received)) string {
		b := newBench(Rules{})
		m := received(ask("b", "img"))
		change(&m)
		if err := b.TakeRequest(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		return b.bus.queued[0].ID
	}
	id := first(func(*message.Received) {})
	if !regexp.MustCompile(`^b/[0-9a-f]{32}/1$`).MatchString(id) {
		t.Errorf("the first message is %q", id)
	}
	if again := first(func(m *message.Received) {
		m.ID, m.SequenceNumber, m.EnqueuedAt, m.DeliveryCount = "squatted", 99, noon.Add(time.Hour), 3
	}); again != id {
		t.Errorf("sent again it is %q, not %q", again, id)
	}
	next := func(change func(*message.Received)) string {
		b := newBench(Rules{})
		m := delivered(honest(t), received(""))
		change(&m)
		b.handle(t, m)
		return b.bus.queued[0].ID
	}
	if got := next(func(*message.Received) {}); got != strings.TrimSuffix(id, "1")+"3/7" {
		t.Errorf("the one after the second is %q", got)
	}
	if next(func(m *message.Received) { m.DeliveryCount, m.LockToken = 2, "other" }) != next(func(*message.Received) {}) {
		t.Error("delivered again it continues under another id")
	}
	if next(func(m *message.Received) { m.SequenceNumber++ }) == next(func(*message.Received) {}) {
		t.Error("another message continues under the same id")
	}
}

// TestResubmittedBuildIsARunOfItsOwn: a dead letter that a person sends again begins anew, and its
// end is not dropped as a repeat of the first one's.
func TestResubmittedBuildIsARunOfItsOwn(t *testing.T) {
	ends := map[string]bool{}
	for _, id := range []string{"", "b/x/2/7/again/0123"} {
		b := newBench(Rules{})
		m := delivered(honest(t), received(""))
		m.SequenceNumber = 40
		if id != "" {
			m.ID, m.EnqueuedAt = id, noon.Add(time.Hour)
		}
		b.handle(t, m)
		e, err := message.Open[build.Build](b.bus.queued[len(b.bus.queued)-1].Body)
		if err != nil {
			t.Fatal(err)
		}
		if want := map[bool]int64{false: 7, true: 40}[id != ""]; e.Data.Run != want {
			t.Errorf("message %q: run %d, want %d", id, e.Data.Run, want)
		}
		ends[e.Data.Poisoned(build.Image{}, "", noon).ID] = true
	}
	if len(ends) != 2 {
		t.Errorf("both runs end as %v", ends)
	}
}

// TestSameIDAnotherRequest: another request under the same id is another build with events, a tag
// and continuations of its own; the end of one is not the end of the other.
func TestSameIDAnotherRequest(t *testing.T) {
	b := newBench(Rules{})
	b.handle(t, received(ask("b", "img")))
	b.handle(t, received(ask("b", "img2")))
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

// TestMessageIDGivesNoPower: a message that carries another build's MessageId is still the build
// that its body says, and the event of a rejected one has a digest that no build has.
func TestMessageIDGivesNoPower(t *testing.T) {
	victim := request.Key("b", strings.Repeat("a", 64))
	b := newBench(Rules{})
	m := received(ask("mine", "img"))
	m.ID = victim
	b.handle(t, m)
	if got := b.bus.events[0]; got.Data.BuildID != "mine" || strings.HasPrefix(got.ID, victim) {
		t.Errorf("event %s of build %s", got.ID, got.Data.BuildID)
	}
	m = received("no request at all")
	m.ID = victim
	b.handle(t, m)
	if got := b.bus.events[1]; got.Type != event.Rejected || strings.HasPrefix(got.ID, "b/") || got.Data.BuildID == "b" {
		t.Errorf("event %s of build %s", got.ID, got.Data.BuildID)
	}
}

// TestLogLinesAreWhole: a sender's text stays inside one JSON string of one line, without its
// secrets.
func TestLogLinesAreWhole(t *testing.T) {
	const secret = "c2VjcmV0c2VjcmV0c2VjcmV0"
	forged := "x\n{\"level\":\"error\",\"msg\":\"forged\"}\r\n\u2028\x1b[31m"
	uri := "https://a.blob.core.windows.net/c/b.vhd?sv=1&sig=" + secret
	for name, m := range map[string]message.Received{
		"message id":     {Body: []byte("{}"), ID: forged},
		"SAS message id": {Body: []byte("{}"), ID: uri},
		"name":           received(ask("b", forged)),
		"SAS name":       received(ask("b", uri)),
		"SAS blob": received(strings.Replace(ask("b", "img"), `"sourceVirtualMachine":`,
			`"storageProfile":{"osDisk":{"osType":"Linux","osState":"Generalized","blobUri":"`+uri+`"}},"x":`, 1)),
		"SAS field":   received(`{"` + uri + `":1}`),
		"field":       received(mustJSON(t, map[string]int{forged: 1})),
		"SAS in text": received(uri),
	} {
		b := newBench(Rules{})
		m.DeliveryCount, m.EnqueuedAt = 1, noon
		b.handle(t, m)
		told := b.log.String() + strings.Join(b.bus.reasons, "\n") + mustJSON(t, b.bus.events)
		if strings.Contains(told, secret) {
			t.Errorf("%s: the log contains the secret:\n%s", name, told)
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

// TestARMsSecretsStayOffTheLog: what Resource Manager says about a signed URL is logged without the
// signature.
func TestARMsSecretsStayOffTheLog(t *testing.T) {
	const secret = "c2VjcmV0c2VjcmV0c2VjcmV0"
	b := newBench(Rules{})
	b.ARM = wordyARM{words: "cannot read https://a.blob.core.windows.net/c/b.vhd?sv=1&sig=" + secret + " now"}
	b.handle(t, received(ask("b", "img")))
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

// cleanID matches an image's resource ID that stays inside its resource group.
var cleanID = regexp.MustCompile(`^/subscriptions/[0-9A-Fa-f-]{36}/resourceGroups/[-_.()\p{L}\p{N}]{1,90}/providers/Microsoft\.Compute/images/[A-Za-z0-9_.-]{1,80}$`)

// FuzzDecode: any message leads to a refusal with a reason, or to a build with a clean resource ID.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(ask("b", "img")), "m")
	f.Add(honest(f).Body, "b/000000000000/1")
	f.Fuzz(func(t *testing.T, body []byte, id string) {
		w := newBench(Rules{}).Worker
		m := received(string(body))
		m.ID = id
		taken, err := w.handOn(m)
		if err != nil {
			if err.Error() == "" {
				t.Error("a refusal without a reason")
			}
			return
		}
		if message.KindOf(taken.out.Body) == message.VMWork {
			return // has a target of its own
		}
		e, err := message.Open[build.Build](taken.out.Body)
		if err != nil || e.Data.Check() != nil {
			t.Fatalf("what it hands on is refused: %v", errors.Join(err, e.Data.Check()))
		}
		b := e.Data
		image := b.ImageID()
		if !cleanID.MatchString(image) || strings.Contains(image, "..") {
			t.Errorf("image id %q", image)
		}
		if b.Request.ID == "" || b.RequestedAt.IsZero() || len(taken.out.ID) > 128 {
			t.Errorf("build %+v as message %q", b, taken.out.ID)
		}
	})
}
