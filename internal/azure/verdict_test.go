package azure

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"goldmint/emulator/arm"
	"goldmint/internal/armerr"
	"goldmint/internal/build"
	"goldmint/internal/event"
)

// finish plays a build to its end.
func finish(t *testing.T, s *arm.Server, a *ARM, b build.Build) event.Event {
	t.Helper()
	return play(t, s, a, b).end()
}

// played is the outcome of a build.
type played struct {
	events     []event.Event // published
	executions int           // of the function: messages that were handled
	looks      int           // at the operation
	took       time.Duration // its waits
}

func (p played) end() event.Event { return p.events[len(p.events)-1] }

// play runs a build: the state machine decides, and the real client acts on the local ARM, whose
// clock is turned to the time of each continuation. Every continuation goes through JSON.
func play(t *testing.T, s *arm.Server, a *ARM, b build.Build) (done played) {
	t.Helper()
	p := build.DefaultPolicy()
	p.HandOver = 0
	now := func() time.Time { return time.Now().Add(done.took) }
	done.executions = 1
	var seen build.Observation = build.Woken{}
	for range 5000 {
		var do build.Command
		var err error
		b, do = p.Step(b, seen, now())
		switch do.Verb {
		case build.Finish:
			return done
		case build.Publish:
			done.events = append(done.events, do.Event)
			seen = build.Published{}
		case build.Continue:
			done.executions++
			if do.Event.Type != "" {
				done.events = append(done.events, do.Event)
			}
			wait := max(do.At.Sub(now()), 0)
			s.FastForward(wait)
			done.took += wait
			text, _ := json.Marshal(b)
			b = build.Build{}
			if err := json.Unmarshal(text, &b); err != nil {
				t.Fatal(err)
			}
			seen = build.Woken{}
		case build.Look:
			seen, err = observation(a.Image(t.Context(), b.ImageID()))
		case build.Create:
			var accepted build.Accepted
			accepted, err = a.Create(t.Context(), b)
			accepted.Took = 0 // ARM's clock is ours, and it has begun before it answers
			seen = accepted
		case build.Watch:
			done.looks++
			seen, err = observation(a.Operation(t.Context(), b))
		case build.Delete:
			seen, err = build.Deleted{}, a.Delete(t.Context(), b.ImageID())
		}
		var refused *armerr.Error
		if errors.As(err, &refused) {
			seen = build.Errored{Verb: do.Verb, Err: refused}
		} else if err != nil {
			t.Fatal(err)
		}
	}
	t.Fatal("the build has no end")
	return played{}
}

func observation[T build.Observation](o T, err error) (build.Observation, error) { return o, err }

// when answers what the condition picks by the handler, at most so many times.
func when(times int, h http.HandlerFunc, picks func(*http.Request) bool) func(*http.Request) http.Handler {
	return func(r *http.Request) http.Handler {
		if times == 0 || !picks(r) {
			return nil
		}
		times--
		return h
	}
}

