package doctor

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
)

// manager reads from Resource Manager.
type manager struct {
	endpoint string
	pipeline runtime.Pipeline
}

func newManager(endpoint, audience string, credential azcore.TokenCredential) manager {
	bearer := runtime.NewBearerTokenPolicy(credential, []string{audience + "/.default"},
		&policy.BearerTokenOptions{InsecureAllowCredentialWithHTTP: strings.HasPrefix(endpoint, "http://")}) // loopback: the settings see to it
	return manager{strings.TrimSuffix(endpoint, "/"), runtime.NewPipeline("goldmint", "doctor",
		runtime.PipelineOptions{PerRetry: []policy.Policy{bearer}}, &policy.ClientOptions{Retry: policy.RetryOptions{MaxRetries: 1}})}
}

// get reads what a path names. An answer other than 200 is an *azcore.ResponseError.
func (m manager) get(ctx context.Context, path, version string, into any) error {
	return m.do(ctx, http.MethodGet, path, version, into)
}

// do is for the one list that is asked for with POST.
func (m manager) do(ctx context.Context, method, path, version string, into any) error {
	request, err := runtime.NewRequest(ctx, method, m.endpoint+path)
	if err != nil {
		return err
	}
	address := request.Raw().URL
	address.RawQuery = strings.TrimPrefix(address.RawQuery+"&api-version="+version, "&")
	response, err := m.pipeline.Do(request) //nolint:bodyclose // runtime reads the body and closes it
	if err != nil {
		return err
	}
	if !runtime.HasStatusCode(response, http.StatusOK) {
		return runtime.NewResponseError(response)
	}
	if into == nil {
		_, err := runtime.Payload(response)
		return err
	}
	return runtime.UnmarshalAsJSON(response, into)
}

// permission is what one or more role assignments allow.
type permission struct {
	Actions    []string `json:"actions"`
	NotActions []string `json:"notActions"`
}

func (p permission) allows(action string) bool {
	covers := func(pattern string) bool { return matches(pattern, action) }
	return slices.ContainsFunc(p.Actions, covers) && !slices.ContainsFunc(p.NotActions, covers)
}

// permissions are the identity's own in a resource group; nil where it may not ask.
func (m manager) permissions(ctx context.Context, group string) ([]permission, error) {
	var answer struct {
		Value []permission `json:"value"`
	}
	err := m.get(ctx, group+"/providers/Microsoft.Authorization/permissions", "2022-04-01", &answer)
	if isStatus(err, http.StatusForbidden) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return append([]permission{}, answer.Value...), nil
}

// matches compares an action with one that may hold stars, each of which stands for anything. Case
// does not count.
func matches(pattern, action string) bool {
	parts := strings.Split(strings.ToLower(pattern), "*")
	rest, found := strings.CutPrefix(strings.ToLower(action), parts[0])
	if len(parts) == 1 {
		return found && rest == ""
	}
	for _, part := range parts[1 : len(parts)-1] {
		_, after, ok := strings.Cut(rest, part)
		found, rest = found && ok, after
	}
	return found && strings.HasSuffix(rest, parts[len(parts)-1])
}

func isStatus(err error, status int) bool {
	var answered *azcore.ResponseError
	return errors.As(err, &answered) && answered.StatusCode == status
}

// isGroupMissing reports whether the resource group or subscription is missing, rather than a
// resource in it.
func isGroupMissing(err error) bool {
	var answered *azcore.ResponseError
	return errors.As(err, &answered) && (answered.ErrorCode == "ResourceGroupNotFound" || answered.ErrorCode == "SubscriptionNotFound")
}
