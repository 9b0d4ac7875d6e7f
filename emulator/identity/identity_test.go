package identity

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
)

// resource is another one in every test: azidentity's cache is the process's.
func resource(t *testing.T) string {
	t.Helper()
	return "https://" + uuid.NewString() + ".example.net"
}

// token asks for a token as the deployed handler does.
func token(t *testing.T, s *Server, id azidentity.ManagedIDKind, resource string) (string, error) {
	t.Helper()
	t.Setenv("IDENTITY_ENDPOINT", s.Endpoint())
	t.Setenv("IDENTITY_HEADER", s.Secret())
	return tokenFromEnvironment(t, id, resource)
}

func tokenFromEnvironment(t *testing.T, id azidentity.ManagedIDKind, resource string) (string, error) {
	t.Helper()
	credential, err := azidentity.NewManagedIdentityCredential(&azidentity.ManagedIdentityCredentialOptions{ID: id})
	if err != nil {
		t.Fatal(err)
	}
	got, err := credential.GetToken(context.Background(), policy.TokenRequestOptions{Scopes: []string{resource + "/.default"}})
	return got.Token, err
}

func TestEveryKindOfIdentityGetsAToken(t *testing.T) {
	const vmID = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities/goldmint"
	for name, id := range map[string]azidentity.ManagedIDKind{
		"system":      nil,
		"client id":   azidentity.ClientID("8f0f6a0e-5d6e-4f0e-9f57-6d2f6b8e1c11"),
		"resource id": azidentity.ResourceID(vmID),
	} {
		t.Run(name, func(t *testing.T) {
			s, resource := Start(t, Options{}), resource(t)
			got, err := token(t, s, id, resource)
			if err != nil {
				t.Fatal(err)
			}
			if !s.Valid(got, resource) || !s.Valid(got, resource+"/") {
				t.Errorf("the server does not know its own token %q", got)
			}
		})
	}
}

func TestAKnownClientIDIsServedAndAnUnknownOneRefused(t *testing.T) {
	s := Start(t, Options{ClientIDs: []string{"8F0F6A0E-5d6e-4f0e-9f57-6d2f6b8e1c11"}})
	if _, err := token(t, s, azidentity.ClientID("8f0f6a0e-5d6e-4f0e-9f57-6d2f6b8e1c11"), resource(t)); err != nil {
		t.Errorf("the app's identity gets %v", err)
	}
	for _, id := range []azidentity.ManagedIDKind{
		azidentity.ClientID("11111111-5d6e-4f0e-9f57-6d2f6b8e1c11"),
		azidentity.ResourceID("/subscriptions/s/resourceGroups/rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities/other"),
	} {
		_, err := token(t, s, id, resource(t))
		if err == nil || !strings.Contains(err.Error(), "No User Assigned or Delegated Managed Identity found") {
			t.Errorf("the unknown identity %v gets the error %v", id, err)
		}
	}
}

func TestAWrongHeaderIsRefused(t *testing.T) {
	s := Start(t, Options{})
	t.Setenv("IDENTITY_ENDPOINT", s.Endpoint())
	t.Setenv("IDENTITY_HEADER", "not "+s.Secret())
	if _, err := tokenFromEnvironment(t, nil, resource(t)); err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("a wrong IDENTITY_HEADER gets the error %v, want a 401", err)
	}
}

func TestATokenIsValidForItsServerItsResourceAndItsTime(t *testing.T) {
	now := time.Now()
	s, other, resource := Start(t, Options{Lifetime: time.Hour}), Start(t, Options{}), resource(t)
	s.now = func() time.Time { return now }
	got, err := token(t, s, nil, resource)
	if err != nil {
		t.Fatal(err)
	}
	signed, _, _ := cutLast(got)
	for what, valid := range map[string]bool{
		"another resource":  s.Valid(got, resource+".uk"),
		"another server":    other.Valid(got, resource),
		"no signature":      s.Valid(signed, resource),
		"another signature": s.Valid(signed+".AAAA", resource),
		"no token":          s.Valid("", resource),
	} {
		if valid {
			t.Errorf("%s is valid", what)
		}
	}
	now = now.Add(time.Hour - 2*time.Second)
	if !s.Valid(got, resource) {
		t.Error("the token is not valid until its end")
	}
	now = now.Add(2 * time.Second)
	if s.Valid(got, resource) {
		t.Error("the token is valid after its end")
	}
}

