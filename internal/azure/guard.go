package azure

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"goldmint/internal/build"
)

// onlyTo refuses every request to another scheme or host than the endpoint's, before the request
// gets a token.
func onlyTo(endpoint *url.URL) policy.Policy { return hostGuard{endpoint.Scheme, endpoint.Host} }

type hostGuard struct{ scheme, host string }

// errForeignHost is the error of a request that would have carried a token elsewhere.
var errForeignHost = errors.New("refused to send a request to another host than the one it is configured for")

func (g hostGuard) Do(r *policy.Request) (*http.Response, error) {
	u := r.Raw().URL
	if !strings.EqualFold(u.Scheme, g.scheme) || !strings.EqualFold(u.Host, g.host) || u.User != nil {
		return nil, errForeignHost
	}
	return r.Next()
}

// resumeToken is the part of azcore's resume token that is checked.
type resumeToken struct {
	Type  string `json:"type"`
	Token struct {
		AsyncURL   string `json:"asyncURL"`
		LocURL     string `json:"locURL"`
		OrigURL    string `json:"origURL"`
		Method     string `json:"method"`
		FinalState string `json:"finalState"`
		State      string `json:"state"`
	} `json:"token"`
}

// operationPath is the path of a compute operation, after the subscription.
var operationPath = regexp.MustCompile(`(?i)^/providers/Microsoft\.Compute/locations/[a-z0-9]+/(operations|capsOperations)/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// checkToken says why a resume token is not one for the build's own operation at the endpoint.
// Azcore would follow any URL in it, with the bearer token, and panics on one whose state is
// terminal.
func checkToken(token string, endpoint *url.URL, b build.Build) error {
	var t resumeToken
	d := json.NewDecoder(strings.NewReader(token))
	d.DisallowUnknownFields()
	if err := d.Decode(&t); err != nil {
		return fmt.Errorf("resume token: %w", err)
	}
	want := tokenOf[b.Request.Target()]
	if t.Type != want.kind || t.Token.Method != http.MethodPut {
		return errors.New("resume token is not one of the creation of a " + string(b.Request.Target()))
	}
	switch strings.ToLower(t.Token.State) {
	case "succeeded", "failed", "canceled", "cancelled", "":
		return fmt.Errorf("resume token is in the terminal state %q", t.Token.State)
	}
	operations := []string{t.Token.AsyncURL}
	if t.Token.LocURL != "" { // ARM may return a Location, so it is checked too
		operations = append(operations, t.Token.LocURL)
	}
	for _, u := range operations {
		if err := checkOperation(u, endpoint, b.SubscriptionID, want.operations); err != nil {
			return err
		}
	}
	image, err := at(endpoint, t.Token.OrigURL)
	if err != nil {
		return err
	}
	if !strings.EqualFold(image, b.ImageID()) {
		return errors.New("resume token names another resource")
	}
	return nil
}

func checkOperation(u string, endpoint *url.URL, subscriptionID, operations string) error {
	path, err := at(endpoint, u)
	if err != nil {
		return err
	}
	rest, found := cutPrefixFold(path, "/subscriptions/"+subscriptionID)
	if parts := operationPath.FindStringSubmatch(rest); !found || parts == nil || !strings.EqualFold(parts[1], operations) {
		return errors.New("resume token names no operation of the build's subscription")
	}
	return nil
}

// at is the URL's path, if the URL is at the endpoint and its path has no escapes.
func at(endpoint *url.URL, s string) (string, error) {
	u, err := url.Parse(s)
	if err != nil || !strings.EqualFold(u.Scheme, endpoint.Scheme) || !strings.EqualFold(u.Host, endpoint.Host) || u.User != nil || u.Fragment != "" {
		return "", errForeignHost
	}
	if u.RawPath != "" {
		return "", errors.New("resume token holds a path with escapes")
	}
	return u.Path, nil
}

func cutPrefixFold(s, prefix string) (after string, found bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return "", false
	}
	return s[len(prefix):], true
}
