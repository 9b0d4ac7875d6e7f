package identity

import (
	"crypto/subtle"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

const imdsPath = "/metadata/identity/oauth2/token" // of a virtual machine

// The api-versions of the three forms in which clients ask for a token.
const (
	appService2017 = "2017-09-01" // App Service, with the header Secret
	virtualMachine = "2018-02-01" // at imdsPath, with the header Metadata and no secret
	appService2019 = "2019-08-01" // App Service, with the header X-IDENTITY-HEADER
)

// systemClientID names the system-assigned identity in its tokens.
const systemClientID = "00000000-0000-0000-0000-000000000001"

// serveToken answers one request for a token. Source: "Connect to Azure services in app code", REST
// endpoint reference; for a virtual machine "How to use managed identities for Azure resources on
// an Azure VM to acquire an access token".
func (s *Server) serveToken(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	version := formOf(r)
	if status, message := s.refusal(r, version, query); status != 0 {
		writeError(w, status, message)
		return
	}
	client := clientID(query)
	resource := query.Get("resource")
	expires := s.now().Add(s.options.Lifetime)
	answer := map[string]string{"expires_on": strconv.FormatInt(expires.Unix(), 10)}
	switch version {
	case appService2017:
		answer["expires_on"] = expires.UTC().Format("01/02/2006 15:04:05 -07:00")
	case virtualMachine:
		answer = s.times(expires)
	}
	answer["access_token"], answer["client_id"] = s.issue(resource, client, expires), client
	answer["resource"], answer["token_type"] = resource, "Bearer"
	writeJSON(w, http.StatusOK, answer)
}

// times says when a token expires in all the ways that a virtual machine and Entra ID do.
func (s *Server) times(expires time.Time) map[string]string {
	seconds := strconv.FormatInt(int64(expires.Sub(s.now()).Seconds()), 10)
	return map[string]string{
		"expires_on": strconv.FormatInt(expires.Unix(), 10), "expires_in": seconds, "ext_expires_in": seconds,
		"not_before": strconv.FormatInt(s.now().Unix(), 10),
	}
}

// formOf is the api-version of the form that a request has.
func formOf(r *http.Request) string {
	switch {
	case r.URL.Path == imdsPath:
		return virtualMachine
	case r.Header.Get("Secret") != "":
		return appService2017
	}
	return appService2019
}

// refusal says why a request gets no token; status 0 means that it gets one.
func (s *Server) refusal(r *http.Request, version string, query url.Values) (status int, message string) {
	secret := r.Header.Get("X-IDENTITY-HEADER")
	if version == appService2017 {
		secret = r.Header.Get("Secret")
	}
	switch {
	case r.URL.Path == imdsPath && r.Header.Get("Metadata") != "true":
		return http.StatusBadRequest, "Required metadata header not specified"
	case r.URL.Path != imdsPath && subtle.ConstantTimeCompare([]byte(secret), []byte(s.secret)) != 1:
		return http.StatusUnauthorized, "The X-IDENTITY-HEADER header is missing or is not the value of IDENTITY_HEADER."
	case query.Get("api-version") != version:
		return http.StatusBadRequest, "The api-version is not supported, send api-version=" + version + "."
	case query.Get("resource") == "":
		return http.StatusBadRequest, "The resource parameter is required."
	case !s.assigned(query):
		return http.StatusBadRequest, "No User Assigned or Delegated Managed Identity found for specified ClientId/ResourceId/PrincipalId."
	}
	return 0, ""
}

// assigned reports whether the app has the identity. Identities are known by
// client id; a resource id is any identity's only where all are known.
func (s *Server) assigned(query url.Values) bool {
	return !userAssigned(query) || s.knows(query.Get("client_id"))
}

// knows reports whether the client id is one of the app's.
func (s *Server) knows(client string) bool {
	return len(s.options.ClientIDs) == 0 ||
		slices.ContainsFunc(s.options.ClientIDs, func(known string) bool { return strings.EqualFold(known, client) })
}

func userAssigned(query url.Values) bool {
	return query.Has("client_id") || query.Has("mi_res_id") || query.Has("principal_id")
}

// clientID is the client id that the token carries. An identity given by its
// resource id has one that is made from it and always the same.
func clientID(query url.Values) string {
	if id := query.Get("client_id"); id != "" {
		return id
	}
	for _, parameter := range []string{"mi_res_id", "principal_id"} {
		if id := query.Get(parameter); id != "" {
			return uuid.NewSHA1(uuid.NameSpaceURL, []byte(strings.ToLower(id))).String()
		}
	}
	return systemClientID
}

// writeError writes an error as App Service writes it.
func writeError(w http.ResponseWriter, status int, message string) {
	writeJSON(w, status, struct {
		StatusCode    int    `json:"statusCode"`
		Message       string `json:"message"`
		CorrelationID string `json:"correlationId"`
	}{status, message, uuid.NewString()})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}
