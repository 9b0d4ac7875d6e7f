package arm

import (
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Limits are how many requests a subscription may make in a region. Make them with Off, Windows,
// Within or Bucket; the zero value is Off.
type Limits struct {
	form     limitsForm
	creates  int           // image creations in 3 minutes, in the window, or in a full bucket
	creates2 int           // image creations in 30 minutes, or refilled in one
	window   time.Duration // of image creations, in place of the two
}

type limitsForm int

const (
	limitsOff limitsForm = iota
	limitsWindows
	limitsBucket
)

// Off sets no limits, and no header reports any.
func Off() Limits { return Limits{} }

// Windows are the limits as recorded from 2018 to 2023: so many image creations in 3 minutes and so
// many in 30 (Azure's: 40 and 200). Reads, deletions and actions have the recorded limits of their
// own.
func Windows(per3Minutes, per30Minutes int) Limits {
	return Limits{form: limitsWindows, creates: per3Minutes, creates2: per30Minutes}
}

// Within are so many image creations in one window of whole seconds, so that a test sees it slide.
// Azure has none so small.
func Within(creates int, window time.Duration) Limits {
	return Limits{form: limitsWindows, creates: creates, window: window}
}

// Bucket are the limits as recorded in 2026: a bucket of so many image creations, refilled by so
// many a minute (Azure's: 60, and probably 20). Reads, deletions and actions have buckets of their
// own, some of them for each resource.
func Bucket(capacity, refillPerMinute int) Limits {
	return Limits{form: limitsBucket, creates: capacity, creates2: refillPerMinute}
}

// family is a kind of requests that are counted together, with its recorded limits.
type family struct {
	window           string // its name in the older form, such as CreateImages
	per3, per30      int
	resource         string // the name of its bucket for each resource, such as GetOperationResource
	resourceCapacity int
	subscription     string // the name of its bucket for the subscription
	capacity         int
	windowsOnly      bool // counted in windows in whatever form the others are
	// A bucket's refill is a third of its capacity a minute wherever it is documented.
}

var (
	createImagesLimit  = family{window: "CreateImages", subscription: "CreateImagesSubscriptionMaximum"} // the numbers are Options.Limits'
	getImagesLimit     = family{window: "GetImages", per3: 360, per30: 1800, subscription: "GetImagesSubscriptionMaximum", capacity: 360}
	listImagesLimit    = family{window: "HighCostGetImages", per3: 80, per30: 400, subscription: "HighCostGetImagesSubscriptionMaximum", capacity: 80}
	deleteImagesLimit  = family{window: "DeleteImages", per3: 120, per30: 600, subscription: "DeleteImagesSubscriptionMaximum", capacity: 120}
	putVMLimit         = family{window: "PutVM", per3: 240, per30: 1200, resource: "PutVMResource", resourceCapacity: 12}
	updateVMLimit      = family{window: "UpdateVM", per3: 240, per30: 1200, resource: "UpdateVMResource", resourceCapacity: 12}
	deleteVMLimit      = family{window: "DeleteVM", per3: 240, per30: 1200, resource: "DeleteVMResource", resourceCapacity: 12}
	lowCostGetLimit    = family{window: "LowCostGet", per3: 4000, per30: 32000, resource: "LowCostGetResource", resourceCapacity: 36}
	putVersionLimit    = windows("CreateUpdateGalleryImageVersion", 375, 1200)
	getVersionLimit    = windows("GetGalleryImageVersion", 2000, 10_000)
	listVersionsLimit  = windows("ListGalleryImageVersionsInGalleryImage", 1500, 10_000)
	deleteVersionLimit = windows("DeleteGalleryImageVersion", 150, 1000)
	getStatusLimit     = windows("GetOperationStatus", 5000, 15_000)
	getOperationLimit  = family{
		window: "GetOperation", per3: 15000, per30: 30000, resource: "GetOperationResource", resourceCapacity: 45,
		subscription: "GetOperationSubscriptionMaximum", capacity: 15000,
	}
)

// galleryLimits are those of galleries and of their definitions.
var galleryLimits = []struct{ write, read, remove family }{
	{windows("CreateUpdateGallery", 50, 300), windows("GetGallery", 350, 2500), windows("DeleteGallery", 50, 300)},
	{windows("CreateUpdateGalleryImage", 150, 750), windows("GetGalleryImage", 600, 3000), windows("DeleteGalleryImage", 150, 750)},
}

// windows are limits that Azure reports in the older form only, in 2026 too.
func windows(name string, per3, per30 int) family {
	return family{window: name, per3: per3, per30: per30, windowsOnly: true}
}

// limiter counts requests. It is guarded by the server's lock.
type limiter struct {
	limits Limits
	meters map[string]*meter
}

// quota is one counter that a request goes against.
type quota struct {
	name     string
	key      string
	capacity int
	window   time.Duration // a sliding window; zero: a bucket
	refill   int           // a bucket's, in a minute
}

func (l *limiter) quotas(f family, scope, resource string) []quota {
	if f.window == createImagesLimit.window {
		f.per3, f.per30, f.capacity = l.limits.creates, l.limits.creates2, l.limits.creates
	}
	if w := l.limits.window; w > 0 && f.window == createImagesLimit.window {
		name := fmt.Sprintf("%s%dSec", f.window, int(w.Seconds()))
		return []quota{{name: name, key: name + " " + scope, capacity: l.limits.creates, window: w}}
	}
	if l.limits.form == limitsWindows || f.windowsOnly {
		return []quota{
			{name: f.window + "3Min", key: f.window + "3Min " + scope, capacity: f.per3, window: 3 * time.Minute},
			{name: f.window + "30Min", key: f.window + "30Min " + scope, capacity: f.per30, window: 30 * time.Minute},
		}
	}
	var all []quota
	if f.resource != "" {
		all = append(all, quota{name: f.resource, key: f.resource + " " + resource, capacity: f.resourceCapacity, refill: f.resourceCapacity / 3})
	}
	if f.subscription != "" {
		q := quota{name: f.subscription, key: f.subscription + " " + scope, capacity: f.capacity, refill: f.capacity / 3}
		if f.window == createImagesLimit.window {
			q.refill = l.limits.creates2
		}
		all = append(all, q)
	}
	return all
}

// meter is a quota's state.
type meter struct {
	times []time.Time // a window's requests
	level float64     // what a bucket holds
	last  time.Time   // when it was filled up to there
}

// left is how many requests the quota still has room for.
func (m *meter) left(q quota, now time.Time) int {
	if q.window > 0 {
		past := now.Add(-q.window)
		m.times = slices.DeleteFunc(m.times, func(t time.Time) bool { return !t.After(past) })
		return q.capacity - len(m.times)
	}
	if m.last.IsZero() {
		m.level = float64(q.capacity)
	} else {
		m.level = min(float64(q.capacity), m.level+now.Sub(m.last).Minutes()*float64(q.refill))
	}
	m.last = now
	return int(m.level)
}

func (m *meter) take(q quota, now time.Time) {
	if q.window > 0 {
		m.times = append(m.times, now)
		return
	}
	m.level--
}

// wait is how long until there is room for one more.
func (m *meter) wait(q quota, now time.Time) time.Duration {
	switch {
	case q.window > 0 && len(m.times) > 0:
		return m.times[0].Add(q.window).Sub(now)
	case q.window > 0 || q.refill == 0: // a limit of zero, or a bucket that never fills up
		return 20 * time.Minute
	}
	return time.Duration((1 - m.level) / float64(q.refill) * float64(time.Minute))
}

// limit counts the request and writes what remains into its headers. Where nothing remains it is
// refused and not counted.
func (s *Server) limit(rq *request, region, resource string, f family) (refusal answer, refused bool) {
	if s.limiter.limits.form == limitsOff {
		return answer{}, false
	}
	scope := fold(rq.target.subscription + " " + region)
	quotas := s.limiter.quotas(f, scope, fold(resource))
	var remaining []string
	for _, q := range quotas {
		left := s.limiter.meter(q).left(q, rq.now)
		if left < 1 {
			return s.limiter.refuse(q, rq.now), true
		}
		remaining = append(remaining, fmt.Sprintf("%s/%s;%d", computeNamespace, q.name, left-1))
	}
	for _, q := range quotas {
		s.limiter.meter(q).take(q, rq.now)
	}
	rq.limits.Set("x-ms-ratelimit-remaining-resource", strings.Join(remaining, ","))
	return answer{}, false
}

func (l *limiter) meter(q quota) *meter {
	m := l.meters[q.key]
	if m == nil {
		m = &meter{}
		l.meters[q.key] = m
	}
	return m
}

// refuse is compute's 429 as documented, which has no "error" wrapper.
func (l *limiter) refuse(q quota, now time.Time) answer {
	wait := l.meter(q).wait(q, now)
	seconds := max(1, int(math.Ceil(wait.Seconds())))
	measured := q.capacity + 1
	detail := fmt.Sprintf(`{"operationGroup":%q,"startTime":%q,"endTime":%q,"allowedRequestCount":%d,"measuredRequestCount":%d}`,
		q.name, stamp(now.Add(wait-max(q.window, time.Minute))), stamp(now.Add(wait)), q.capacity, measured)
	e := &armError{
		status: http.StatusTooManyRequests, bare: true, Code: "OperationNotAllowed",
		Message: "The server rejected the request because too many requests have been received for this subscription.",
		Details: []errorDetail{{Code: "TooManyRequests", Target: q.name, Message: detail}},
	}
	a := e.answer()
	a.set("Retry-After", strconv.Itoa(seconds))
	a.set("x-ms-ratelimit-remaining-resource", computeNamespace+"/"+q.name+";0")
	return a
}
