package build

import (
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"
)

// TestRateLimitDocument: builds of one region share a document however they spell it, and nothing
// leaves its place in the URL.
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
	r := Build{SubscriptionID: "AB"}
	r.Request.GalleryImageVersion = &armcompute.GalleryImageVersion{Location: to.Ptr("West Europe")}
	if got := r.RateLimit(); got != "gallery-versions/ab/westeurope" { // limits of their own
		t.Errorf("a version: %s", got)
	}
	if got := (Build{SubscriptionID: "ab"}).RateLimit(); got != "images/ab/-" {
		t.Errorf("without a location: %s", got)
	}
}
