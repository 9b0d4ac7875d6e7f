package localazure_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"goldmint/internal/build"
	"goldmint/internal/event"
	"goldmint/internal/localazure"
	"goldmint/internal/request"
)

// hostile is what a sender with Send on the queue alone may put into it. None of it is a request.
// The map's keys name the messages. canary is a server that must not get a request.
func hostile(t *testing.T, good, canary string) map[string]string {
	t.Helper()
	with := func(members string) string { return strings.Replace(good, `{`, `{`+members+`,`, 1) }
	replace := func(old, replacement string) string {
		changed := strings.Replace(good, old, replacement, 1)
		if changed == good {
			t.Fatalf("the request holds no %q", old)
		}
		return changed
	}
	vm := func(s string) string { return replace(`"name":"image-from-vm"`, `"name":"`+s+`"`) }
	blob := func(uri string) string {
		text := example(t, "../../examples/requests/from-blob.json")
		uriNow := *text.Image.Properties.StorageProfile.OSDisk.BlobURI
		body, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Replace(string(body), uriNow, uri, 1)
	}
	return map[string]string{
		"forged-metadata":   with(`"MessageId":"forged","DeliveryCount":99,"LockToken":"x","SequenceNumber":1,"EnqueuedTimeUtc":"2020-01-01T00:00:00"`),
		"deep":              with(`"metadata":` + strings.Repeat(`{"a":`, 9000) + `1` + strings.Repeat(`}`, 9000)),
		"deep-list":         strings.Repeat(`[`, 100_000),
		"twice":             with(`"name":"other"`),
		"beyond-numbers":    with(`"metadata":{"n":1e999}`),
		"huge-array":        with(`"metadata":[` + strings.Repeat(`1,`, 30_000) + `1]`),
		"invalid-utf-8":     with("\"metadata\":{\"a\":\"\xff\xfe\"}"),
		"byte-order-mark":   "\xef\xbb\xbf" + good,
		"half-a-character":  with(`"metadata":{"a":"\ud800"}`),
		"climbing":          vm("../../virtualMachines/x"),
		"encoded":           vm("a%2f..%2fb"),
		"new-line":          vm(`a\n{\"msg\":\"forged\"}`),
		"reserved-tag":      replace(`"location":`, `"tags":{"goldmint-build-id":"b/x"},"location":`),
		"control-tag":       replace(`"location":`, `"tags":{"a\u0007":"x\u001b[2J"},"location":`),
		"long-tag":          replace(`"location":`, `"tags":{"a":"`+strings.Repeat("x", 257)+`"},"location":`),
		"control-metadata":  with(`"metadata":{"a":"x\r\ny"}`),
		"internal-blob":     blob(canary + "/vhds/disk.vhd"),
		"metadata-service":  blob("http://169.254.169.254/metadata/identity/oauth2/token"),
		"sas-blob":          blob("https://account.blob.core.windows.net/vhds/disk.vhd?sv=2022-11-02&sig=" + secret),
		"sas-tag":           replace(`"location":`, `"tags":{"a":"https://a/b?sig=`+secret+`"},"location":`),
		"sas-field":         with(`"https://a.blob.core.windows.net/b?sig=` + secret + `":1`),
		"foreign-operation": continuation(t, canary),
	}
}

const secret = "c2VjcmV0c2VjcmV0c2VjcmV0"

