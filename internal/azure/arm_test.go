package azure

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"

	"goldmint/emulator/arm"
	"goldmint/internal/armerr"
	"goldmint/internal/build"
	"goldmint/internal/request"
)

const (
	subscription = "11111111-1111-1111-1111-111111111111"
	vm           = "/subscriptions/" + subscription + "/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/vm"
)

// token is a credential that returns a fixed token.
type token string

func (t token) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: string(t), ExpiresOn: time.Now().Add(time.Hour)}, nil
}

func newBuild(t *testing.T) build.Build {
	t.Helper()
	r, err := request.Decode([]byte(`{"id":"b","subscriptionId":"` + subscription + `","resourceGroup":"rg","name":"img","image":
		{"location":"westeurope","tags":{"team":"web"},"properties":{"sourceVirtualMachine":{"id":"` + vm + `"}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	return build.New(r, "", time.Now())
}

func start(t *testing.T, o arm.Options) (*arm.Server, *ARM) {
	t.Helper()
	s := arm.Start(t, o)
	s.PutVM(arm.VM{ID: vm, Location: "westeurope", Power: arm.Deallocated, Generalized: true, HyperVGeneration: "V2"})
	a, err := NewARM(s.Endpoint(), "https://management.azure.com", token("secret"), nil)
	if err != nil {
		t.Fatal(err)
	}
	return s, a
}

// TestCreateWatchLookDelete makes and deletes one image with the real client.
func TestCreateWatchLookDelete(t *testing.T) {
	s, a := start(t, arm.Options{})
	ctx, b := t.Context(), newBuild(t)

	if i, err := a.Image(ctx, b.ImageID()); err != nil || i.Exists {
		t.Fatalf("before: %+v, %v", i, err)
	}
	accepted, err := a.Create(ctx, b)
	if err != nil || accepted.Token == "" || accepted.Date.IsZero() {
		t.Fatalf("create: %+v, %v", accepted, err)
	}
	b.Attempt.Token = accepted.Token
	op, err := a.Operation(ctx, b)
	if err != nil || op.Status != "InProgress" || op.StartedAt.IsZero() || op.Date.IsZero() {
		t.Fatalf("operation at once: %+v, %v", op, err)
	}
	i, err := a.Image(ctx, b.ImageID())
	if err != nil || i.State != "Creating" || i.BuildTag != b.Tag() || !i.RequestedAt.Equal(b.RequestedAt) {
		t.Fatalf("image at once: %+v, %v", i, err)
	}
	s.FastForward(time.Minute)
	if op, err = a.Operation(ctx, b); err != nil || op.Status != "Succeeded" {
		t.Fatalf("operation after a minute: %+v, %v", op, err)
	}
	i, err = a.Image(ctx, b.ImageID())
	if err != nil || i.State != "Succeeded" || i.HyperVGeneration != "V2" || !strings.EqualFold(i.ID, b.ImageID()) {
		t.Fatalf("image after a minute: %+v, %v", i, err)
	}
	if err := a.Delete(ctx, b.ImageID()); err != nil {
		t.Fatal(err)
	}
	s.FastForward(time.Minute)
	if err := a.Delete(ctx, b.ImageID()); err != nil {
		t.Errorf("deleting what is gone: %v", err)
	}
}

// TestErrorsKeepWhatARMSays: they keep code, message, details and Retry-After. The client retries
// nothing by itself.
func TestErrorsKeepWhatARMSays(t *testing.T) {
	s, a := start(t, arm.Options{Limits: arm.Windows(1, 10)})
	b := newBuild(t)
	accepted, err := a.Create(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	if left := accepted.Left; len(left) != 2 || left[0].Name != "CreateImages3Min" || left[0].Remaining != 0 || left[1].Remaining != 9 {
		t.Errorf("accepted, left %+v, want what the header says", left)
	}
	before := len(s.Calls())
	second := b
	second.Request.Name = "img2"
	_, err = a.Create(t.Context(), second)
	var e *armerr.Error
	if !errors.As(err, &e) || e.Status != http.StatusTooManyRequests || e.RetryAfter <= 0 || len(e.Left) != 1 || e.Class() != armerr.Throttled {
		t.Errorf("throttled: %v (%+v)", err, e)
	}
	if n := len(s.Calls()) - before; n != 2 { // the source is read first
		t.Errorf("a throttled call was sent %d times, want once", n-1)
	}

	blob := newBuild(t)
	blob.Request.Name = "img3"
	blob.Request.Image.Properties.SourceVirtualMachine.ID = ptr(vm + "-missing")
	s.FastForward(time.Hour)
	_, err = a.Create(t.Context(), blob)
	if !errors.As(err, &e) || e.Code != "NotFound" || e.Message == "" {
		t.Errorf("missing source: %v", err)
	}
}

// TestFailedOperation: its error is kept whole.
func TestFailedOperation(t *testing.T) {
	s, a := start(t, arm.Options{})
	b := newBuild(t)
	s.FailNext(b.ImageID(), "ImageBlobNotFound", "Unable to find VHD blob.")
	accepted, err := a.Create(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	s.FastForward(time.Minute)
	b.Attempt.Token = accepted.Token
	op, err := a.Operation(t.Context(), b)
	if err != nil || op.Status != "Failed" || op.Err == nil || op.Err.Code != "ImageBlobNotFound" || op.Err.Status != http.StatusOK {
		t.Errorf("operation %+v, error %+v, %v", op, op.Err, err)
	}
}

// TestOperationThatSaysNothing: an answer without an operation is not a transient error. ARM was
// recorded to return one when a token was 20 minutes old. Then the image shows the outcome.
func TestOperationThatSaysNothing(t *testing.T) {
	for _, body := range []string{`{}`, `{"status":""}`, `{"status":null,"name":"x"}`, `{"properties":{}}`, ``, `null`, `[]`, `<html>`} {
		_, a := start(t, arm.Options{Intercept: func(r *http.Request) http.Handler {
			if !strings.Contains(r.URL.Path, "/operations/") {
				return nil
			}
			return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) })
		}})
		b := newBuild(t)
		accepted, err := a.Create(t.Context(), b)
		if err != nil {
			t.Fatal(err)
		}
		b.Attempt.Token = accepted.Token
		if op, err := a.Operation(t.Context(), b); err != nil || op.Status != "" {
			t.Errorf("answer %q: %+v, %v; want an operation that cannot be seen", body, op, err)
		}
	}
}

// TestNoTokenLeavesARM: crafted resume tokens never bring a request, let alone a bearer token, to
// another host, another subscription or another image; one in a terminal state does not bring the
// process down.
func TestNoTokenLeavesARM(t *testing.T) {
	var strangers int
	stranger := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { strangers++ }))
	defer stranger.Close()
	s, a := start(t, arm.Options{})
	b := newBuild(t)
	accepted, err := a.Create(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	calls := len(s.Calls())
	other := strings.ReplaceAll(subscription, "1", "2")
	for name, change := range map[string]func(map[string]any){
		"foreign operation":  func(t map[string]any) { t["asyncURL"] = stranger.URL + path(t["asyncURL"]) },
		"foreign image":      func(t map[string]any) { t["origURL"] = stranger.URL + path(t["origURL"]) },
		"foreign location":   func(t map[string]any) { t["locURL"] = stranger.URL + path(t["asyncURL"]) },
		"location elsewhere": func(t map[string]any) { t["locURL"] = t["origURL"] },
		"user in the URL":    func(t map[string]any) { t["asyncURL"] = strings.Replace(t["asyncURL"].(string), "://", "://x@", 1) },
		"foreign subscription": func(t map[string]any) {
			t["asyncURL"] = strings.Replace(t["asyncURL"].(string), subscription, other, 1)
		},
		"climbing path": func(t map[string]any) {
			t["asyncURL"] = strings.Replace(t["asyncURL"].(string), "/operations/", "/operations/..%2f..%2f", 1)
		},
		"another image": func(t map[string]any) {
			t["origURL"] = strings.Replace(t["origURL"].(string), "/images/img", "/images/img9", 1)
		},
		"escaped operation": func(t map[string]any) {
			t["asyncURL"] = strings.Replace(t["asyncURL"].(string), "/operations/", "/%6fperations/", 1)
		},
		"escaped image": func(t map[string]any) {
			t["origURL"] = strings.Replace(t["origURL"].(string), "/images/img", "/images/im%67", 1)
		},
		"fragment":        func(t map[string]any) { t["asyncURL"] = t["asyncURL"].(string) + "#x" },
		"image of a user": func(t map[string]any) { t["origURL"] = strings.Replace(t["origURL"].(string), "://", "://x@", 1) },
		"another method":  func(t map[string]any) { t["method"] = "DELETE" },
		"succeeded":       func(t map[string]any) { t["state"] = "Succeeded" },
		"failed":          func(t map[string]any) { t["state"] = "Failed" },
		"no state":        func(t map[string]any) { t["state"] = "" },
		"fake poller":     func(t map[string]any) { t["fakeURL"] = stranger.URL },
	} {
		forged := b
		forged.Attempt.Token = crafted(t, accepted.Token, change)
		op, err := a.Operation(t.Context(), forged)
		if err != nil || op.Status != "" {
			t.Errorf("%s: %+v, %v; want an operation that cannot be seen", name, op, err)
		}
	}
	for _, raw := range []string{"", "{", "null", `{"token":{"pollURL":"` + stranger.URL + `","type":"loc"}}`, `{"type":"x","token":{"oplocURL":"` + stranger.URL + `"}}`} {
		forged := b
		forged.Attempt.Token = raw
		if op, err := a.Operation(t.Context(), forged); err != nil || op.Status != "" {
			t.Errorf("token %q: %+v, %v", raw, op, err)
		}
	}
	if strangers > 0 || len(s.Calls()) != calls {
		t.Errorf("%d requests reached the stranger, %d reached ARM; want none", strangers, len(s.Calls())-calls)
	}
	for name, change := range map[string]func(map[string]any){ // real tokens work, so the refusals above are not accidental
		"the real token":    func(map[string]any) {},
		"one with Location": func(t map[string]any) { t["locURL"] = t["asyncURL"].(string) + "&monitor=true" },
	} {
		b.Attempt.Token = crafted(t, accepted.Token, change)
		if op, err := a.Operation(t.Context(), b); err != nil || op.Status == "" {
			t.Errorf("%s: %+v, %v", name, op, err)
		}
	}
}

// TestGuardRefusesOtherHosts: the pipeline itself refuses them, even after a wrong token has passed
// its check.
func TestGuardRefusesOtherHosts(t *testing.T) {
	endpoint, _ := url.Parse("https://management.azure.com")
	g := onlyTo(endpoint)
	for _, u := range []string{"https://evil.example/", "http://management.azure.com/", "https://management.azure.com:444/", "https://management.azure.com.evil.example/", "https://user:password@management.azure.com/"} {
		req, err := runtime.NewRequest(t.Context(), http.MethodGet, u)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := g.Do(req); !errors.Is(err, errForeignHost) {
			t.Errorf("%s: %v, want a refusal", u, err)
		}
	}
}

// TestRedirectsAreNotFollowed: ARM's own answer cannot send the token elsewhere either.
func TestRedirectsAreNotFollowed(t *testing.T) {
	strangers := 0
	stranger := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { strangers++ }))
	defer stranger.Close()
	front := httptest.NewServer(http.RedirectHandler(stranger.URL, http.StatusTemporaryRedirect))
	defer front.Close()
	a, err := NewARM(front.URL, "https://management.azure.com", token("secret"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Image(t.Context(), newBuild(t).ImageID()); err == nil || strangers > 0 {
		t.Errorf("error %v, %d requests at the stranger", err, strangers)
	}
}

// TestUnreachable: no answer is an error that can be retried and does not contain the URL.
func TestUnreachable(t *testing.T) {
	closed := httptest.NewServer(nil)
	closed.Close()
	a, err := NewARM(closed.URL, "https://management.azure.com", token("secret"), nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = a.Image(t.Context(), newBuild(t).ImageID())
	var e *armerr.Error
	if !errors.As(err, &e) || e.Class() != armerr.Transient || strings.Contains(e.Message, "http") {
		t.Errorf("%v", err)
	}
}

func crafted(t *testing.T, real string, change func(map[string]any)) string {
	t.Helper()
	var outer map[string]any
	if err := json.Unmarshal([]byte(real), &outer); err != nil {
		t.Fatal(err)
	}
	change(outer["token"].(map[string]any))
	text, err := json.Marshal(outer)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func path(u any) string {
	parsed, err := url.Parse(u.(string))
	if err != nil {
		return ""
	}
	return parsed.RequestURI()
}

func ptr[T any](v T) *T { return &v }
