package arm_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"goldmint/emulator/arm"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"
)

// startImage puts an image and returns its operation's URL.
func startImage(t *testing.T, s *arm.Server) string {
	t.Helper()
	put := call(t, s, http.MethodPut, imageID+version, fromVM(vmID))
	if put.status != http.StatusCreated {
		t.Fatalf("%d %s", put.status, put.text)
	}
	return put.header.Get("Azure-AsyncOperation")
}

func get(t *testing.T, s *arm.Server, operation string) reply {
	t.Helper()
	return call(t, s, http.MethodGet, strings.TrimPrefix(operation, s.Endpoint()), "")
}

// TestDurations: an image takes what Azure took for its source, or what the options say.
func TestDurations(t *testing.T) {
	managed, blob := fromDisk(`"snapshot":{"id":"`+snapshotID+`"}`), fromDisk(blobSource)
	for _, tt := range []struct {
		name    string
		options arm.Options
		body    string
		ends    time.Duration
	}{
		{"from a snapshot", arm.Options{}, managed, arm.RecordedTick},
		{"from a VM", arm.Options{}, fromVM(vmID), arm.RecordedTick},
		{"from a blob", arm.Options{}, blob, 2 * arm.RecordedTick},
		{"at double speed", arm.Options{Speed: 2}, blob, arm.RecordedTick},
		{"as said", arm.Options{ImageDuration: 50 * time.Second}, blob, 50 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := prepared(t, tt.options)
			put := call(t, s, http.MethodPut, imageID+version, tt.body)
			operation := put.header.Get("Azure-AsyncOperation")
			s.FastForward(tt.ends - tt.ends/20)
			if got := get(t, s, operation).json(t); got["status"] != "InProgress" || got["endTime"] != nil {
				t.Errorf("just before: %v", got)
			}
			s.FastForward(tt.ends / 20)
			got := get(t, s, operation).json(t)
			if got["status"] != "Succeeded" {
				t.Fatalf("after %s: %v", tt.ends, got)
			}
			if took := when(t, got["endTime"]).Sub(when(t, got["startTime"])); took != tt.ends {
				t.Errorf("took %s, want %s", took, tt.ends)
			}
		})
	}
}

// TestRecordedLatency: from managed disks the PUT answers within a second, from blobs after more
// than five.
func TestRecordedLatency(t *testing.T) {
	for _, tt := range []struct {
		name, body    string
		least, within time.Duration
	}{
		{"from a VM", fromVM(vmID), 250 * time.Millisecond, time.Second},
		{"from a blob", fromDisk(blobSource), 4 * time.Second, 7 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := prepared(t, arm.Options{PutLatency: arm.RecordedLatency})
			answered := make(chan reply, 1)
			request := newRequest(t, http.MethodPut, s.Endpoint()+imageID+version, tt.body)
			began := s.Now()
			go func() { answered <- send(t, s, request) }()
			waitFor(t, func() bool { return s.Images() == 1 })
			s.FastForward(tt.within)
			got := <-answered
			if got.status != http.StatusCreated || s.Now().Sub(began) < tt.least {
				t.Errorf("%d %s", got.status, got.text)
			}
		})
	}
}

