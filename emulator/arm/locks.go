package arm

import (
	"maps"
	"net/http"
	"path"
	"slices"
	"strings"
)

// LockLevel is what a lock of Microsoft.Authorization forbids.
type LockLevel string

// The levels of a lock.
const (
	CanNotDelete LockLevel = "CanNotDelete" // deleting what is in its scope
	ReadOnly     LockLevel = "ReadOnly"     // writing there as well, and actions
)

// lock is a lock on a subscription, a resource group or a resource, and on all that is below.
type lock struct {
	scope string // its id, folded
	body  lockBody
}

type lockBody struct {
	Properties lockProperties `json:"properties"`
	ID         string         `json:"id"`
	Type       string         `json:"type"`
	Name       string         `json:"name"`
}

type lockProperties struct {
	Level  LockLevel        `json:"level"`
	Notes  string           `json:"notes,omitempty"`
	Owners []map[string]any `json:"owners,omitempty"`
}

const locksType = authorizationNamespace + "/locks"

// Lock sets a lock on a subscription, a resource group or a resource, by its id. An empty level
// removes it.
func (s *Server) Lock(scope string, level LockLevel) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := newLock(scope, "lock", lockProperties{Level: level})
	s.state.locks[fold(l.body.ID)] = l
	if level == "" {
		delete(s.state.locks, fold(l.body.ID))
	}
}

func newLock(scope, name string, p lockProperties) *lock {
	return &lock{fold(scope), lockBody{Properties: p, ID: scope + "/providers/" + locksType + "/" + name, Type: locksType, Name: name}}
}

// lockRoute finds the route of a path that ends in the locks of a scope, or in one of them.
// Source: Microsoft.Authorization 2016-09-01, ManagementLocks, and a recording of 2020 of az lock.
func lockRoute(r *http.Request) (route, bool) {
	segments := strings.Split(path.Clean("/"+r.URL.Path), "/")
	split := func(from int) (scope string, ok bool) {
		if from < 3 || !strings.EqualFold(segments[1], "subscriptions") {
			return "", false
		}
		ok = strings.EqualFold(strings.Join(segments[from:from+3], "/"), "providers/"+locksType)
		return strings.Join(segments[:from], "/"), ok
	}
	const action = locksType + "/"
	if scope, ok := split(len(segments) - 3); ok && r.Method == http.MethodGet {
		return route{action + "read", func(s *Server, rq *request) answer { return s.listLocks(rq, scope) }}, true
	}
	scope, ok := split(len(segments) - 4)
	if !ok {
		return route{}, false
	}
	name := segments[len(segments)-1]
	switch r.Method {
	case http.MethodPut:
		return route{action + "write", func(s *Server, rq *request) answer { return s.putLock(rq, scope, name) }}, true
	case http.MethodGet:
		return route{action + "read", func(s *Server, _ *request) answer { return s.getLock(scope, name) }}, true
	case http.MethodDelete:
		return route{action + "delete", func(s *Server, _ *request) answer { return s.deleteLock(scope, name) }}, true
	}
	return route{}, false
}

func (s *Server) putLock(rq *request, scope, name string) answer {
	var in lockBody
	if bad := rq.decode(&in); bad != nil {
		return bad.answer()
	}
	if level := in.Properties.Level; level != CanNotDelete && level != ReadOnly { // not recorded
		return invalidContent("The lock level '" + string(level) + "' is not CanNotDelete or ReadOnly.").answer()
	}
	l, status := newLock(scope, name, in.Properties), http.StatusCreated
	if s.state.locks[fold(l.body.ID)] != nil {
		status = http.StatusOK
	}
	s.state.locks[fold(l.body.ID)] = l
	return answer{status: status, body: l.body}
}

func (s *Server) getLock(scope, name string) answer {
	if l := s.state.locks[fold(newLock(scope, name, lockProperties{}).body.ID)]; l != nil {
		return answer{status: http.StatusOK, body: l.body}
	}
	return gatewayError(http.StatusNotFound, "LockNotFound", "The lock '%s' could not be found.", name).answer() // not recorded
}

func (s *Server) deleteLock(scope, name string) answer {
	id := fold(newLock(scope, name, lockProperties{}).body.ID)
	if s.state.locks[id] == nil {
		return answer{status: http.StatusNoContent}
	}
	delete(s.state.locks, id)
	return answer{status: http.StatusOK}
}

// listLocks lists those at the scope, above it and below it; with atScope() those at the scope
// alone.
func (s *Server) listLocks(rq *request, scope string) answer {
	at, only := fold(scope), strings.EqualFold(rq.query.Get("$filter"), "atScope()")
	value := []any{}
	for _, id := range slices.Sorted(maps.Keys(s.state.locks)) {
		l := s.state.locks[id]
		if l.scope == at || (!only && (within(l.scope, at) || within(at, l.scope))) {
			value = append(value, l.body)
		}
	}
	return list(value)
}

// within reports whether a folded id is the scope, or lies below it.
func within(id, scope string) bool {
	return id == scope || strings.HasPrefix(id, scope+"/")
}

// admitLock refuses what a lock at the resource, or anywhere above it, forbids. A resource group
// cannot be deleted while something in it is locked.
func (s *Server) admitLock(rq *request) *armError {
	method := rq.http.Method
	if method == http.MethodGet || method == http.MethodHead || len(s.state.locks) == 0 {
		return nil
	}
	deletes, isGroup := method == http.MethodDelete, rq.target.key() == "resourcegroups/*"
	at := fold(strings.TrimRight(rq.http.URL.Path, "/"))
	var scopes []string
	for _, id := range slices.Sorted(maps.Keys(s.state.locks)) {
		l := s.state.locks[id]
		above := within(at, l.scope) && (deletes || l.body.Properties.Level == ReadOnly)
		if above || (deletes && isGroup && within(l.scope, at)) {
			scopes = append(scopes, l.scope)
		}
	}
	if len(scopes) == 0 {
		return nil
	}
	operation := "write"
	if deletes {
		operation = "delete"
	}
	return gatewayError(http.StatusConflict, "ScopeLocked", "The scope '%s' cannot perform %s operation because following scope(s) are locked: '%s'. "+
		"Please remove the lock and try again.", rq.http.URL.Path, operation, strings.Join(slices.Compact(scopes), "', '"))
}
