package arm

import (
	"maps"
	"net/http"
	"sort"
	"strings"
)

type resourceGroup struct {
	ID         string            `json:"id"`
	Name       string            `json:"name"`
	Type       string            `json:"type"`
	Location   string            `json:"location"`
	Tags       map[string]string `json:"tags,omitzero"`
	Properties struct {
		ProvisioningState string `json:"provisioningState"`
	} `json:"properties"`
}

func addGroups(add adder) {
	const action = "Microsoft.Resources/subscriptions/resourceGroups/"
	add(http.MethodPut, "resourcegroups/*", action+"write", (*Server).putGroup)
	add(http.MethodGet, "resourcegroups/*", action+"read", (*Server).getGroup)
	add(http.MethodHead, "resourcegroups/*", action+"read", (*Server).headGroup)
	add(http.MethodDelete, "resourcegroups/*", action+"delete", (*Server).deleteGroup)
	add(http.MethodGet, "operationresults/*", action+"read", (*Server).getGroupResult)
	add(http.MethodGet, "resourcegroups", action+"read", (*Server).listGroups)
}

// AddGroup creates a resource group, which only Options.RequireGroups makes necessary.
func (s *Server) AddGroup(subscription, name, location string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.makeGroup(target{subscription: subscription, group: name}, regionName(location))
}

func groupID(t target) string {
	return "/subscriptions/" + t.subscription + "/resourceGroups/" + t.group
}

func (s *Server) makeGroup(t target, location string) *resourceGroup {
	g := &resourceGroup{ID: groupID(t), Name: t.group, Type: "Microsoft.Resources/resourceGroups", Location: location}
	g.Properties.ProvisioningState = "Succeeded"
	s.state.groups[fold(g.ID)] = g
	return g
}

// admitGroup refuses resources in a resource group that does not exist.
func (s *Server) admitGroup(rq *request) *armError {
	if rq.target.group == "" || rq.target.namespace == "" || !s.options.RequireGroups || s.state.groups[fold(groupID(rq.target))] != nil {
		return nil
	}
	return groupNotFound(rq.target)
}

func groupNotFound(t target) *armError {
	return gatewayError(http.StatusNotFound, "ResourceGroupNotFound", "Resource group '%s' could not be found.", t.group)
}

// ensureGroup creates the group of a new resource, unless groups are required.
func (s *Server) ensureGroup(t target, location string) {
	if s.state.groups[fold(groupID(t))] == nil {
		s.makeGroup(t, location)
	}
}

func (s *Server) putGroup(rq *request) answer {
	var in resourceGroup
	if bad := rq.decode(&in); bad != nil {
		return bad.answer()
	}
	if !validGroup(rq.target.group) {
		return gatewayError(http.StatusBadRequest, "InvalidResourceGroup", "The provided resource group name '%s' has invalid characters, "+
			"ends with a period or is longer than 90 characters.", rq.target.group).answer()
	}
	location, bad := s.location(in.Location, "resourceGroups")
	if bad != nil {
		return bad.answer()
	}
	had, status := s.state.groups[fold(groupID(rq.target))], http.StatusOK
	switch {
	case had == nil:
		had, status = s.makeGroup(rq.target, location), http.StatusCreated
	case had.Location != location:
		return gatewayError(http.StatusConflict, "InvalidResourceGroupLocation", "Invalid resource group location '%s'. "+
			"The Resource group already exists in location '%s'.", location, had.Location).answer()
	}
	had.Tags = in.Tags
	return answer{status: status, body: *had}
}

func (s *Server) getGroup(rq *request) answer {
	if g := s.state.groups[fold(groupID(rq.target))]; g != nil {
		return answer{status: http.StatusOK, body: *g}
	}
	return groupNotFound(rq.target).answer()
}

func (s *Server) headGroup(rq *request) answer {
	if s.state.groups[fold(groupID(rq.target))] != nil {
		return answer{status: http.StatusNoContent}
	}
	return answer{status: http.StatusNotFound}
}

// deleteGroup deletes a group with all that is in it. What Azure has deleted already during the
// operation is unknown; here everything goes at its end, at once.
func (s *Server) deleteGroup(rq *request) answer {
	id := groupID(rq.target)
	g := s.state.groups[fold(id)]
	if g == nil {
		return groupNotFound(rq.target).answer()
	}
	g.Properties.ProvisioningState = "Deleting"
	op := s.begin(rq, operation{region: g.Location, resource: fold(id), apply: func(failed bool) {
		if failed {
			g.Properties.ProvisioningState = "Succeeded"
			return
		}
		s.state.empty(id)
	}}, s.options.scaled(groupDeletion))
	a := answer{status: http.StatusAccepted}
	a.set("Location", s.groupResultURL(rq, op))
	a.set("Retry-After", "15")
	return a
}

func (s *Server) groupResultURL(rq *request, op *operation) string {
	return s.endpointOf(rq) + s.signer.sign("/subscriptions/"+op.subscription+"/operationresults/"+op.id, rq.apiVersion, false, rq.now)
}

// getGroupResult answers 202 until the group has gone.
func (s *Server) getGroupResult(rq *request) answer {
	if !s.signer.verify(rq.http.URL.Path, rq.query) {
		return badSignature().answer()
	}
	op := s.state.operations[fold(rq.target.name())]
	switch {
	case op == nil || op.vanished:
		return entityNotFound().answer()
	case op.failure != nil && op.over: // not recorded
		return computeError(http.StatusConflict, op.failure.Code, "", "%s", op.failure.Message).answer()
	case op.over:
		return answer{status: http.StatusOK}
	}
	a := answer{status: http.StatusAccepted}
	a.set("Location", s.groupResultURL(rq, op))
	a.set("Retry-After", "15")
	return a
}

// empty removes a group and everything whose id lies below it.
func (s *state) empty(group string) {
	delete(s.groups, fold(group))
	inside := fold(group) + "/"
	remove(s.images, inside)
	remove(s.vms, inside)
	remove(s.disks, inside)
	remove(s.galleries, inside)
	remove(s.versions, inside)
	remove(s.scaleSets, inside)
	remove(s.locks, inside)
}

func remove[T any](from map[string]T, inside string) {
	maps.DeleteFunc(from, func(id string, _ T) bool { return strings.HasPrefix(id, inside) })
}

func (s *Server) listGroups(rq *request) answer {
	all := []resourceGroup{}
	for _, g := range s.state.groups {
		if t, bad := parseTarget(g.ID); bad == nil && fold(t.subscription) == fold(rq.target.subscription) {
			all = append(all, *g)
		}
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Name < all[j].Name })
	return answer{status: http.StatusOK, body: map[string]any{"value": all}}
}
