package arm

import (
	"net/http"
	"strings"
)

// addScaleSets adds the routes of virtual machine scale sets, which have no instances and no
// operations.
func addScaleSets(add adder) {
	const action = "Microsoft.Compute/virtualMachineScaleSets/"
	add(http.MethodPut, "virtualmachinescalesets/*", action+"write", (*Server).putScaleSet)
	add(http.MethodGet, "virtualmachinescalesets/*", action+"read", (*Server).getScaleSet)
	add(http.MethodDelete, "virtualmachinescalesets/*", action+"delete", (*Server).deleteScaleSet)
	add(http.MethodGet, "virtualmachinescalesets", action+"read", (*Server).listScaleSets)
	add(http.MethodGet, "@virtualmachinescalesets", action+"read", (*Server).listScaleSets)
}

func (s *Server) putScaleSet(rq *request) answer {
	var in vmBody
	if bad := rq.decode(&in); bad != nil {
		return bad.answer()
	}
	location, bad := s.location(in.Location, "virtualMachineScaleSets")
	if bad != nil {
		return bad.answer()
	}
	in.ID, in.Name, in.Location = rq.target.id("virtualMachineScaleSets"), rq.target.name(), location
	in.Type = computeNamespace + "/virtualMachineScaleSets"
	profile, _ := in.Properties["virtualMachineProfile"].(map[string]any)
	storage, _ := profile["storageProfile"].(map[string]any)
	if bad := s.resolveImage(storage, location); bad != nil {
		return bad.answer()
	}
	if in.Properties == nil {
		in.Properties = map[string]any{}
	}
	in.Properties["provisioningState"] = "Succeeded"
	status := http.StatusCreated
	if s.state.scaleSets[fold(in.ID)] != nil {
		status = http.StatusOK
	}
	s.ensureGroup(rq.target, location)
	s.state.scaleSets[fold(in.ID)] = &in
	return answer{status: status, body: in}
}

func (s *Server) getScaleSet(rq *request) answer {
	id := rq.target.id("virtualMachineScaleSets")
	if set := s.state.scaleSets[fold(id)]; set != nil {
		return answer{status: http.StatusOK, body: set}
	}
	return resourceNotFound(rq.target).answer()
}

func (s *Server) deleteScaleSet(rq *request) answer {
	id := fold(rq.target.id("virtualMachineScaleSets"))
	if s.state.scaleSets[id] == nil {
		return answer{status: http.StatusNoContent}
	}
	delete(s.state.scaleSets, id)
	return answer{status: http.StatusOK}
}

func (s *Server) listScaleSets(rq *request) answer {
	return page(s, rq, s.state.scaleSets, func(set *vmBody) (any, bool) { return set, true })
}

// resolveImage writes into a storage profile which version a definition stands for now, as Azure
// does.
func (s *Server) resolveImage(storage map[string]any, location string) *armError {
	reference, _ := storage["imageReference"].(map[string]any)
	id, _ := reference["id"].(string)
	t, bad := parseTarget(id)
	if bad != nil || t.key() != "galleries/*/images/*" {
		return nil
	}
	latest := s.latestVersion(id, location)
	if latest == nil { // code and words are not recorded
		return computeError(http.StatusNotFound, "GalleryImageNotFound", "imageReference",
			"The gallery image %s is not available in %s region. Please contact image owner to replicate to this region, or change your requested region.", id, location)
	}
	reference["exactVersion"] = latest.version.Name
	return nil
}

// Latest is the name of the version that a definition's latest stands for in a region, or empty.
func (s *Server) Latest(definitionID, location string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.endDue()
	if r := s.latestVersion(definitionID, regionName(location)); r != nil {
		return r.version.Name
	}
	return ""
}

// latestVersion is the highest version of a definition that has a replica in the region and is
// hidden from latest neither by its own flag nor by the region's.
func (s *Server) latestVersion(definition, location string) *versionRecord {
	var best *versionRecord
	for id, r := range s.state.versions {
		p := r.version.Properties
		if !strings.HasPrefix(id, fold(definition)+"/versions/") || r.softDeleted != nil || p.ProvisioningState != "Succeeded" || p.PublishingProfile.ExcludeFromLatest {
			continue
		}
		for _, region := range p.PublishingProfile.TargetRegions {
			hidden := region.ExcludeFromLatest != nil && *region.ExcludeFromLatest
			if regionName(region.Name) == location && !hidden && (best == nil || higherVersion(r.version.Name, best.version.Name)) {
				best = r
			}
		}
	}
	return best
}

// AddScaleSet adds a scale set that makes its instances from an image, a version or, as it is now,
// the latest version of a definition. It panics on an id of another type, and where a definition
// has no version in the location.
func (s *Server) AddScaleSet(id, location, imageID string) {
	t := mustTarget(id, "virtualmachinescalesets/*")
	s.mu.Lock()
	defer s.mu.Unlock()
	storage := map[string]any{"imageReference": map[string]any{"id": imageID}}
	if bad := s.resolveImage(storage, regionName(location)); bad != nil {
		panic("arm: " + bad.Message)
	}
	s.ensureGroup(t, regionName(location))
	s.state.scaleSets[fold(id)] = &vmBody{
		ID: id, Name: t.name(), Location: regionName(location), Type: computeNamespace + "/virtualMachineScaleSets",
		Properties: map[string]any{"provisioningState": "Succeeded", "virtualMachineProfile": map[string]any{"storageProfile": storage}},
	}
}