// TestAnExpiringTokenIsRenewed holds that the credential sees the lifetime: it
// takes a token that ends within five minutes for one that has ended.
func TestAnExpiringTokenIsRenewed(t *testing.T) {
	for lifetime, renewed := range map[time.Duration]bool{time.Minute: true, time.Hour: false} {
		s, resource := Start(t, Options{Lifetime: lifetime}), resource(t)
		first, err := token(t, s, nil, resource)
		if err != nil {
			t.Fatal(err)
		}
		second, err := token(t, s, nil, resource)
		if err != nil {
			t.Fatal(err)
		}
		if (first != second) != renewed {
			t.Errorf("tokens that live %v: renewed is %t, want %t", lifetime, first != second, renewed)
		}
	}
}

func TestErrorsAreAppServices(t *testing.T) {
	s := Start(t, Options{ClientIDs: []string{"a"}})
	for query, want := range map[string]int{
		"api-version=2019-08-01&resource=r":             http.StatusOK,
		"api-version=2019-08-01&resource=r&client_id=A": http.StatusOK,
		"api-version=2019-08-01&resource=r&client_id=b": http.StatusBadRequest,
		"api-version=2019-08-01":                        http.StatusBadRequest,
		"api-version=2017-09-01&resource=r":             http.StatusBadRequest,
	} {
		if got, _ := get(t, s, s.Secret(), query); got != want {
			t.Errorf("%s answers %d, want %d", query, got, want)
		}
	}
	status, body := get(t, s, "wrong", "api-version=2019-08-01&resource=r")
	var keys []string
	for _, key := range []string{"statusCode", "message", "correlationId"} {
		if body[key] != nil {
			keys = append(keys, key)
		}
	}
	if diff := cmp.Diff([]string{"statusCode", "message", "correlationId"}, keys); status != http.StatusUnauthorized || diff != "" {
		t.Errorf("a wrong header answers %d %v", status, body)
	}
}

func get(t *testing.T, s *Server, secret, query string) (int, map[string]any) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.Endpoint()+"?"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-IDENTITY-HEADER", secret)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	var body map[string]any
	if err := json.NewDecoder(response.Body).Decode(&body); err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, body
}

// TestOlderForms: a header Secret with the api-version of 2017, and the path of a virtual machine
// with its own header.
func TestOlderForms(t *testing.T) {
	s := Start(t, Options{})
	vm := strings.TrimSuffix(s.Endpoint(), "/msi/token") + imdsPath
	for _, tt := range []struct {
		url, version, header, value string
		want                        int
	}{
		{s.Endpoint(), "2017-09-01", "Secret", s.Secret(), http.StatusOK},
		{s.Endpoint(), "2017-09-01", "Secret", "wrong", http.StatusUnauthorized},
		{s.Endpoint(), "2019-08-01", "Secret", s.Secret(), http.StatusBadRequest},
		{s.Endpoint() + "/", "2017-09-01", "Secret", s.Secret(), http.StatusOK},
		{vm, "2018-02-01", "Metadata", "true", http.StatusOK},
		{vm, "2018-02-01", "Metadata", "", http.StatusBadRequest},
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, tt.url+"?resource=r&api-version="+tt.version, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set(tt.header, tt.value)
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		var got map[string]string
		err = json.NewDecoder(response.Body).Decode(&got)
		_ = response.Body.Close()
		if response.StatusCode != tt.want {
			t.Errorf("%s of %s with %s %q: %d, want %d", tt.url, tt.version, tt.header, tt.value, response.StatusCode, tt.want)
		}
		if tt.want == http.StatusOK && (err != nil || !s.Valid(got["access_token"], "r") || !whenExpires[tt.version].MatchString(got["expires_on"])) {
			t.Errorf("%s of %s: %v, %v", tt.url, tt.version, got, err)
		}
	}
}

// whenExpires is how each form writes the time at which its token expires.
var whenExpires = map[string]*regexp.Regexp{
	"2017-09-01": regexp.MustCompile(`^\d\d/\d\d/\d{4} \d\d:\d\d:\d\d \+00:00$`),
	"2018-02-01": regexp.MustCompile(`^\d{10}$`),
}

