package arm

import (
	"net/http"
	"strings"
)

// LockLevel is what a lock of Microsoft.Authorization forbids.
type LockLevel string

// The levels of a lock.
const (
	CanNotDelete LockLevel = "CanNotDelete" // deleting what is in its scope
	ReadOnly     LockLevel = "ReadOnly"     // writing there as well, and actions
)

// Lock sets a lock on a subscription, a resource group or a resource, by its id. An empty level takes it away.
func (s *Server) Lock(scope string, level LockLevel) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if level == "" {
		delete(s.state.locks, fold(scope))
		return
	}
	s.state.locks[fold(scope)] = level
}

// admitLock refuses what a lock at the resource, or anywhere above it, forbids.
func (s *Server) admitLock(rq *request) *armError {
	method := rq.http.Method
	if method == http.MethodGet || method == http.MethodHead || len(s.state.locks) == 0 {
		return nil
	}
	path := fold(strings.TrimRight(rq.http.URL.Path, "/"))
	for scope, level := range s.state.locks {
		if (path != scope && !strings.HasPrefix(path, scope+"/")) || (level == CanNotDelete && method != http.MethodDelete) {
			continue
		}
		operation := "write"
		if method == http.MethodDelete {
			operation = "delete"
		}
		return gatewayError(http.StatusConflict, "ScopeLocked", "The scope '%s' cannot perform %s operation because following scope(s) are locked: '%s'. "+
			"Please remove the lock and try again.", rq.http.URL.Path, operation, scope)
	}
	return nil
}
