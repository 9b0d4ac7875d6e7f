package arm

import (
	"maps"
	"net/http"
	"path"
	"slices"
	"strings"
)

// wide finds the route of a request that is not for one provider. Other clients send such requests
// before they work.
func (s *Server) wide(rq *request) (route, bool) {
	segments := strings.Split(strings.Trim(path.Clean("/"+fold(rq.http.URL.Path)), "/"), "/")
	if rq.http.Method != http.MethodGet {
		return route{}, false
	}
	switch {
	case len(segments) == 1 && segments[0] == "tenants":
		return route{handle: (*Server).listTenants}, true
	case len(segments) == 1 && segments[0] == "subscriptions":
		return route{action: "Microsoft.Resources/subscriptions/read", handle: (*Server).listSubscriptions}, true
	case len(segments) == 2 && segments[0] == "subscriptions":
		return route{action: "Microsoft.Resources/subscriptions/read", handle: (*Server).getSubscription}, true
	case len(segments) == 3 && segments[0] == "subscriptions" && segments[2] == "resources":
		return route{action: "Microsoft.Resources/subscriptions/resources/read", handle: (*Server).listResources}, true
	}
	return route{}, false
}

func (s *Server) listTenants(*request) answer {
	return list([]any{map[string]any{"id": "/tenants/" + tenantID, "tenantId": tenantID, "displayName": "Local Azure", "tenantCategory": "Home"}})
}

// listSubscriptions lists those in which something was made.
func (s *Server) listSubscriptions(*request) answer {
	ids := map[string]bool{}
	for id := range s.state.groups {
		if t, bad := parseTarget(id); bad == nil {
			ids[t.subscription] = true
		}
	}
	value := []any{}
	for _, id := range slices.Sorted(maps.Keys(ids)) {
		value = append(value, subscription(id))
	}
	return list(value)
}

func (s *Server) getSubscription(rq *request) answer {
	return answer{status: http.StatusOK, body: subscription(rq.target.subscription)}
}

func subscription(id string) map[string]any {
	return map[string]any{
		"id": "/subscriptions/" + id, "subscriptionId": id, "tenantId": tenantID, "displayName": "Local Azure", "state": "Enabled",
		"authorizationSource": "RoleBased", "managedByTenants": []any{},
		"subscriptionPolicies": map[string]any{"locationPlacementId": "Public_2014-09-01", "quotaId": "PayAsYouGo_2014-09-01", "spendingLimit": "Off"},
	}
}

// resource is what a list of all resources says about each.
type resource struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Type     string `json:"type"`
	Location string `json:"location"`
	Tags     tags   `json:"tags,omitzero"`
}

func (s *Server) listResources(rq *request) answer {
	all := map[string]resource{}
	for id, r := range s.state.images {
		all[id] = resource{r.image.ID, r.image.Name, r.image.Type, r.image.Location, r.image.Tags}
	}
	for id, m := range s.state.vms {
		b := m.body(s, false)
		all[id] = resource{b.ID, b.Name, b.Type, b.Location, b.Tags}
	}
	for id, r := range s.state.disks {
		all[id] = resource{r.body.ID, r.body.Name, r.body.Type, r.body.Location, r.body.Tags}
	}
	for id, r := range s.state.galleries {
		all[id] = resource{r.body.ID, r.body.Name, r.body.Type, r.body.Location, r.body.Tags}
	}
	for id, r := range s.state.versions {
		all[id] = resource{r.version.ID, r.version.Name, r.version.Type, r.version.Location, r.version.Tags}
	}
	value := []any{}
	for _, id := range slices.Sorted(maps.Keys(all)) {
		if strings.HasPrefix(id, fold("/subscriptions/"+rq.target.subscription+"/")) {
			value = append(value, all[id])
		}
	}
	return list(value)
}

func list(value []any) answer {
	return answer{status: http.StatusOK, body: map[string]any{"value": value}}
}
