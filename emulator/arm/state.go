package arm

import "net/http"

// tenantID is the directory that the server's callers are said to live in.
const tenantID = "44444444-4444-4444-4444-444444444444"

// state is everything that exists, by folded id.
type state struct {
	groups         map[string]*resourceGroup
	images         map[string]*imageRecord
	vms            map[string]*machine
	galleries      map[string]*galleryRecord // galleries and their definitions
	versions       map[string]*versionRecord
	failingRegions map[string]string // by version id: the failures set by FailNextRegion
	scaleSets      map[string]*vmBody
	disks          map[string]*diskRecord // disks, snapshots and disk encryption sets
	blobs          map[string]Blob        // by URI
	operations     map[string]*operation  // by operation id
	pending        []*operation           // not yet over, the next to end first
	ended          []Action               // not yet reported
	failures       map[string]opError     // by resource id: the failures set by FailNext
	regions        map[string]region      // by name
	gone           map[string]bool        // by resource id: deleted, without a request since
	locks          map[string]*lock       // by the lock's id
}

func newState(cloud Cloud) state {
	return state{
		groups:         map[string]*resourceGroup{},
		images:         map[string]*imageRecord{},
		vms:            map[string]*machine{},
		galleries:      map[string]*galleryRecord{},
		versions:       map[string]*versionRecord{},
		failingRegions: map[string]string{},
		scaleSets:      map[string]*vmBody{},
		disks:          map[string]*diskRecord{},
		blobs:          map[string]Blob{},
		operations:     map[string]*operation{},
		failures:       map[string]opError{},
		regions:        regions(cloud),
		gone:           map[string]bool{},
		locks:          map[string]*lock{},
	}
}

// location checks the location of a new resource, and returns it in the form that ARM stores.
func (s *Server) location(given, typ string) (string, *armError) {
	if given == "" {
		return "", gatewayError(http.StatusBadRequest, "LocationRequired", "The location property is required for this definition.")
	}
	name := regionName(given)
	if _, ok := s.state.regions[name]; !ok {
		return "", gatewayError(http.StatusBadRequest, "LocationNotAvailableForResourceType",
			"The provided location '%s' is not available for resource type '%s/%s'.", given, computeNamespace, typ)
	}
	return name, nil
}

// sameLocation refuses to move a resource that exists.
func sameLocation(t target, had, asked string) *armError {
	if had == asked {
		return nil
	}
	return gatewayError(http.StatusConflict, "InvalidResourceLocation", "The resource '%s' already exists in location '%s' in resource group '%s'. "+
		"A resource with the same name cannot be created in location '%s'. Please select a new resource name.", t.name(), had, t.group, asked)
}
