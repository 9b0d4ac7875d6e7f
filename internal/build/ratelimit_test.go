package build

import (
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
)

// TestRateLimitDocument: builds of one region share a document however they spell it, and nothing leaves its place in the URL.
func TestRateLimitDocument(t *testing.T) {
	for location, want := range map[string]string{
		"West Europe": "images/ab/westeurope", "westeurope": "images/ab/westeurope",
		"../../../x?y#z": "images/ab/xyz", "": "images/ab/-", "/": "images/ab/-",
	} {
		b := Build{SubscriptionID: "AB"}
		b.Request.Image.Location = to.Ptr(location)
		if got := b.RateLimit(); got != want {
			t.Errorf("%q: %s, want %s", location, got, want)
		}
	}
	if got := (Build{SubscriptionID: "ab"}).RateLimit(); got != "images/ab/-" {
		t.Errorf("without a location: %s", got)
	}
}
