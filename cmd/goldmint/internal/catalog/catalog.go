// Package catalog reads, deletes and promotes image versions and managed images in Azure, with the caller's own rights.
package catalog

import (
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"

	"goldmint/cmd/goldmint/internal/retention"
)

// Record is an item with what only people want to know of it.
type Record struct {
	retention.Item
	Source string // id of what it was made from
	SizeGB int32  // 0: ARM does not say
}

// Azure is Resource Manager in one subscription.
type Azure struct {
	subscription string
	versions     *armcompute.GalleryImageVersionsClient
	images       *armcompute.ImagesClient
	machines     *armcompute.VirtualMachinesClient
	sets         *armcompute.VirtualMachineScaleSetsClient
}

// New takes Resource Manager's endpoint and the audience of its tokens. Plain http is for loopback only.
func New(subscription, endpoint, audience string, credential azcore.TokenCredential) (*Azure, error) {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("the Resource Manager endpoint %q is not a URL", endpoint)
	}
	if ip := net.ParseIP(u.Hostname()); u.Scheme != "https" && (ip == nil || !ip.IsLoopback()) {
		return nil, fmt.Errorf("the Resource Manager endpoint %q is not https: a token would travel in the open", endpoint)
	}
	factory, err := armcompute.NewClientFactory(subscription, credential, &arm.ClientOptions{
		ClientOptions: policy.ClientOptions{
			Cloud: cloud.Configuration{Services: map[cloud.ServiceName]cloud.ServiceConfiguration{
				cloud.ResourceManager: {Endpoint: strings.TrimSuffix(endpoint, "/"), Audience: audience},
			}},
			InsecureAllowCredentialWithHTTP: u.Scheme == "http",
			Retry:                           policy.RetryOptions{MaxRetries: 4, MaxRetryDelay: 3 * time.Minute},
			Telemetry:                       policy.TelemetryOptions{ApplicationID: "goldmint-command"},
		},
		DisableRPRegistration: true,
	})
	if err != nil {
		return nil, err
	}
	return &Azure{
		subscription, factory.NewGalleryImageVersionsClient(), factory.NewImagesClient(),
		factory.NewVirtualMachinesClient(), factory.NewVirtualMachineScaleSetsClient(),
	}, nil
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
