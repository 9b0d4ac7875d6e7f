package event_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"goldmint/internal/event"
	"goldmint/schema"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

var update = flag.Bool("update", false, "write the golden files anew")

const (
	subscription = "5f2b1c9e-7d34-4e0a-9c41-2a6d8e1b7f03"
	group        = "/subscriptions/" + subscription + "/resourceGroups/golden-images/providers/"
	imageID      = group + "Microsoft.Compute/images/web-20261123"
	digest       = "9f1c4d2be07a5e8c6b3d1f0a2c4e6b8d0f1a3c5e7b9d1f3a5c7e9b1d3f5a7c9e"
)

var (
	requested = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	started   = requested.Add(6500 * time.Millisecond)
	ended     = started.Add(11270 * time.Millisecond)
)

// golden are one event of each type, as docs show them.
func golden() map[string]event.Event {
	source := event.Source{Type: "virtualMachine", ID: group + "Microsoft.Compute/virtualMachines/web-01"}
	build := event.Data{
		BuildID: "web-1", Digest: digest, Run: 7, ImageID: imageID, Name: "web-20261123", ResourceGroup: "golden-images",
		SubscriptionID: subscription, Location: "westeurope", Source: source, RequestedAt: requested,
		Metadata: map[string]string{"commit": "1f6c0ad", "run": "https://ci.example/runs?id=7"},
	}
	about := func(eventType string, at time.Time, data event.Data) event.Event {
		return event.Event{
			ID: event.ID("web-1/"+digest[:32], eventType, 7), Source: group + "Microsoft.Web/sites/goldmint",
			Type: eventType, Subject: imageID, Time: at, Data: data,
		}
	}
	startedData := build
	startedData.StartedAt, startedData.Attempts = started, 1
	succeeded := startedData
	succeeded.EndedAt, succeeded.HyperVGeneration = ended, "V2"
	failed := startedData
	failed.EndedAt = ended
	failed.Error = &event.Error{
		Code: "ImageBlobNotFound", Message: "Unable to find VHD blob.", Target: "disks",
		Details: []event.Detail{{Code: "Inner", Message: "More words.", Details: []event.Detail{{Code: "Innermost"}}}},
	}
	rejected := about(event.Rejected, requested, event.Data{
		BuildID: "web-1", Digest: digest, RequestedAt: requested,
		Error:    &event.Error{Code: "InvalidRequest", Message: "InvalidRequest: name: is missing"},
		Problems: []event.Problem{{Pointer: "/name", Path: "name", Message: "is missing"}},
	})
	rejected.Subject = ""
	queuedData := build
	queuedData.Run = 0
	queued := about(event.Queued, requested, queuedData)
	queued.ID = event.ID("web-1/"+digest[:32], event.Queued, 1)
	delayedData := build
	delayedData.Delay = &event.Delay{Reason: "Refused", Code: "NotFound", Message: "Azure says 404 NotFound; trying again", Until: requested.Add(57 * time.Second)}
	delayed := about(event.Delayed, requested.Add(time.Second), delayedData)
	delayed.ID = event.ID("web-1/"+digest[:32], event.Delayed, 7, "Refused")
	all := map[string]event.Event{
		"queued":    queued,
		"asked":     about(event.Asked, requested.Add(time.Second), build),
		"started":   about(event.Started, started, startedData),
		"succeeded": about(event.Succeeded, ended, succeeded),
		"failed":    about(event.Failed, ended, failed),
		"rejected":  rejected,
		"delayed":   delayed,
	}
	for name, e := range goldenVersion(about, startedData) {
		all[name] = e
	}
	return all
}

// goldenVersion are the events of a gallery image version, from when it is replicated.
func goldenVersion(about func(string, time.Time, event.Data) event.Event, d event.Data) map[string]event.Event {
	d.Name, d.GalleryName, d.GalleryImageName, d.ExcludeFromLatest = "2026.1127.1", "corp", "web", true
	d.ImageID = group + "Microsoft.Compute/galleries/corp/images/web/versions/2026.1127.1"
	d.EndOfLifeDate = requested.AddDate(1, 0, 0)
	d.Source.UniqueID = "40a34768-9017-45de-a607-524c765e53f5"
	states := func(aggregated string, regions ...event.Region) *event.Replication {
		return &event.Replication{AggregatedState: aggregated, Summary: regions}
	}
	home := event.Region{Region: "westeurope", State: "Completed", Progress: 100}
	d.ReplicationStatus = states("InProgress", home, event.Region{Region: "northeurope", State: "Replicating", Progress: 40})
	version := func(eventType string, d event.Data) event.Event {
		e := about(eventType, started.Add(8*time.Minute), d)
		e.Subject = d.ImageID
		return e
	}
	replicating := version(event.Replicating, d)
	replicating.ID = event.ID("web-1/"+digest[:32], event.Replicating, 7, "1")
	d.EndedAt = started.Add(8 * time.Minute)
	succeeded := d
	succeeded.ReplicationStatus = states("Completed", home, event.Region{Region: "northeurope", State: "Completed", Progress: 100})
	failed := d
	failed.ReplicationStatus = states("Failed", home, event.Region{Region: "northeurope", State: "Failed", Details: "Failed with internal server error."})
	failed.Error = &event.Error{
		Code: "InternalOperationError", Message: "Gallery replication jobs failed in one or more regions.", Hint: "submit the request again", Retryable: true,
	}
	return map[string]event.Event{
		"replicating": replicating, "version-succeeded": version(event.Succeeded, succeeded), "version-failed": version(event.Failed, failed),
	}
}

