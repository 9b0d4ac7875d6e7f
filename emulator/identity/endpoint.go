package identity

import (
	"crypto/subtle"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"
)

const (
	apiVersion = "2019-08-01"
	imdsPath   = "/metadata/identity/oauth2/token" // of a virtual machine
)

// systemClientID names the system-assigned identity in its tokens.
const systemClientID = "00000000-0000-0000-0000-000000000001"

// serveToken answers one request for a token.
// Source: "Connect to Azure services in app code", REST endpoint reference.
func (s *Server) serveToken(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	if status, message := s.refusal(r, query); status != 0 {
		writeError(w, status, message)
		return
	}
	client := clientID(query)
	resource := query.Get("resource")
	expires := s.now().Add(s.options.Lifetime)
	writeJSON(w, http.StatusOK, map[string]string{
		"access_token": s.issue(resource, client, expires),
		"expires_on":   strconv.FormatInt(expires.Unix(), 10),
		"resource":     resource,
		"token_type":   "Bearer",
		"client_id":    client,
	})
}

// refusal says why a request gets no token; status 0 is none.
// It takes the three forms that clients use: App Service's of 2019 and, with the header Secret, of 2017, and that of a
// virtual machine, which has no secret but a header of its own.
func (s *Server) refusal(r *http.Request, query url.Values) (status int, message string) {
	secret, version := r.Header.Get("X-IDENTITY-HEADER"), apiVersion
	switch {
	case r.URL.Path == imdsPath:
		version = "2018-02-01"
	case r.Header.Get("Secret") != "":
		secret, version = r.Header.Get("Secret"), "2017-09-01"
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
	if len(s.options.ClientIDs) == 0 || !userAssigned(query) {
		return true
	}
	id := query.Get("client_id")
	return slices.ContainsFunc(s.options.ClientIDs, func(known string) bool { return strings.EqualFold(known, id) })
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
