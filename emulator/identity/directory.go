package identity

import (
	"crypto/subtle"
	"fmt"
	"net/http"
	"path"
	"regexp"
	"strings"

	"github.com/google/uuid"
)

// principalPath is where Microsoft Graph has the service principal of an application.
var principalPath = regexp.MustCompile(`^/v1\.0/servicePrincipals\(appId='([^'/]*)'\)$`)

// maxForm is the largest request for a token.
const maxForm = 64 << 10

// Directory answers for Entra ID and Microsoft Graph where a request asks them about the app, and
// is nil for any other. It is for a server whose metadata names itself as the place to sign in:
// clients that know an application's id and secret get their tokens there. The secret is
// [Server.Secret].
func (s *Server) Directory(r *http.Request) http.Handler {
	p := path.Clean(r.URL.Path)
	switch {
	case r.Method == http.MethodPost && (strings.HasSuffix(p, "/oauth2/token") || strings.HasSuffix(p, "/oauth2/v2.0/token")):
		return http.HandlerFunc(s.serveSecret)
	case r.Method == http.MethodGet && principalPath.MatchString(p):
		return http.HandlerFunc(s.servePrincipal)
	}
	return nil
}

// serveSecret answers an application's id and secret with a token, in the forms of both versions:
// the resource is a parameter of the first and part of the scope in the second. Source: "OAuth 2.0
// client credentials flow on the Microsoft identity platform".
func (s *Server) serveSecret(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		writeOAuthError(w, http.StatusBadRequest, "invalid_request", 900144, "The request body could not be read.")
		return
	}
	resource := r.PostFormValue("resource")
	if scope, ok := strings.CutSuffix(r.PostFormValue("scope"), "/.default"); ok {
		resource = scope
	}
	client, secret := r.PostFormValue("client_id"), r.PostFormValue("client_secret")
	switch {
	case r.PostFormValue("grant_type") != "client_credentials":
		writeOAuthError(w, http.StatusBadRequest, "unsupported_grant_type", 70003, "The app requested an unsupported grant type.")
	case client == "" || !s.knows(client):
		writeOAuthError(w, http.StatusBadRequest, "unauthorized_client", 700016, fmt.Sprintf("Application with identifier '%s' was not found in the directory.", client))
	case subtle.ConstantTimeCompare([]byte(secret), []byte(s.secret)) != 1:
		writeOAuthError(w, http.StatusUnauthorized, "invalid_client", 7000215, "Invalid client secret provided.")
	case resource == "":
		writeOAuthError(w, http.StatusBadRequest, "invalid_request", 900144, "The request body must contain the following parameter: 'scope'.")
	default:
		expires := s.now().Add(s.options.Lifetime)
		answer := s.times(expires)
		answer["token_type"], answer["resource"] = "Bearer", resource
		answer["access_token"] = s.issue(resource, client, expires)
		writeJSON(w, http.StatusOK, answer)
	}
}

func (s *Server) servePrincipal(w http.ResponseWriter, r *http.Request) {
	client := principalPath.FindStringSubmatch(path.Clean(r.URL.Path))[1]
	if !s.knows(client) {
		writeJSON(w, http.StatusNotFound, map[string]any{"error": map[string]string{
			"code": "Request_ResourceNotFound", "message": "Resource '" + client + "' does not exist or one of its queried reference-property objects are not present.",
		}})
		return
	}
	writeJSON(w, http.StatusOK, map[string]string{
		"id": principal(client), "appId": client, "displayName": "goldmint", "servicePrincipalType": "Application", "appOwnerOrganizationId": tenantID,
	})
}

// principal is the object id of an application's service principal.
func principal(client string) string {
	return uuid.NewSHA1(uuid.NameSpaceOID, []byte(strings.ToLower(client))).String()
}

// writeOAuthError writes an error as Entra ID does.
func writeOAuthError(w http.ResponseWriter, status int, code string, number int, message string) {
	writeJSON(w, status, map[string]any{
		"error": code, "error_description": fmt.Sprintf("AADSTS%d: %s", number, message), "error_codes": []int{number},
		"correlation_id": uuid.NewString(), "trace_id": uuid.NewString(),
	})
}