// continuation is a crafted one: it claims an operation at another host for a request whose digest
// is another's.
func continuation(t *testing.T, canary string) string {
	t.Helper()
	b := build.New(example(t, "../../examples/requests/from-vm.json"), localazure.SubscriptionID, event.Event{}.Time)
	b.Attempt.Token = `{"type":"ImagesClientCreateOrUpdateResponse","token":{"asyncURL":"` + canary + `/operation","method":"PUT","state":"InProgress"}}`
	body, err := json.Marshal(map[string]any{"specversion": "1.0", "type": "goldmint.build.continuation", "id": "x", "source": "/goldmint", "data": b})
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// TestHostileSenders: through the real handler, each hostile message is rejected and dead-lettered,
// no other server gets a request, no secret is published, no line of the log is forged, the process
// lives, and the next good request makes its image.
func TestHostileSenders(t *testing.T) {
	t.Parallel()
	var strangers atomic.Int64
	canary := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { strangers.Add(1) }))
	defer canary.Close()
	a := start(t, localazure.Options{})
	good := example(t, "../../examples/requests/from-vm.json")
	text, err := json.Marshal(good)
	if err != nil {
		t.Fatal(err)
	}
	bad := hostile(t, string(text), canary.URL)
	for id, body := range bad {
		a.send(id, []byte(body))
	}
	a.submit(good)
	outcomes := map[string]int{}
	told := ""
	for _, e := range a.events(ended(len(bad) + 1)) {
		outcomes[e.Type]++
		body, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		told += string(body)
	}
	if outcomes[event.Rejected] != len(bad) || outcomes[event.Succeeded] != 1 || a.ARM.Images() != 1 {
		t.Errorf("%d hostile messages and a good one gave %v and %d images", len(bad), outcomes, a.ARM.Images())
	}
	for _, m := range a.deadLetters(len(bad)) {
		told += *m.DeadLetterReason + *m.DeadLetterErrorDescription
	}
	if n := strangers.Load(); n > 0 {
		t.Errorf("%d requests reached a server that only a message named", n)
	}
	if a.Host.Starts() != 1 {
		t.Errorf("the handler was started %d times", a.Host.Starts())
	}
	checkLines(t, a, told)
}

// checkLines checks what the handler wrote to its console: whole JSON objects, none forged by a
// sender, and no secret.
func checkLines(t *testing.T, a *azure, told string) {
	t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	lines := 0
	for _, line := range a.console {
		lines++
		var object struct{ Level, Msg string }
		if err := json.Unmarshal([]byte(line), &object); err != nil || object.Level == "" || object.Msg == "forged" {
			t.Errorf("console line %q: %v", line, err)
		}
		told += line
	}
	if lines == 0 {
		t.Error("the handler logged nothing")
	}
	if strings.Contains(told, secret) {
		t.Error("a secret is in an event, a dead-letter description or the log")
	}
}

// TestSquattedMessageID: a message under the MessageId that another build's request will have
// changes nothing for that request. It ends as a rejected event of its own.
func TestSquattedMessageID(t *testing.T) {
	t.Parallel()
	a := start(t, localazure.Options{})
	victim := example(t, "../../examples/requests/from-vm.json")
	a.send(request.Key(victim.ID, victim.Digest()), []byte("squatted"))
	a.submit(victim)
	var types []string
	for _, e := range a.events(ended(2)) { // with the squatter's rejection
		if e.Data.BuildID == victim.ID && e.Type != event.Rejected {
			types = append(types, e.Type)
		}
	}
	if !slices.Equal(types, []string{event.Queued, event.Asked, event.Started, event.Succeeded}) {
		t.Errorf("the request gave %v", types)
	}
}

// TestSameIDTwice: two requests under one id are two builds, each with an image and an end of its
// own; the same request twice is one build.
func TestSameIDTwice(t *testing.T) {
	t.Parallel()
	a := start(t, localazure.Options{})
	one := example(t, "../../examples/requests/from-vm.json")
	two := example(t, "../../examples/requests/from-snapshot.json")
	one.ID, two.ID = "same", "same"
	a.submit(one)
	a.submit(two)
	text, err := json.Marshal(one)
	if err != nil {
		t.Fatal(err)
	}
	a.send("another-message-id", text)
	digests := map[string]string{}
	for _, e := range a.events(ended(2)) {
		if e.Ends() {
			digests[e.Data.Digest] = e.Type + " " + e.Data.Name
		}
	}
	a.drained()
	if digests[one.Digest()] != event.Succeeded+" "+one.Name || digests[two.Digest()] != event.Succeeded+" "+two.Name || a.ARM.Images() != 2 {
		t.Errorf("ends by digest: %v, %d images", digests, a.ARM.Images())
	}
}
