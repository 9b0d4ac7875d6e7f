package request_test

import (
	"encoding/json"
	"strings"
	"testing"

	"goldmint/internal/request"
)

func TestWithIdentity(t *testing.T) {
	for name, test := range map[string]struct {
		id, messageID, want string
	}{
		"its own id":           {"web-1", "m", "web-1"},
		"the message's":        {"", "3f2504e0-4f89-11d3-9a0c-0305e82c3301", "3f2504e0-4f89-11d3-9a0c-0305e82c3301"},
		"a hash of that":       {"", "web-1/0123456789ab", "mid-22b28c6fac174f5f777cf0c1ea073d84d516887c"},
		"a hash when long":     {"", strings.Repeat("m", 49), "mid-6ae437e3a1817a450a7fc02eb9d640c5f754e0b0"},
		"the message's number": {"", "", "sn-42"},
	} {
		t.Run(name, func(t *testing.T) {
			got := request.Request{ID: test.id}.WithIdentity(test.messageID, 42).ID
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestIDOf(t *testing.T) {
	for body, want := range map[string]string{
		`{"id":"web-1"}`:     "web-1", // wrong otherwise
		`{"id":"not an id"}`: "",
		`{"name":"web"}`:     "",
		`{"id":7}`:           "", // which is no text
		`hello`:              "",
		good:                 "web-1",
	} {
		if got := request.IDOf([]byte(body)); got != want {
			t.Errorf("%s: got %q, want %q", body, got, want)
		}
	}
}

func TestKey(t *testing.T) {
	if got := request.Key("web-1", "0123456789abcdef0123456789abcdef0123"); got != "web-1/0123456789abcdef0123456789abcdef" {
		t.Errorf("got %q", got)
	}
}

func TestResourceID(t *testing.T) {
	r := request.Request{ResourceGroup: "rg", Name: "web"}
	if got := r.ResourceID("S"); got != "/subscriptions/S/resourceGroups/rg/providers/Microsoft.Compute/images/web" {
		t.Errorf("got %q", got)
	}
	r.SubscriptionID = "T"
	if got := r.ResourceID("S"); got != "/subscriptions/T/resourceGroups/rg/providers/Microsoft.Compute/images/web" {
		t.Errorf("the request's own subscription: got %q", got)
	}
}

func TestSourceOfNothing(t *testing.T) {
	if got := (request.Request{}).Source(); got != (request.Source{}) {
		t.Errorf("got %+v", got)
	}
}

func marshal(t *testing.T, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
