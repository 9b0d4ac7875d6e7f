package arm

import (
	"net/http"
	"sort"
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

// admitGroup refuses what is said to live in a resource group that does not exist.
func (s *Server) admitGroup(rq *request) *armError {
	if rq.target.group == "" || rq.target.namespace == "" || !s.options.RequireGroups || s.state.groups[fold(groupID(rq.target))] != nil {
		return nil
	}
	return groupNotFound(rq.target)
}

func groupNotFound(t target) *armError {
	return gatewayError(http.StatusNotFound, "ResourceGroupNotFound", "Resource group '%s' could not be found.", t.group)
}

// ensureGroup lets the group of a new resource spring up, where groups are not required.
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