func when(t *testing.T, v any) time.Time {
	t.Helper()
	text, _ := v.(string)
	if !regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{0,6}[1-9])?\+00:00$`).MatchString(text) {
		t.Errorf("time %q is not as recorded", text)
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func TestOperationURLIsSigned(t *testing.T) {
	s := prepared(t, arm.Options{})
	operation := startImage(t, s)
	if len(operation) < 3200 || len(operation) > 3500 {
		t.Errorf("the URL has %d characters, Azure's have about 3.3 KB", len(operation))
	}
	u, err := url.Parse(operation)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	if len(q.Get("t")) != 18 || len(q.Get("c")) != 2800 || len(q.Get("s")) != 342 || len(q.Get("h")) != 43 || len(q.Get("p")) != 36 {
		t.Errorf("parameters of %d, %d, %d, %d, %d characters", len(q.Get("t")), len(q.Get("c")), len(q.Get("s")), len(q.Get("h")), len(q.Get("p")))
	}
	u.RawQuery = q.Encode()
	if got := get(t, s, u.String()); got.status != http.StatusOK {
		t.Errorf("with its parameters in another order: %d %s", got.status, got.text)
	}
	for _, change := range []func(*url.URL, url.Values){
		func(_ *url.URL, q url.Values) { q.Set("api-version", "2021-11-01") },
		func(_ *url.URL, q url.Values) { q.Set("t", "639125061779071281") },
		func(_ *url.URL, q url.Values) { q.Set("c", q.Get("c")[1:]) },
		func(_ *url.URL, q url.Values) { q.Set("s", strings.Repeat("S", 342)) },
		func(_ *url.URL, q url.Values) { q.Set("h", strings.Repeat("H", 43)) },
		func(_ *url.URL, q url.Values) { q.Del("h") },
		func(_ *url.URL, q url.Values) { q.Set("more", "1") },
		func(u *url.URL, _ url.Values) { u.Path = strings.Replace(u.Path, subscription, newSubscription, 1) },
	} {
		changed, q := *u, u.Query()
		change(&changed, q)
		changed.RawQuery = q.Encode()
		get(t, s, changed.String()).refused(t, http.StatusForbidden, "AuthorizationFailed", "signature")
	}
}

const newSubscription = "99999999-2222-3333-4444-555555555555"

func TestOperationIDIsTheRequests(t *testing.T) {
	s := prepared(t, arm.Options{})
	put := call(t, s, http.MethodPut, imageID+version, fromVM(vmID))
	id := put.header.Get("x-ms-request-id")
	if !strings.Contains(put.header.Get("Azure-AsyncOperation"), "/locations/westeurope/operations/"+id+"?p=") {
		t.Errorf("request %s has the operation %s", id, put.header.Get("Azure-AsyncOperation"))
	}
}

func TestDeletionHasALocationToo(t *testing.T) {
	s := prepared(t, arm.Options{})
	startImage(t, s)
	s.FastForward(arm.RecordedTick)
	deletion := call(t, s, http.MethodDelete, imageID+version, "")
	location := deletion.header.Get("Location")
	if deletion.status != http.StatusAccepted || deletion.text != "" || !strings.Contains(location, "&monitor=true&") {
		t.Fatalf("%d %q, Location %s", deletion.status, deletion.text, location)
	}
	if got := get(t, s, location); got.status != http.StatusAccepted || got.text != "" {
		t.Errorf("meanwhile its Location answers %d %q", got.status, got.text)
	}
	s.FastForward(arm.RecordedTick)
	if got := get(t, s, location); got.status != http.StatusOK || got.text != "" {
		t.Errorf("at the end its Location answers %d %q", got.status, got.text)
	}
	if got := call(t, s, http.MethodDelete, imageID+version, ""); got.status != http.StatusNoContent {
		t.Errorf("deleting what is not there: %d", got.status)
	}
}

func TestDeletionPreemptsCreation(t *testing.T) {
	s := prepared(t, arm.Options{ImageDuration: time.Hour})
	operation := startImage(t, s)
	if got := call(t, s, http.MethodDelete, imageID+version, ""); got.status != http.StatusAccepted {
		t.Fatalf("%d %s", got.status, got.text)
	}
	got := get(t, s, operation).json(t)
	if got["status"] != "Failed" || got["error"].(map[string]any)["code"] != "OperationPreempted" {
		t.Errorf("creation %v", got)
	}
	call(t, s, http.MethodPut, imageID+version, fromVM(vmID)).refused(t, 409, "OperationNotAllowed", "marked for deletion")
	s.FastForward(time.Hour)
	if s.Images() != 0 {
		t.Error("the image came back")
	}
}

func TestResumeToken(t *testing.T) {
	s := prepared(t, arm.Options{})
	images := clients(t, s).NewImagesClient()
	poller, err := images.BeginCreateOrUpdate(t.Context(), group, "golden", imageOf(vmID), nil)
	if err != nil {
		t.Fatal(err)
	}
	token, err := poller.ResumeToken()
	if err != nil || len(token) < 3300 || len(token) > 4500 {
		t.Fatalf("a token of %d characters, %v", len(token), err)
	}
	s.FastForward(arm.RecordedTick)
	resumed, err := images.BeginCreateOrUpdate(t.Context(), group, "golden", imageOf(vmID), &armcompute.ImagesClientBeginCreateOrUpdateOptions{ResumeToken: token})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := resumed.Poll(t.Context()); err != nil || !resumed.Done() {
		t.Fatalf("done %t, %v", resumed.Done(), err)
	}
	if got, err := resumed.Result(t.Context()); err != nil || *got.Properties.ProvisioningState != "Succeeded" {
		t.Errorf("%+v, %v", got.Properties, err)
	}
}

func TestFailNext(t *testing.T) {
	s := prepared(t, arm.Options{})
	s.FailNext(imageID, "InternalExecutionError", "An internal execution error occurred.")
	images := clients(t, s).NewImagesClient()
	poller, err := images.BeginCreateOrUpdate(t.Context(), group, "golden", imageOf(vmID), nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = finish(t, s, poller)
	if c, status := code(t, err); c != "InternalExecutionError" || status != http.StatusOK {
		t.Errorf("%s, %d", c, status)
	}
}

// The effect of a PUT is there while its caller still waits for the answer, and the operation ends
// after it.
func TestPutLatency(t *testing.T) {
	s := prepared(t, arm.Options{PutLatency: time.Hour, ImageDuration: time.Hour + 7*time.Minute})
	answered := make(chan reply)
	request := newRequest(t, http.MethodPut, s.Endpoint()+imageID+version, fromVM(vmID))
	go func() { answered <- send(t, s, request) }()
	waitFor(t, func() bool { return s.Images() == 1 })
	select {
	case r := <-answered:
		t.Fatalf("answered early: %d", r.status)
	default:
	}
	s.FastForward(time.Hour)
	put := <-answered
	if put.status != http.StatusCreated || !strings.Contains(put.text, `"Creating"`) {
		t.Errorf("%d %s", put.status, put.text)
	}
	if got := get(t, s, put.header.Get("Azure-AsyncOperation")).json(t); got["status"] != "InProgress" {
		t.Errorf("operation %v", got)
	}
	s.FastForward(7 * time.Minute)
	if got := get(t, s, put.header.Get("Azure-AsyncOperation")).json(t); got["status"] != "Succeeded" {
		t.Errorf("operation %v", got)
	}
}

// waitFor polls a condition, giving way to others in between, until it holds or the test is out of
// time.
func waitFor(t *testing.T, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-t.Context().Done():
			t.Fatal("gave up waiting")
		}
	}
}

func TestOperationsEndByThemselves(t *testing.T) {
	ended := make(chan arm.Action, 1)
	s := arm.Start(t, arm.Options{ActionDuration: time.Millisecond, OnAction: func(a arm.Action) { ended <- a }})
	s.PutVM(arm.VM{ID: vmID, Location: "westeurope"})
	if got := call(t, s, http.MethodPost, vmID+"/deallocate"+version, ""); got.status != http.StatusAccepted {
		t.Fatalf("%d %s", got.status, got.text)
	}
	if a := <-ended; a.Status != "Succeeded" || !a.Ended.After(a.Started) {
		t.Errorf("%+v", a)
	}
}