func TestGolden(t *testing.T) {
	for name, e := range golden() {
		t.Run(name, func(t *testing.T) {
			got := indented(t, e)
			file := "testdata/" + name + ".json"
			if *update {
				if err := os.WriteFile(file, got, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("-want +got (go test -update writes it anew):\n%s", diff)
			}
		})
	}
}

func TestParse(t *testing.T) {
	for name, e := range golden() {
		t.Run(name, func(t *testing.T) {
			text := marshal(t, e)
			got, err := event.Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			if again := marshal(t, got); !bytes.Equal(text, again) {
				t.Errorf("read and written again it differs:\n%s\n%s", text, again)
			}
			var plain event.Event
			if err := json.Unmarshal(text, &plain); err != nil || plain.ID != e.ID {
				t.Errorf("json.Unmarshal: %v, id %q", err, plain.ID)
			}
		})
	}
}

// A newer Goldmint may say more.
func TestParsePassesOver(t *testing.T) {
	e, err := event.Parse([]byte(`{"specversion":"1.0","id":"a/b/ended/1","source":"s","type":"goldmint.build.succeeded","time":"2026-11-23T12:00:00+01:00",
		"traceparent":"00-1","data":{"buildId":"a","new":{"x":1}}}`))
	if err != nil || e.Data.BuildID != "a" || !e.Time.Equal(requested.Add(-time.Hour)) {
		t.Errorf("got %+v, %v", e, err)
	}
}

func TestParseRefuses(t *testing.T) {
	const event0 = `{"specversion":"1.0","id":"i","source":"s","type":"goldmint.build.started","time":"2026-11-23T12:00:00Z","data":{"buildId":"a"}}`
	for name, test := range map[string]struct{ from, to, want string }{
		"not JSON":        {`{"specversion`, `specversion`, "read event: "},
		"another version": {`"1.0"`, `"0.3"`, `read event "i": CloudEvents version "0.3" is not 1.0`},
		"another type":    {`build.started`, `build.continued`, `read event "i": type "goldmint.build.continued" is none of Goldmint's`},
		"no time":         {`"time":"2026-11-23T12:00:00Z",`, ``, `read event "i": it has no time`},
		"no data":         {`,"data":{"buildId":"a"}`, ``, `read event "i": it has no data`},
		"odd data":        {`{"buildId":"a"}`, `{"buildId":7}`, `read data of event "i": `},
		"no id":           {`"id":"i",`, ``, `read event: `},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := event.Parse([]byte(strings.Replace(event0, test.from, test.to, 1)))
			if err == nil || !strings.HasPrefix(err.Error(), test.want) {
				t.Errorf("got %v, want %s…", err, test.want)
			}
		})
	}
}

// An independent reader finds what was written.
func TestCloudEventsReadsIt(t *testing.T) {
	for name, e := range golden() {
		t.Run(name, func(t *testing.T) {
			var got cloudevents.Event
			if err := json.Unmarshal(marshal(t, e), &got); err != nil {
				t.Fatal(err)
			}
			if err := got.Validate(); err != nil {
				t.Fatal(err)
			}
			if got.SpecVersion() != "1.0" || got.ID() != e.ID || got.Source() != e.Source || got.Type() != e.Type ||
				got.Subject() != e.Subject || !got.Time().Equal(e.Time) || got.DataContentType() != "application/json" {
				t.Errorf("it reads %s", got)
			}
			var data event.Data
			if err := got.DataAs(&data); err != nil || data.BuildID != e.Data.BuildID {
				t.Errorf("data %+v, %v", data, err)
			}
		})
	}
}

// Every event keeps its contract, and the contract describes all that is in it.
func TestSchema(t *testing.T) {
	contract, closed := compile(t, false), compile(t, true)
	for name, e := range golden() {
		t.Run(name, func(t *testing.T) {
			validate(t, contract, e)
			validate(t, closed, e)
		})
	}
}

