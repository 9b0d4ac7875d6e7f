package arm

import (
	"net/http"
	"slices"
	"strings"
)

const (
	authorizationNamespace = "Microsoft.Authorization"
	permissionsAction      = "Microsoft.Authorization/permissions/read"
)

// permits reports whether the caller's role has the action. What the resources behind a request's
// body would ask for (the disk of an image) is not looked at.
func (o *Options) permits(action string) bool {
	return o.Role == nil || action == "" || slices.ContainsFunc(o.Role, func(allowed string) bool { return matches(allowed, action) })
}

// matches compares an action with one that may hold stars, each of which stands for anything. Case
// does not count.
func matches(pattern, action string) bool {
	parts := strings.Split(fold(pattern), "*")
	rest, ok := strings.CutPrefix(fold(action), parts[0])
	if len(parts) == 1 {
		return ok && rest == ""
	}
	for _, part := range parts[1 : len(parts)-1] {
		_, after, found := strings.Cut(rest, part)
		ok, rest = ok && found, after
	}
	return ok && strings.HasSuffix(rest, parts[len(parts)-1])
}

func forbiddenAction(action string, rq *request) *armError {
	return gatewayError(http.StatusForbidden, "AuthorizationFailed", "The client '%s' with object id '%s' does not have authorization to perform "+
		"action '%s' over scope '%s' or the scope is invalid. If access was recently granted, please refresh your credentials.",
		principalID, principalID, action, rq.http.URL.Path)
}

// isPermissions reports whether a request asks what its caller may do.
func isPermissions(method string, t target) bool {
	return method == http.MethodGet && strings.EqualFold(t.namespace, authorizationNamespace) && t.group != "" && t.key() == "permissions"
}

// getPermissions answers what the caller's role allows in a resource group.
// Source: Microsoft.Authorization 2022-04-01, Permissions_ListForResourceGroup.
func (s *Server) getPermissions(*request) answer {
	actions := s.options.Role
	if actions == nil {
		actions = []string{"*"}
	}
	none := []string{}
	return answer{status: http.StatusOK, body: map[string]any{"value": []any{
		map[string]any{"actions": actions, "notActions": none, "dataActions": none, "notDataActions": none},
	}}}
}
