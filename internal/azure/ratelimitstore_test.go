package azure

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	azblobkey "github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/google/uuid"

	"goldmint/emulator/blob"
	"goldmint/internal/ratelimit"
)

// fixedToken is a credential whose token the emulator knows.
type fixedToken string

func (f fixedToken) GetToken(_ context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	if len(o.Scopes) != 1 || o.Scopes[0] != "https://storage.azure.com/.default" {
		return azcore.AccessToken{}, errors.New("a token for another service is asked for")
	}
	return azcore.AccessToken{Token: string(f), ExpiresOn: time.Now().Add(time.Hour)}, nil
}

func blobStore(t *testing.T) (*RateLimitStore, *blob.Server) {
	t.Helper()
	server := blob.Start(t, blob.Options{Authorize: func(token string) bool { return token == "good" }})
	store, err := NewRateLimitStore(server.CreateContainer("ratelimit"), fixedToken("good"), nil)
	if err != nil {
		t.Fatal(err)
	}
	return store, server
}

// TestRateLimitStore checks what the limiter needs of the store, with the local blob storage.
func TestRateLimitStore(t *testing.T) {
	store, _ := blobStore(t)
	holdStore(t, store)
}

// TestRateLimitStoreAtAzurite checks the same with Microsoft's emulator: interop/azurite.sh starts
// it.
func TestRateLimitStoreAtAzurite(t *testing.T) {
	at := os.Getenv("AZURITE_CONTAINER")
	if at == "" {
		t.Skip("AZURITE_CONTAINER is not set: interop/azurite.sh starts Azurite and sets it")
	}
	u, err := url.Parse(at)
	if err != nil {
		t.Fatal(err)
	}
	// Azurite's well-known key: it takes tokens over TLS only.
	credential, err := azblobkey.NewSharedKeyCredential("devstoreaccount1", "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==")
	if err != nil {
		t.Fatal(err)
	}
	c, err := container.NewClientWithSharedKeyCredential(at, credential, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Create(context.Background(), nil); err != nil {
		t.Fatal(err)
	}
	holdStore(t, &RateLimitStore{at, func(url string) (*blockblob.Client, error) {
		return blockblob.NewClientWithSharedKeyCredential(url, credential, rateLimitOptions(u, nil))
	}})
}

func holdStore(t *testing.T, s *RateLimitStore) {
	t.Helper()
	ctx, name := context.Background(), "images/"+uuid.NewString()+"/westeurope"
	body, etag, now, err := s.Load(ctx, name)
	if body != nil || etag != "" || err != nil || time.Since(now).Abs() > time.Minute {
		t.Fatalf("a document that is not there: %q, %q at %s, %v", body, etag, now, err)
	}
	hold := func(what string, err, want error) {
		t.Helper()
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
	}
	hold("create", s.Swap(ctx, name, []byte(`{"next":1}`), ""), nil)
	hold("create what is there", s.Swap(ctx, name, []byte(`{}`), ""), ratelimit.ErrConflict)
	body, etag, now, err = s.Load(ctx, name)
	if string(body) != `{"next":1}` || etag == "" || err != nil || time.Since(now).Abs() > time.Minute {
		t.Fatalf("%q, %q at %s, %v", body, etag, now, err)
	}
	hold("replace", s.Swap(ctx, name, []byte(`{"next":2}`), etag), nil)
	hold("replace what has changed", s.Swap(ctx, name, []byte(`{"next":3}`), etag), ratelimit.ErrConflict)
	hold("replace what is not there", s.Swap(ctx, name+"x", []byte(`{}`), etag), ratelimit.ErrConflict)
	if body, _, _, _ = s.Load(ctx, name); string(body) != `{"next":2}` {
		t.Errorf("the document is %q", body)
	}
}

// TestRateLimitStoreFails: each fault is an error after which the limiter can continue, and never a
// conflict.
func TestRateLimitStoreFails(t *testing.T) {
	for name, f := range map[string]blob.Faults{
		"unreachable": {Unreachable: true}, "denied": {Denied: true}, "slow": {Delay: time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			store, server := blobStore(t)
			server.SetFaults(f)
			ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
			defer cancel()
			if _, _, _, err := store.Load(ctx, "r"); err == nil || errors.Is(err, ratelimit.ErrConflict) {
				t.Errorf("load: %v", err)
			}
			if err := store.Swap(ctx, "r", nil, ""); err == nil || errors.Is(err, ratelimit.ErrConflict) {
				t.Errorf("swap: %v", err)
			}
		})
	}
	store, err := NewRateLimitStore(blob.Start(t, blob.Options{}).Endpoint()+"/absent", fixedToken("any"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := store.Load(context.Background(), "r"); err == nil || !strings.Contains(err.Error(), "ContainerNotFound") {
		t.Errorf("a container that is not there: %v", err)
	}
}

// TestRateLimitsUnderFaults: many instances share one document through a storage that loses
// answers. Every build gets its number, and none is counted twice.
func TestRateLimitsUnderFaults(t *testing.T) {
	store, server := blobStore(t)
	server.SetFaults(blob.Faults{Seed: 1, Lost: 0.1, Delay: time.Millisecond})
	var wg sync.WaitGroup
	var mu sync.Mutex
	went, numbers := 0, map[int]bool{}
	for range 4 {
		l := &ratelimit.Limiter{Store: store, Now: time.Now, Pause: func(ctx context.Context, d time.Duration) error {
			select {
			case <-time.After(d):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}}
		for range 16 {
			wg.Go(func() {
				turn := l.Ask(context.Background(), "images/sub/region", 0)
				mu.Lock()
				defer mu.Unlock()
				numbers[turn.Number] = true
				if turn.Wait == 0 {
					went++
				}
			})
		}
	}
	wg.Wait()
	if len(numbers) != 64 || went != 6 {
		t.Errorf("%d numbers for 64 builds, %d went of 6", len(numbers), went)
	}
}

// TestBuildsGoOnWhateverTheStoreDoes: with each fault of the storage and each damaged document,
// builds continue with what is known. One warning is reported while the store cannot be used.
// Afterwards the document has all builds.
func TestBuildsGoOnWhateverTheStoreDoes(t *testing.T) {
	const document = "images/sub/region"
	for name, c := range map[string]struct {
		faults  blob.Faults
		spoil   func(*blob.Server)
		reports int
	}{
		"unreachable": {faults: blob.Faults{Unreachable: true}, reports: 2},
		"denied":      {faults: blob.Faults{Denied: true}, reports: 2},
		"slow":        {faults: blob.Faults{Delay: time.Hour}, reports: 2},
		"stale":       {faults: blob.Faults{Stale: 1, Seed: 1}},
		"lost":        {faults: blob.Faults{Lost: 0.5, Seed: 1}},
		"deleted":     {spoil: func(s *blob.Server) { s.Delete("ratelimit", document+".json") }},
		"garbage":     {spoil: func(s *blob.Server) { s.Put("ratelimit", document+".json", []byte("<html>")) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, server := blobStore(t)
			now, reports := time.Now(), []error{}
			l := &ratelimit.Limiter{
				Store: store, Now: func() time.Time { return now }, Pause: func(context.Context, time.Duration) error { return nil },
				Report: func(_ string, err error) { reports = append(reports, err) },
			}
			ask := func() {
				if turn := l.Ask(context.Background(), document, 0); turn.Wait > 0 {
					t.Errorf("a build has to wait for %s", turn.Wait)
				}
			}
			ask()
			server.SetFaults(c.faults)
			if c.spoil != nil {
				c.spoil(server)
			}
			ask()
			ask()
			server.SetFaults(blob.Faults{})
			now = now.Add(time.Minute)
			ask()
			var shared struct{ Starts []int64 }
			body, _ := server.Blob("ratelimit", document+".json")
			if err := json.Unmarshal(body, &shared); err != nil || len(shared.Starts) != 4 {
				t.Errorf("the document has %d of four creations: %s", len(shared.Starts), body)
			}
			stale := name == "stale" && len(reports) == 0 // it conflicts until the budget is used up, which is not a failure of the store
			if len(reports) != c.reports && !stale || c.reports == 2 && (reports[0] == nil || reports[1] != nil) {
				t.Errorf("reported %v", reports)
			}
		})
	}
}

func TestRateLimitTokenStaysAtItsHost(t *testing.T) {
	elsewhere := 0
	transport := &http.Client{Transport: transportFunc(func(r *http.Request) (*http.Response, error) {
		if r.URL.Host != "account.blob.core.windows.net" {
			elsewhere++
		}
		return &http.Response{StatusCode: http.StatusTemporaryRedirect, Header: http.Header{"Location": {"https://elsewhere.example/"}}, Body: http.NoBody, Request: r}, nil
	})}
	store, err := NewRateLimitStore("https://account.blob.core.windows.net/ratelimit", fixedToken("secret"), transport)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := store.Load(context.Background(), "r"); err == nil || elsewhere > 0 {
		t.Errorf("%v, %d requests left for another host", err, elsewhere)
	}
}

type transportFunc func(*http.Request) (*http.Response, error)

func (f transportFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
