// Package catalog reads, deletes and promotes image versions and managed images in Azure, with the
// caller's own rights.
package catalog

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"

	"goldmint/cmd/goldmint/internal/retention"
)

// Record is an item with details that only people need.
type Record struct {
	retention.Item
	Location string
	Source   string // id of what it was made from
	SizeGB   int32  // 0: ARM does not say
}

// Azure is Resource Manager in one subscription.
type Azure struct {
	clock    *clock
	versions *armcompute.GalleryImageVersionsClient
	images   *armcompute.ImagesClient
	machines *armcompute.VirtualMachinesClient
	sets     *armcompute.VirtualMachineScaleSetsClient
}

// New takes Resource Manager's endpoint and the audience of its tokens. Plain http is for loopback
// only.
func New(subscription, endpoint, audience string, credential azcore.TokenCredential) (*Azure, error) {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("the Resource Manager endpoint %q is not a URL", endpoint)
	}
	if ip := net.ParseIP(u.Hostname()); u.Scheme != "https" && (ip == nil || !ip.IsLoopback()) {
		return nil, fmt.Errorf("the Resource Manager endpoint %q is not https: a token would travel in the open", endpoint)
	}
	clock := &clock{}
	factory, err := armcompute.NewClientFactory(subscription, credential, &arm.ClientOptions{
		ClientOptions: policy.ClientOptions{
			Cloud: cloud.Configuration{Services: map[cloud.ServiceName]cloud.ServiceConfiguration{
				cloud.ResourceManager: {Endpoint: strings.TrimSuffix(endpoint, "/"), Audience: audience},
			}},
			InsecureAllowCredentialWithHTTP: u.Scheme == "http",
			Retry:                           policy.RetryOptions{MaxRetries: 4, MaxRetryDelay: 3 * time.Minute},
			Telemetry:                       policy.TelemetryOptions{ApplicationID: "goldmint-command"},
			PerCallPolicies:                 []policy.Policy{clock},
		},
		DisableRPRegistration: true,
	})
	if err != nil {
		return nil, err
	}
	return &Azure{
		clock, factory.NewGalleryImageVersionsClient(), factory.NewImagesClient(),
		factory.NewVirtualMachinesClient(), factory.NewVirtualMachineScaleSetsClient(),
	}, nil
}

// Now is the time by Azure's clock, which the dates of its resources follow: the Date of its latest
// answer, and what has passed since. Before any answer it is this machine's.
func (a *Azure) Now() time.Time {
	a.clock.mu.Lock()
	defer a.clock.mu.Unlock()
	return time.Now().Add(a.clock.ahead)
}

// clock compares Azure's clock with this machine's.
type clock struct {
	mu    sync.Mutex
	ahead time.Duration // of this machine's
}

// Do notes an answer's Date.
func (c *clock) Do(r *policy.Request) (*http.Response, error) {
	answer, err := r.Next()
	if answer == nil {
		return answer, err
	}
	if date, bad := http.ParseTime(answer.Header.Get("Date")); bad == nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.ahead = time.Until(date)
	}
	return answer, err
}

// deletion is the context of a deletion's call: the SDK must not wait for a Retry-After, because
// the caller reports such a wait.
func deletion(ctx context.Context) context.Context {
	return policy.WithRetryOptions(ctx, policy.RetryOptions{
		MaxRetries: 4, MaxRetryDelay: 10 * time.Second,
		StatusCodes: []int{
			http.StatusRequestTimeout, http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout,
		},
	})
}

func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

func values(tags map[string]*string) map[string]string {
	plain := make(map[string]string, len(tags))
	for k, v := range tags {
		plain[k] = value(v)
	}
	return plain
}
