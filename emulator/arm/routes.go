package arm

import (
	"net/http"
	"slices"
	"strings"
)

// route is what the server does for one method on one kind of path.
type route struct {
	action string // the RBAC action that the caller needs
	handle func(*Server, *request) answer
}

// routes are keyed by method and target.key.
func routes() map[string]route {
	table := map[string]route{}
	add := func(method, key, action string, handle func(*Server, *request) answer) {
		table[method+" "+key] = route{action: action, handle: handle}
	}
	addImages(add)
	addVirtualMachines(add)
	addDisks(add)
	addGalleries(add)
	addSoftDeleted(add)
	addScaleSets(add)
	addGroups(add)
	addOperations(add)
	return table
}

type adder = func(method, key, action string, handle func(*Server, *request) answer)

func (s *Server) route(method string, t target) (route, *armError) {
	if isPermissions(method, t) {
		return route{action: permissionsAction, handle: (*Server).getPermissions}, nil
	}
	key := t.key()
	if rt, ok := s.routes[method+" "+key]; ok && s.serves(t) {
		return rt, nil
	}
	if rt, ok := routeElsewhere(method, t); ok {
		return rt, nil
	}
	if t.namespace != "" && !strings.EqualFold(t.namespace, computeNamespace) {
		return route{}, gatewayError(http.StatusNotFound, "InvalidResourceNamespace", "The resource namespace '%s' is invalid.", t.namespace)
	}
	if !s.knows(key) {
		return route{}, gatewayError(http.StatusNotFound, "InvalidResourceType",
			"The resource type '%s' could not be found in the namespace '%s'.", strings.Join(t.types, "/"), t.namespace)
	}
	return route{}, gatewayError(http.StatusMethodNotAllowed, "MethodNotAllowed", "The requested resource does not support http method '%s'.", method)
}

func (s *Server) serves(t target) bool {
	return t.namespace == "" || strings.EqualFold(t.namespace, computeNamespace)
}

func (s *Server) knows(key string) bool {
	for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodPost, http.MethodDelete, http.MethodPatch, http.MethodHead} {
		if _, ok := s.routes[method+" "+key]; ok {
			return true
		}
	}
	return false
}

// Actions lists the RBAC actions that the server knows, sorted: what a role may have to allow.
func (s *Server) Actions() []string {
	var all []string
	for _, rt := range s.routes {
		all = append(all, rt.action)
	}
	slices.Sort(all)
	return slices.Compact(all)
}