func answer(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func image(method string) func(*http.Request) bool {
	return func(r *http.Request) bool { return r.Method == method && strings.HasSuffix(r.URL.Path, "/images/img") }
}

func errorBody(code string) string {
	return fmt.Sprintf(`{"error":{"code":%q,"message":"in Azure's words"}}`, code)
}

// TestVerdicts: what Azure was recorded to do, or may do, between the request and its end, and the
// event that results.
func TestVerdicts(t *testing.T) {
	notFound := errorBody("ResourceNotFound")
	for name, c := range map[string]struct {
		ifExists  string
		intercept func(*http.Request) http.Handler
		want      string
		attempts  int
	}{
		"nothing odd": {want: event.Succeeded, attempts: 1},
		// The first GET finds nothing, and neither do the two after the operation has ended.
		"the image is seen late":                {intercept: when(3, answer(404, notFound), image("GET")), want: event.Succeeded, attempts: 1},
		"the image is gone":                     {intercept: when(-1, answer(404, notFound), image("GET")), want: "ImageVanished", attempts: 1},
		"404 without a code, twice":             {intercept: when(2, answer(404, "<html>"), image("GET")), want: event.Succeeded, attempts: 1},
		"404 without a code, always":            {intercept: when(-1, answer(404, "<html>"), image("GET")), want: "Http404"},
		"409 without a code, twice":             {intercept: when(2, answer(409, ""), image("PUT")), want: event.Succeeded, attempts: 1},
		"the subscription is not to be seen":    {intercept: when(3, answer(404, errorBody("SubscriptionNotFound")), image("GET")), want: event.Succeeded, attempts: 1},
		"the subscription is not there":         {intercept: when(-1, answer(404, errorBody("SubscriptionNotFound")), image("GET")), want: "SubscriptionNotFound"},
		"a lock on what is to be replaced":      {ifExists: "replace", intercept: when(-1, answer(409, errorBody("ScopeLocked")), image("DELETE")), want: "ScopeLocked"},
		"what is to be replaced has no age":     {ifExists: "replace", intercept: ageless, want: "ImageAgeUnknown"},
		"what is to be replaced, and it can be": {ifExists: "replace", want: event.Succeeded, attempts: 1},
	} {
		t.Run(name, func(t *testing.T) {
			s, a := start(t, arm.Options{Intercept: c.intercept})
			b := newBuild(t)
			if c.ifExists != "" {
				older := newBuild(t)
				older.Request.ID = "older"
				older.RequestedAt = older.RequestedAt.Add(-time.Hour)
				if _, err := a.Create(t.Context(), older); err != nil {
					t.Fatal(err)
				}
				s.FastForward(time.Minute)
				b.Request.IfExists, b.RequestedAt = "replace", time.Now().Add(30*time.Second)
			}
			end := finish(t, s, a, b)
			got := end.Type
			if end.Data.Error != nil {
				got = end.Data.Error.Code
			}
			if got != c.want || end.Data.Attempts != c.attempts {
				t.Errorf("%s after %d attempts, want %s after %d", got, end.Data.Attempts, c.want, c.attempts)
			}
		})
	}
}

// TestRetryLater: operations with these errors are tried again as often as BUILD_ATTEMPTS allows;
// others are not.
func TestRetryLater(t *testing.T) {
	for _, c := range []struct {
		code     string
		fails    int
		want     string
		attempts int
	}{
		{"DiskServiceInternalError", 1, event.Succeeded, 2},
		{"InternalDiskManagementError", 2, event.Succeeded, 3},
		{"InternalDiskManagementError", 3, event.Failed, 3},
		{"ImageBlobNotFound", 1, event.Failed, 1},
	} {
		var s *arm.Server
		var a *ARM
		fails, id := 0, newBuild(t).ImageID()
		s, a = start(t, arm.Options{Intercept: func(r *http.Request) http.Handler {
			if image("PUT")(r) && fails < c.fails {
				fails++
				s.FailNext(id, c.code, "in Azure's words")
			}
			return nil
		}})
		if end := finish(t, s, a, newBuild(t)); end.Type != c.want || end.Data.Attempts != c.attempts {
			t.Errorf("%s %d times: %s after %d attempts, want %s after %d", c.code, c.fails, end.Type, end.Data.Attempts, c.want, c.attempts)
		}
	}
}

// ageless removes the time of creation from the existing image, as before ARM had systemData.
func ageless(r *http.Request) http.Handler {
	if !image("GET")(r) {
		return nil
	}
	return answer(200, `{"name":"img","location":"westeurope","properties":{"provisioningState":"Succeeded"}}`)
}

// TestPutAnswered202: ARM has accepted the PUT. The client treats that as an error, but the build
// does not.
func TestPutAnswered202(t *testing.T) {
	var s *arm.Server
	var a *ARM
	s, a = start(t, arm.Options{Intercept: func(r *http.Request) http.Handler {
		if !image("PUT")(r) || r.Header.Get("Test") != "" {
			return nil
		}
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			again, _ := http.NewRequestWithContext(r.Context(), r.Method, s.Endpoint()+r.URL.RequestURI(), bytes.NewReader(body))
			again.Header = r.Header.Clone()
			again.Header.Set("Test", "again")
			if answered, err := http.DefaultClient.Do(again); err == nil {
				_ = answered.Body.Close()
			}
			w.WriteHeader(http.StatusAccepted)
		})
	}})
	if end := finish(t, s, a, newBuild(t)); end.Type != event.Succeeded || end.Data.Attempts != 1 {
		t.Errorf("%s after %d attempts: %+v", end.Type, end.Data.Attempts, end.Data.Error)
	}
}

// TestTagsTakenAway: an Azure Policy rewrites the image's tags while the build waits.
func TestTagsTakenAway(t *testing.T) {
	s, _ := start(t, arm.Options{})
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		onward, _ := http.NewRequestWithContext(r.Context(), r.Method, s.Endpoint()+r.URL.RequestURI(), bytes.NewReader(body))
		onward.Header = r.Header.Clone()
		answered, err := http.DefaultClient.Do(onward)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		defer func() { _ = answered.Body.Close() }()
		text, _ := io.ReadAll(answered.Body)
		if r.Method == http.MethodGet {
			text = bytes.ReplaceAll(text, []byte(build.TagBuildID), []byte("costcenter"))
			text = bytes.ReplaceAll(text, []byte(s.Endpoint()), []byte("http://"+r.Host))
		}
		for _, h := range []string{"Content-Type", "Date"} {
			w.Header().Set(h, answered.Header.Get(h))
		}
		w.Header().Set("Azure-AsyncOperation", strings.ReplaceAll(answered.Header.Get("Azure-AsyncOperation"), s.Endpoint(), "http://"+r.Host))
		w.WriteHeader(answered.StatusCode)
		_, _ = w.Write(text)
	}))
	defer front.Close()
	a, err := NewARM(front.URL, "https://management.azure.com", token("secret"), nil)
	if err != nil {
		t.Fatal(err)
	}
	end := finish(t, s, a, newBuild(t))
	if end.Data.Error == nil || end.Data.Error.Code != "ImageTagsChanged" {
		t.Errorf("%s %+v, want ImageTagsChanged", end.Type, end.Data.Error)
	}
}
