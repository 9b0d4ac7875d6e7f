package azure

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"

	"goldmint/internal/ratelimit"
)

// RateLimitStore stores the documents of the rate limits as blobs in one container.
type RateLimitStore struct {
	container string
	open      func(url string) (*blockblob.Client, error)
}

// maxDocument is more than the largest document has: 2,000 creations and 100,000 waiting builds.
const maxDocument = 1 << 20

// NewRateLimitStore takes the container's URL, such as
// https://account.blob.core.windows.net/ratelimit. Plain http is for a loopback address. The
// credential's token is sent only to that host.
func NewRateLimitStore(container string, credential azcore.TokenCredential, transport *http.Client) (*RateLimitStore, error) {
	u, err := url.Parse(container)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("the container of the rate limits, %q, is not a URL", container)
	}
	options := rateLimitOptions(u, transport)
	return &RateLimitStore{strings.TrimSuffix(container, "/"), func(url string) (*blockblob.Client, error) {
		return blockblob.NewClient(url, credential, options)
	}}, nil
}

func rateLimitOptions(u *url.URL, transport *http.Client) *blockblob.ClientOptions {
	if transport == nil {
		transport = &http.Client{}
	}
	client := *transport
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &blockblob.ClientOptions{ClientOptions: policy.ClientOptions{
		InsecureAllowCredentialWithHTTP: u.Scheme == "http",
		PerCallPolicies:                 []policy.Policy{onlyTo(u)},
		Retry:                           policy.RetryOptions{MaxRetries: -1}, // the limiter decides when to try again
		Telemetry:                       policy.TelemetryOptions{ApplicationID: "goldmint"},
		Transport:                       &client,
	}}
}

func (s *RateLimitStore) blob(name string) (*blockblob.Client, error) {
	return s.open(s.container + "/" + name + ".json")
}

// Load implements ratelimit.Store. The time is the answer's Date header.
func (s *RateLimitStore) Load(ctx context.Context, name string) (body []byte, etag string, now time.Time, err error) {
	c, err := s.blob(name)
	if err != nil {
		return nil, "", time.Time{}, err
	}
	var answer *http.Response
	got, err := c.DownloadStream(policy.WithCaptureResponse(ctx, &answer), nil)
	if bloberror.HasCode(err, bloberror.BlobNotFound) {
		return nil, "", clockOf(answer), nil
	}
	if err != nil {
		return nil, "", time.Time{}, fmt.Errorf("read the rate limit %s: %w", name, err)
	}
	defer func() { _ = got.Body.Close() }()
	body, err = io.ReadAll(io.LimitReader(got.Body, maxDocument))
	switch {
	case err != nil:
		return nil, "", time.Time{}, fmt.Errorf("read the rate limit %s: %w", name, err)
	case got.ETag == nil:
		return nil, "", time.Time{}, errors.New("the store gave a rate limit without an ETag")
	}
	return body, string(*got.ETag), clockOf(answer), nil
}

// clockOf is the time in the answer's Date header, or this process's time without one.
func clockOf(answer *http.Response) time.Time {
	if now := date(answer); !now.IsZero() {
		return now
	}
	return time.Now()
}

// Swap implements ratelimit.Store.
func (s *RateLimitStore) Swap(ctx context.Context, name string, body []byte, etag string) error {
	c, err := s.blob(name)
	if err != nil {
		return err
	}
	condition := &blob.ModifiedAccessConditions{IfMatch: to.Ptr(azcore.ETag(etag))}
	if etag == "" {
		condition = &blob.ModifiedAccessConditions{IfNoneMatch: to.Ptr(azcore.ETagAny)}
	}
	_, err = c.Upload(ctx, streaming.NopCloser(bytes.NewReader(body)), &blockblob.UploadOptions{
		HTTPHeaders:      &blob.HTTPHeaders{BlobContentType: to.Ptr("application/json")},
		AccessConditions: &blob.AccessConditions{ModifiedAccessConditions: condition},
	})
	if bloberror.HasCode(err, bloberror.ConditionNotMet, bloberror.BlobAlreadyExists) {
		return ratelimit.ErrConflict
	}
	if err != nil {
		return fmt.Errorf("write the rate limit %s: %w", name, err)
	}
	return nil
}