// TestClaims are those that az and Terraform's azurerm read from a token.
func TestClaims(t *testing.T) {
	s := Start(t, Options{})
	_, body := get(t, s, s.Secret(), "api-version=2019-08-01&resource=r&client_id=a")
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(body["access_token"].(string), ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	var got claims
	if err := json.Unmarshal(payload, &got); err != nil || got.AppID != "a" || got.Tenant != tenantID || got.ObjectID != principal("A") || got.Subject != got.ObjectID {
		t.Errorf("%s, %v", payload, err)
	}
}

// directory asks like a client that signs in at a server which hands such requests on.
func directory(s *Server, method, target, form string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(form))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	if h := s.Directory(r); h != nil {
		h.ServeHTTP(w, r)
	} else {
		w.WriteHeader(http.StatusTeapot)
	}
	return w
}

// TestDirectory: the directory returns tokens for a client's id and secret, in both versions, and
// reports who the client is.
func TestDirectory(t *testing.T) {
	s := Start(t, Options{ClientIDs: []string{"a"}})
	secret := "&grant_type=client_credentials&client_secret=" + s.Secret()
	for _, tt := range []struct {
		method, target, form string
		status               int
		holds                string
	}{
		{http.MethodPost, "/tenant/oauth2/token", "client_id=a&resource=r" + secret, http.StatusOK, `"token_type":"Bearer"`},
		{http.MethodPost, "/tenant/oauth2/v2.0/token", "client_id=A&scope=r/.default" + secret, http.StatusOK, `"resource":"r"`},
		{http.MethodPost, "/tenant/oauth2/token", "client_id=b&resource=r" + secret, http.StatusBadRequest, "AADSTS700016"},
		{http.MethodPost, "/tenant/oauth2/token", "client_id=a" + secret, http.StatusBadRequest, "AADSTS900144"},
		{http.MethodPost, "/tenant/oauth2/token", "client_id=a&resource=r" + secret + "x", http.StatusUnauthorized, "AADSTS7000215"},
		{http.MethodPost, "/tenant/oauth2/token", "client_id=a&grant_type=password", http.StatusBadRequest, "AADSTS70003"},
		{http.MethodPost, "/tenant/oauth2/token", "%zz", http.StatusBadRequest, "AADSTS900144"},
		{http.MethodPost, "/tenant/oauth2/token", strings.Repeat("a", maxForm+1), http.StatusBadRequest, "AADSTS900144"},
		{http.MethodGet, "/v1.0/servicePrincipals(appId='a')", "", http.StatusOK, `"id":"` + principal("a") + `"`},
		{http.MethodGet, "/v1.0/servicePrincipals(appId='b')", "", http.StatusNotFound, "Request_ResourceNotFound"},
		{http.MethodGet, "/subscriptions", "", http.StatusTeapot, ""},
	} {
		if w := directory(s, tt.method, tt.target, tt.form); w.Code != tt.status || !strings.Contains(w.Body.String(), tt.holds) {
			t.Errorf("%s %s %.60s: %d %s, want %d %s", tt.method, tt.target, tt.form, w.Code, w.Body, tt.status, tt.holds)
		}
	}
}

// FuzzToken asks for tokens in any way: the answer is JSON, and nobody gets a token without the
// secret.
func FuzzToken(f *testing.F) {
	f.Add("POST", "/tenant/oauth2/token", "grant_type=client_credentials&client_id=a&client_secret=wrong&resource=r")
	f.Add("POST", "/t/oauth2/v2.0/token", "client_id=a&scope=r/.default")
	f.Add("GET", "/v1.0/servicePrincipals(appId='a')", "")
	s := Start(f, Options{ClientIDs: []string{"a"}})
	f.Fuzz(func(t *testing.T, method, path, form string) {
		r := httptest.NewRequest(http.MethodGet, "/", strings.NewReader(form))
		r.Method, r.URL = method, &url.URL{Path: path}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		h := s.Directory(r)
		if h == nil {
			return
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if !json.Valid(w.Body.Bytes()) || strings.Contains(w.Body.String(), "access_token") && !strings.Contains(form, s.Secret()) {
			t.Errorf("%s %s %s: %d %s", method, path, form, w.Code, w.Body)
		}
	})
}