func TestSchemaRefuses(t *testing.T) {
	contract := compile(t, false)
	for name, change := range map[string]func(map[string]event.Event) event.Event{
		"success with an error": func(all map[string]event.Event) event.Event {
			e := all["succeeded"]
			e.Data.Error = all["failed"].Data.Error
			return e
		},
		"failure without an error": func(all map[string]event.Event) event.Event {
			e := all["failed"]
			e.Data.Error = nil
			return e
		},
		"end under the start's id": func(all map[string]event.Event) event.Event {
			e := all["succeeded"]
			e.ID = all["started"].ID
			return e
		},
		"build without an image": func(all map[string]event.Event) event.Event {
			e := all["started"]
			e.Subject, e.Data.ImageID = "", ""
			return e
		},
	} {
		t.Run(name, func(t *testing.T) {
			doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(marshal(t, change(golden()))))
			if err != nil {
				t.Fatal(err)
			}
			if contract.Validate(doc) == nil {
				t.Error("the contract lets it pass")
			}
		})
	}
}

// TestID: no two types share an id but the two ends of a run, and Service Bus takes the longest as
// a MessageId.
func TestID(t *testing.T) {
	longest := strings.Repeat("i", 48) + "/" + strings.Repeat("d", 32)
	types := map[string]string{}
	for eventType, want := range map[string]string{
		event.Queued: "k/queued/7", event.Asked: "k/asked/7", event.Started: "k/started/7", event.Succeeded: "k/ended/7", event.Failed: "k/ended/7", event.Rejected: "k/rejected/7",
		event.Delayed: "k/delayed/7", event.Replicating: "k/replicating/7",
	} {
		if got := event.ID("k", eventType, 7); got != want {
			t.Errorf("%s: got %q, want %q", eventType, got, want)
		}
		if other := types[want]; other != "" && (other != event.Succeeded && eventType != event.Succeeded || event.Failed != other && event.Failed != eventType) {
			t.Errorf("%s and %s share an id", other, eventType)
		}
		types[want] = eventType
		what := map[string][]string{event.Delayed: {"Unavailable"}, event.Replicating: {"100"}}[eventType]
		if got := event.ID(longest, eventType, math.MaxInt64, what...); len(got) > 128 {
			t.Errorf("%s: %q has %d characters", eventType, got, len(got))
		}
	}
}

func TestEnds(t *testing.T) {
	for name, want := range map[string]bool{"started": false, "succeeded": true, "failed": true, "rejected": false} {
		if got := golden()[name].Ends(); got != want {
			t.Errorf("%s ends: %v", name, got)
		}
	}
}

func TestProperties(t *testing.T) {
	want := map[string]any{
		"type": event.Failed, "buildId": "web-1", "digest": digest, "imageId": imageID, "name": "web-20261123",
		"resourceGroup": "golden-images", "subscriptionId": subscription, "location": "westeurope",
		"sourceType": "virtualMachine", "errorCode": "ImageBlobNotFound",
	}
	if diff := cmp.Diff(want, golden()["failed"].Properties()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// compile compiles the contract; closed, it refuses what it does not describe.
func compile(t *testing.T, closed bool) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema.Event))
	if err != nil {
		t.Fatal(err)
	}
	if closed {
		closeObjects(doc)
	}
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	if err := compiler.AddResource("urn:goldmint:schema:event", doc); err != nil {
		t.Fatal(err)
	}
	compiled, err := compiler.Compile("urn:goldmint:schema:event")
	if err != nil {
		t.Fatal(err)
	}
	return compiled
}

func closeObjects(v any) {
	switch v := v.(type) {
	case map[string]any:
		if v["type"] == "object" && v["additionalProperties"] == nil && v["properties"] != nil {
			v["unevaluatedProperties"] = false
		}
		for _, member := range v {
			closeObjects(member)
		}
	case []any:
		for _, element := range v {
			closeObjects(element)
		}
	}
}

func validate(t *testing.T, contract *jsonschema.Schema, e event.Event) {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(marshal(t, e)))
	if err != nil {
		t.Fatal(err)
	}
	if err := contract.Validate(doc); err != nil {
		t.Errorf("%#v", err)
	}
}

func marshal(t *testing.T, e event.Event) []byte {
	t.Helper()
	text, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func indented(t *testing.T, e event.Event) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := json.Indent(&b, marshal(t, e), "", "  "); err != nil {
		t.Fatal(err)
	}
	return append(b.Bytes(), '\n')
}

// Parse never panics, and what it reads can be published again.
func FuzzParse(f *testing.F) {
	for _, e := range golden() {
		text, err := json.Marshal(e)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		e, err := event.Parse(body)
		if err != nil {
			return
		}
		text, err := e.MarshalJSON()
		if err != nil {
			return // a time that JSON cannot hold
		}
		if _, err := event.Parse(text); err != nil {
			t.Fatalf("written again it cannot be read: %v", err)
		}
	})
}
