package arm

import (
	"net/http"
	"slices"
	"strings"
)

// elsewhere are types of resources that Azure has and this server does not have. Clients look for
// some of them beside a VM or a disk. Their lists are empty, and they cannot be made.
func elsewhere(namespace string) []string {
	switch fold(namespace) {
	case "microsoft.compute":
		return []string{
			"availabilitysets", "capacityreservationgroups", "diskaccesses", "hostgroups", "proximityplacementgroups", "restorepointcollections",
			"sshpublickeys", "virtualmachines/extensions", "virtualmachines/runcommands",
		}
	case "microsoft.managedidentity":
		return []string{"userassignedidentities"}
	case "microsoft.network":
		return []string{"networkinterfaces", "networksecuritygroups", "publicipaddresses", "virtualnetworks", "virtualnetworks/subnets"}
	case "microsoft.storage":
		return []string{"storageaccounts"}
	}
	return nil
}

// routeElsewhere answers for such a type like an Azure without any such resource.
func routeElsewhere(method string, t target) (route, bool) {
	if !slices.Contains(elsewhere(t.namespace), fold(strings.Join(t.types, "/"))) {
		return route{}, false
	}
	named := len(t.names) == len(t.types)
	action := t.resourceType()
	switch {
	case method == http.MethodGet && named:
		return route{action: action + "/read", handle: func(_ *Server, rq *request) answer { return resourceNotFound(rq.target).answer() }}, true
	case method == http.MethodGet:
		return route{action: action + "/read", handle: func(*Server, *request) answer { return list([]any{}) }}, true
	case method == http.MethodDelete && named:
		return route{action: action + "/delete", handle: func(*Server, *request) answer { return answer{status: http.StatusNoContent} }}, true
	}
	return route{}, false
}
