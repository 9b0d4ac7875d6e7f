// Package azure connects Goldmint to the services: Resource Manager, Service Bus and the identity
// that signs in to them.
package azure

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"

	"goldmint/internal/build"
)

// ARM is a client of Azure Resource Manager's compute provider. It sends each request once, because
// the build decides whether and when to try again. azcore's own retries are off: they would wait in
// the process.
type ARM struct {
	endpoint   *url.URL
	credential azcore.TokenCredential
	options    *arm.ClientOptions
}

// NewARM takes the endpoint, such as https://management.azure.com, and the audience of its tokens.
// Plain http is for a loopback endpoint. The credential's token is sent only to that endpoint.
func NewARM(endpoint, audience string, credential azcore.TokenCredential, transport *http.Client) (*ARM, error) {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("resource manager endpoint %q is not a URL", endpoint)
	}
	if transport == nil {
		transport = &http.Client{Timeout: time.Minute}
	}
	client := *transport
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &ARM{endpoint: u, credential: credential, options: &arm.ClientOptions{
		ClientOptions: policy.ClientOptions{
			Cloud: cloud.Configuration{Services: map[cloud.ServiceName]cloud.ServiceConfiguration{
				cloud.ResourceManager: {Endpoint: strings.TrimSuffix(endpoint, "/"), Audience: audience},
			}},
			InsecureAllowCredentialWithHTTP: u.Scheme == "http",
			PerCallPolicies:                 []policy.Policy{onlyTo(u)},
			Retry:                           policy.RetryOptions{MaxRetries: -1},
			Telemetry:                       policy.TelemetryOptions{ApplicationID: "goldmint"},
			Transport:                       &client,
		},
		DisableRPRegistration: true,
	}}, nil
}

// images and vms are clients for one subscription. They are cheap and not cached, because
// subscriptions come from messages.
func (a *ARM) images(subscription string) (*armcompute.ImagesClient, error) {
	return armcompute.NewImagesClient(subscription, a.credential, a.options)
}

func (a *ARM) vms(subscription string) (*armcompute.VirtualMachinesClient, error) {
	return armcompute.NewVirtualMachinesClient(subscription, a.credential, a.options)
}

// Image reads the resource. One that does not exist, or whose resource group does not, is no error.
func (a *ARM) Image(ctx context.Context, id string) (build.Image, error) {
	r, target, err := a.at(id)
	if err != nil {
		return build.Image{}, err
	}
	got, err := target.get(ctx, r)
	if e := armError(err); e != nil && e.Absent() {
		return build.Image{}, nil
	} else if e != nil {
		return build.Image{}, fmt.Errorf("read %q: %w", r.Name, e)
	}
	return got, nil
}

// Create starts the creation of the build's resource and returns when ARM has accepted it, which
// takes some seconds for an image from a blob. Its tags say what it is made from, so the source is
// read first.
func (a *ARM) Create(ctx context.Context, b build.Build) (build.Accepted, error) {
	_, target, err := a.at(b.ImageID())
	if err != nil {
		return build.Accepted{}, err
	}
	b.UniqueID = a.uniqueID(ctx, b.Request.Source())
	var answer *http.Response
	sent := time.Now()
	poller, err := target.put(policy.WithCaptureResponse(ctx, &answer), b)
	accepted := build.Accepted{Date: date(answer), Took: time.Since(sent), Left: left(answer), UniqueID: b.UniqueID}
	if e := armError(err); e != nil && e.Status == http.StatusAccepted { // the client knows only 200 and 201; a look at the image shows the rest
		return accepted, nil
	} else if e != nil {
		return build.Accepted{}, fmt.Errorf("create %q: %w", b.Request.Name, e)
	}
	if !poller.Done() {
		if accepted.Token, err = poller.ResumeToken(); err != nil {
			accepted.Token = "" // the image shows as much as the operation
		}
	}
	return accepted, nil
}

// Operation looks once at the operation that the build's token resumes. The status is empty where
// it is unknown: the token does not belong to the build, the answer has no status, or ARM no longer
// has the operation.
func (a *ARM) Operation(ctx context.Context, b build.Build) (op build.Operation, err error) {
	defer func() { // azcore's poller has panicked on tokens it did not expect
		if r := recover(); r != nil {
			op, err = build.Operation{}, nil
		}
	}()
	if checkToken(b.Attempt.Token, a.endpoint, b) != nil {
		return build.Operation{}, nil
	}
	_, target, err := a.at(b.ImageID())
	if err != nil {
		return build.Operation{}, err
	}
	poller, err := target.resume(ctx, b)
	if err != nil {
		return build.Operation{}, nil
	}
	var answer *http.Response
	_, err = poller.Poll(policy.WithCaptureResponse(ctx, &answer)) //nolint:bodyclose // azcore has read all of it
	if answer != nil && answer.StatusCode == http.StatusOK {
		return operation(answer), nil // which the poller may not have understood
	}
	if e := armError(err); e != nil {
		return build.Operation{}, fmt.Errorf("look at the operation of %q: %w", b.Request.Name, e)
	}
	return operation(answer), nil
}

// Delete asks ARM to delete the resource. One that is gone already is no error.
func (a *ARM) Delete(ctx context.Context, id string) error {
	r, target, err := a.at(id)
	if err != nil {
		return err
	}
	if e := armError(target.remove(ctx, r)); e != nil && !e.Absent() {
		return fmt.Errorf("delete %q: %w", r.Name, e)
	}
	return nil
}

func observed(i armcompute.Image) build.Image {
	o := build.Image{Exists: true, ID: value(i.ID), Location: value(i.Location)}
	readTags(&o, i.Tags)
	if p := i.Properties; p != nil {
		o.State, o.HyperVGeneration = value(p.ProvisioningState), string(value(p.HyperVGeneration))
	}
	if s := i.SystemData; s != nil && s.CreatedAt != nil {
		o.CreatedAt = *s.CreatedAt
	}
	return o
}

// readTags reads Goldmint's own tags. ARM ignores the case of tag names.
func readTags(o *build.Image, tags map[string]*string) {
	for k, v := range tags {
		switch {
		case strings.EqualFold(k, build.TagBuildID):
			o.BuildTag = value(v)
		case strings.EqualFold(k, build.TagRequestedAt):
			o.RequestedAt, _ = time.Parse(time.RFC3339Nano, value(v))
		case strings.EqualFold(k, build.TagUniqueID):
			o.UniqueID = value(v)
		}
	}
}

// operation reads the answer of a look at the operation.
func operation(answer *http.Response) build.Operation {
	op := build.Operation{Date: date(answer), RetryAfter: retryAfter(answer)}
	var body struct {
		Status    string     `json:"status"`
		StartTime string     `json:"startTime"`
		Error     *wireError `json:"error"`
	}
	_ = runtime.UnmarshalAsJSON(answer, &body) // after a field of a wrong type the others are still read
	if body.Status == "" {
		return op // the image shows the outcome
	}
	op.StartedAt, _ = time.Parse(time.RFC3339Nano, body.StartTime)
	switch strings.ToLower(body.Status) {
	case "succeeded":
		op.Status = "Succeeded"
	case "failed", "canceled", "cancelled":
		op.Status = "Failed"
		op.Err = body.Error.armError(answer)
	default:
		op.Status = "InProgress"
	}
	return op
}

func value[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}
