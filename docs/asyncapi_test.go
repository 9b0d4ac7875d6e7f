package docs_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"goldmint/internal/event"
	"goldmint/internal/history"
	"goldmint/internal/localazure"
	"goldmint/internal/request"
	"goldmint/schema"
)

// tree is a part of the document.
type tree = map[string]any

// read returns the document with plain JSON values.
func read(t *testing.T) tree {
	t.Helper()
	text, err := os.ReadFile("asyncapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	plain, err := yaml.YAMLToJSON(text)
	if err != nil {
		t.Fatal(err)
	}
	var doc tree
	if err := json.Unmarshal(plain, &doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

// at follows a JSON pointer, nil where it leads nowhere.
func at(v any, pointer string) any {
	for _, name := range strings.Split(strings.TrimPrefix(pointer, "/"), "/") {
		object, ok := v.(tree)
		if !ok {
			return nil
		}
		v = object[name]
	}
	return v
}

func TestReferences(t *testing.T) {
	doc := read(t)
	n := 0
	walk(doc, func(ref string) {
		n++
		file, pointer, _ := strings.Cut(ref, "#")
		if file == "" && at(doc, pointer) == nil {
			t.Errorf("%s leads nowhere", ref)
		}
		if file != "" {
			if _, err := os.Stat(file); err != nil {
				t.Error(err)
			}
		}
	})
	if n < 15 {
		t.Errorf("%d references were found", n)
	}
}

func walk(v any, each func(ref string)) {
	switch v := v.(type) {
	case tree:
		if ref, ok := v["$ref"].(string); ok {
			each(ref)
		}
		for _, member := range v {
			walk(member, each)
		}
	case []any:
		for _, element := range v {
			walk(element, each)
		}
	}
}

func TestNames(t *testing.T) {
	doc := read(t)
	for pointer, want := range map[string]string{
		"/asyncapi":                                   "3.0.0",
		"/channels/requests/address":                  localazure.Requests,
		"/channels/events/address":                    localazure.Topic,
		"/operations/build/action":                    "receive",
		"/operations/tell/action":                     "send",
		"/operations/build/channel/$ref":              "#/channels/requests",
		"/operations/tell/channel/$ref":               "#/channels/events",
		"/components/messageTraits/event/contentType": event.ContentType,
	} {
		if got := at(doc, pointer); got != want {
			t.Errorf("%s is %v, want %s", pointer, got, want)
		}
	}
	if text, _ := at(doc, "/channels/events/description").(string); !strings.Contains(text, "`"+history.Subscription+"`") {
		t.Errorf("the topic's description does not name the subscription: %s", text)
	}
	var names []string
	messages, _ := at(doc, "/channels/events/messages").(tree)
	for key := range messages {
		name, _ := at(doc, "/components/messages/"+key+"/name").(string)
		names = append(names, name)
	}
	slices.Sort(names)
	if diff := cmp.Diff([]string{event.Asked, event.Delayed, event.Failed, event.Queued, event.Rejected, event.Replicating, event.Started, event.Succeeded}, names); diff != "" {
		t.Errorf("events: -code +document:\n%s", diff)
	}
}

// full is an event that has all application properties.
func full() event.Event {
	return event.Event{ID: "web-1/9f1c4d2be07a5e8c6b3d1f0a2c4e6b8d/ended/7", Source: "/goldmint", Type: event.Failed, Subject: "/subscriptions/s", Time: time.Now(), Data: event.Data{
		BuildID: "web-1", Digest: "9f1c4d2be07a", ImageID: "/subscriptions/s", Name: "web", GalleryImageName: "web", ResourceGroup: "golden", SubscriptionID: "s",
		Location: "westeurope", HyperVGeneration: "V2", Source: event.Source{Type: "snapshot"}, Error: &event.Error{Code: "Code"},
	}}
}

// The headers of the document are the application properties of the code.
func TestHeaders(t *testing.T) {
	headers, _ := at(read(t), "/components/messageTraits/event/headers/properties").(tree)
	if diff := cmp.Diff(keys(full().Properties()), keys(headers)); diff != "" {
		t.Errorf("-code +document:\n%s", diff)
	}
}

// Every field of the Go types is in the schema, and every property of the schema in a Go type.
func TestSchemaIsTheGoTypes(t *testing.T) {
	var contract tree
	if err := json.Unmarshal(schema.Event, &contract); err != nil {
		t.Fatal(err)
	}
	for pointer, goType := range map[string]reflect.Type{
		"/$defs/data/properties":                                                       reflect.TypeFor[event.Data](),
		"/$defs/data/properties/source/properties":                                     reflect.TypeFor[event.Source](),
		"/$defs/data/properties/error/properties":                                      reflect.TypeFor[event.Error](),
		"/$defs/data/properties/delay/properties":                                      reflect.TypeFor[event.Delay](),
		"/$defs/data/properties/replicationStatus/properties":                          reflect.TypeFor[event.Replication](),
		"/$defs/data/properties/replicationStatus/properties/summary/items/properties": reflect.TypeFor[event.Region](),
		"/$defs/data/properties/problems/items/properties":                             reflect.TypeFor[event.Problem](),
		"/$defs/detail/properties":                                                     reflect.TypeFor[event.Detail](),
	} {
		properties, _ := at(contract, pointer).(tree)
		if diff := cmp.Diff(fields(goType), keys(properties)); diff != "" {
			t.Errorf("%s: -Go +schema:\n%s", pointer, diff)
		}
	}
}

func fields(t reflect.Type) []string {
	var names []string
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func keys[V any](m map[string]V) []string {
	var names []string
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Every example of a message, here and in the folders of examples and golden files, keeps the
// schema that the document refers to.
func TestExamples(t *testing.T) {
	requests, events := compile(t, "../schema/build-request.schema.json"), compile(t, "../schema/event.schema.json")
	examples, _ := at(read(t), "/components/messages/buildRequest/examples").([]any)
	if len(examples) == 0 {
		t.Fatal("the document has no example")
	}
	for _, e := range examples {
		payload := at(e, "/payload")
		check(t, requests, "asyncapi.yaml", payload)
		text, err := json.Marshal(payload)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := request.Decode(text); err != nil {
			t.Error(err)
		}
	}
	for pattern, contract := range map[string]*jsonschema.Schema{
		"../examples/requests/*.json":         requests,
		"../examples/requests-gallery/*.json": requests,
		"../examples/pipelines/*.yaml":        requests,
		"../internal/event/testdata/*.json":   events,
	} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Errorf("%s: %d files, %v", pattern, len(files), err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if filepath.Ext(file) == ".yaml" {
				if text, err = yaml.YAMLToJSON(text); err != nil {
					t.Fatal(err)
				}
			}
			var v any
			if err := json.Unmarshal(text, &v); err != nil {
				t.Fatal(err)
			}
			check(t, contract, file, v)
		}
	}
}

func check(t *testing.T, contract *jsonschema.Schema, name string, v any) {
	t.Helper()
	if err := contract.Validate(v); err != nil {
		t.Errorf("%s: %v", name, err)
	}
}

func compile(t *testing.T, file string) *jsonschema.Schema {
	t.Helper()
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	contract, err := compiler.Compile(file)
	if err != nil {
		t.Fatal(err)
	}
	return contract
}
