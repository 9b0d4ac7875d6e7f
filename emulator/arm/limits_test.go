package arm_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"goldmint/emulator/arm"
)

func putNumbered(t *testing.T, s *arm.Server, n int, location string) reply {
	t.Helper()
	return call(t, s, http.MethodPut, fmt.Sprintf("%simages/golden-%d%s", compute, n, version), strings.Replace(fromDisk(blobSource), "westeurope", location, 1))
}

func TestWindows(t *testing.T) {
	s := arm.Start(t, arm.Options{AnyBlob: true, Limits: arm.Windows(4, 6)})
	for n := range 4 {
		got := putNumbered(t, s, n, "westeurope")
		want := fmt.Sprintf("Microsoft.Compute/CreateImages3Min;%d,Microsoft.Compute/CreateImages30Min;%d", 3-n, 5-n)
		if remaining := got.header.Get("x-ms-ratelimit-remaining-resource"); got.status != http.StatusCreated || remaining != want {
			t.Errorf("%d, %q, want %q", got.status, remaining, want)
		}
	}
	if got := putNumbered(t, s, 90, "northeurope"); got.status != http.StatusCreated {
		t.Errorf("another region is counted together: %d", got.status)
	}
	throttled(t, putNumbered(t, s, 4, "westeurope"), "CreateImages3Min", 1, 180)
	s.FastForward(3 * time.Minute)
	for n := range 2 {
		if got := putNumbered(t, s, 4+n, "westeurope"); got.status != http.StatusCreated {
			t.Errorf("in the next window: %d %s", got.status, got.text)
		}
	}
	throttled(t, putNumbered(t, s, 6, "westeurope"), "CreateImages30Min", 20*60, 27*60)
	s.FastForward(27 * time.Minute)
	if got := putNumbered(t, s, 6, "westeurope"); got.status != http.StatusCreated {
		t.Errorf("after half an hour: %d %s", got.status, got.text)
	}
}

func TestBucket(t *testing.T) {
	s := arm.Start(t, arm.Options{AnyBlob: true, Limits: arm.Bucket(3, 2)})
	for n := range 3 {
		got := putNumbered(t, s, n, "westeurope")
		want := fmt.Sprintf("Microsoft.Compute/CreateImagesSubscriptionMaximum;%d", 2-n)
		if remaining := got.header.Get("x-ms-ratelimit-remaining-resource"); got.status != http.StatusCreated || remaining != want {
			t.Errorf("%d, %q, want %q", got.status, remaining, want)
		}
	}
	throttled(t, putNumbered(t, s, 3, "westeurope"), "CreateImagesSubscriptionMaximum", 1, 30)
	s.FastForward(30 * time.Second)
	if got := putNumbered(t, s, 3, "westeurope"); got.status != http.StatusCreated {
		t.Errorf("when one is refilled: %d %s", got.status, got.text)
	}
	throttled(t, putNumbered(t, s, 4, "westeurope"), "CreateImagesSubscriptionMaximum", 1, 30)
}

// throttled wants compute's documented 429, which has no "error" wrapper.
func throttled(t *testing.T, r reply, bucket string, least, most int) {
	t.Helper()
	var body struct {
		Code    string
		Details []struct{ Code, Target, Message string }
	}
	if err := json.Unmarshal([]byte(r.text), &body); err != nil {
		t.Fatalf("%v in %q", err, r.text)
	}
	if r.status != http.StatusTooManyRequests || body.Code != "OperationNotAllowed" || len(body.Details) != 1 ||
		body.Details[0].Code != "TooManyRequests" || body.Details[0].Target != bucket {
		t.Errorf("%d %s", r.status, r.text)
	}
	var detail struct{ AllowedRequestCount, MeasuredRequestCount int }
	if err := json.Unmarshal([]byte(body.Details[0].Message), &detail); err != nil || detail.MeasuredRequestCount <= detail.AllowedRequestCount {
		t.Errorf("detail %s, %v", body.Details[0].Message, err)
	}
	if wait, err := strconv.Atoi(r.header.Get("Retry-After")); err != nil || wait < least || wait > most {
		t.Errorf("Retry-After is %q, want %d to %d", r.header.Get("Retry-After"), least, most)
	}
	if remaining := r.header.Get("x-ms-ratelimit-remaining-resource"); remaining != "Microsoft.Compute/"+bucket+";0" {
		t.Errorf("remaining %q", remaining)
	}
}

// The SDK finds the code in the unwrapped body, too.
func TestThrottledSDK(t *testing.T) {
	s := prepared(t, arm.Options{Limits: arm.Windows(0, 0)})
	_, err := clients(t, s).NewImagesClient().BeginCreateOrUpdate(t.Context(), group, "golden", imageOf(vmID), nil)
	if c, status := code(t, err); c != "OperationNotAllowed" || status != http.StatusTooManyRequests {
		t.Errorf("%s, %d", c, status)
	}
}

func TestOtherFamilies(t *testing.T) {
	for _, tt := range []struct{ method, path, windows, bucket string }{
		{http.MethodGet, imageID, "GetImages3Min;359,Microsoft.Compute/GetImages30Min;1799", "GetImagesSubscriptionMaximum;359"},
		{http.MethodGet, compute + "images", "HighCostGetImages3Min;79,Microsoft.Compute/HighCostGetImages30Min;399", "HighCostGetImagesSubscriptionMaximum;79"},
		{http.MethodGet, vmID, "LowCostGet3Min;3999,Microsoft.Compute/LowCostGet30Min;31999", "LowCostGetResource;35"},
		{http.MethodPost, vmID + "/generalize", "UpdateVM3Min;239,Microsoft.Compute/UpdateVM30Min;1199", "UpdateVMResource;11"},
		{http.MethodPost, vmID + "/deallocate", "DeleteVM3Min;239,Microsoft.Compute/DeleteVM30Min;1199", "DeleteVMResource;11"},
		{http.MethodDelete, imageID, "DeleteImages3Min;119,Microsoft.Compute/DeleteImages30Min;599", "DeleteImagesSubscriptionMaximum;119"},
		{"operation", "", "GetOperation3Min;14999,Microsoft.Compute/GetOperation30Min;29999", "GetOperationResource;44,Microsoft.Compute/GetOperationSubscriptionMaximum;14999"},
	} {
		for _, form := range []struct {
			limits arm.Limits
			want   string
		}{{arm.Windows(40, 200), tt.windows}, {arm.Bucket(60, 20), tt.bucket}} {
			s := prepared(t, arm.Options{Limits: form.limits})
			operation := startImage(t, s)
			var got reply
			if tt.method == "operation" {
				got = get(t, s, operation)
			} else {
				got = call(t, s, tt.method, tt.path+version, "")
			}
			if remaining := got.header.Get("x-ms-ratelimit-remaining-resource"); remaining != "Microsoft.Compute/"+form.want {
				t.Errorf("%s %s: remaining %q, want %q", tt.method, tt.path, remaining, form.want)
			}
		}
	}
}

func TestOperationBucketIsPerResource(t *testing.T) {
	s := prepared(t, arm.Options{Limits: arm.Bucket(60, 20), ImageDuration: time.Hour})
	operation := startImage(t, s)
	asked := 0
	for ; asked < 500; asked++ { // slow machines see some of it refilled
		if get(t, s, operation).status != http.StatusOK {
			break
		}
	}
	if asked < 45 {
		t.Errorf("refused after %d", asked)
	}
	throttled(t, get(t, s, operation), "GetOperationResource", 1, 4)
}
