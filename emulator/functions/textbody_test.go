package functions

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// TestFieldsOfATextBodyBecomeMetadata takes the rules from the recordings of a
// manual trigger, whose input goes through the same code of the host.
func TestFieldsOfATextBodyBecomeMetadata(t *testing.T) {
	metadata := object{}
	applyBody(&metadata, recordedInput(t, "12345678901234567890"))
	want := `{"INPUT":"\"spoof\"","SYS":"\"spoof2\"","when":"\"11/23/2026 10:00:00\"","n":"\"12345678901234567890\"",` +
		`"f":"\"1.5\"","b":"\"True\"","obj":{"a":[1]},"MixED":"\"x\""}`
	if got := metadata.json(); got != want {
		t.Errorf("metadata is\n%s, want\n%s", got, want)
	}
}

// recordedInput finds the input of a recorded invocation by a part of it.
func recordedInput(t *testing.T, part string) string {
	t.Helper()
	data, err := os.ReadFile("testdata/host-invocations.json")
	if err != nil {
		t.Fatal(err)
	}
	var list []struct {
		Body struct{ Data map[string]any }
	}
	unmarshal(t, data, &list)
	if len(list) != 68 {
		t.Fatalf("got %d recordings, want 68", len(list))
	}
	for _, r := range list {
		if input, ok := r.Body.Data["input"].(string); ok && strings.Contains(input, part) {
			var text string
			unmarshal(t, json.RawMessage(input), &text)
			return text
		}
	}
	t.Fatalf("no recording has %q in its input", part)
	return ""
}

func TestABodyThatIsNoObjectLeavesTheMetadataAlone(t *testing.T) {
	for _, body := range []string{"", "plain", "[1,2]", "42", "{broken}", "\uFEFF{\"a\":1}", `{"a":1} {"b":2}`} {
		metadata := object{{"a", "0"}}
		applyBody(&metadata, body)
		if got := metadata.json(); got != `{"a":0}` {
			t.Errorf("%q makes the metadata %s", body, got)
		}
	}
}

func TestNestedObjectsAreWrittenAnew(t *testing.T) {
	metadata := object{}
	applyBody(&metadata, `{ "o" : { "s" : "\u00e9<" , "a" : [ 1 , {"b":null} ] } }`)
	if got, want := metadata.json(), `{"o":{"s":"é<","a":[1,{"b":null}]}}`; got != want {
		t.Errorf("metadata is %s, want %s", got, want)
	}
}

func TestBytesThatAreNotUTF8AreReplacedOnceForEachBrokenSequence(t *testing.T) {
	for body, want := range map[string]string{
		"caf\xe9!":      "caf\uFFFD!",
		"\xff\xff":      "\uFFFD\uFFFD",
		"\xe2\x82x":     "\uFFFDx",
		"\xef\xbb\xbfx": "\uFEFFx",
	} {
		if got := decodeUTF8([]byte(body)); got != want {
			t.Errorf("%q reads as %q, want %q", body, got, want)
		}
	}
}

// FuzzTextBody holds that no body makes the invocation anything but JSON.
func FuzzTextBody(f *testing.F) {
	for _, seed := range []string{"", `{"LockToken":"x"}`, `{"a":{"b":[1,"\u2028"]},"n":1e400}`, "\xff{}", `{"when":"2026-11-23T10:00:00Z"}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		metadata := object{}
		text := decodeUTF8(body)
		applyBody(&metadata, text)
		for _, encoded := range []string{quote(quote(text)), metadata.json()} {
			if !json.Valid([]byte(encoded)) {
				t.Errorf("%q is sent as %s", body, encoded)
			}
		}
	})
}
