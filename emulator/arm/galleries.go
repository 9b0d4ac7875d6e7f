package arm

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// galleryRecord is a gallery or one of its definitions. Their properties are kept as they came.
type galleryRecord struct {
	body galleryBody
}

type galleryBody struct {
	Name       string         `json:"name"`
	ID         string         `json:"id"`
	Type       string         `json:"type"`
	Location   string         `json:"location"`
	Tags       tags           `json:"tags,omitzero"`
	Identity   map[string]any `json:"identity,omitempty"`
	Properties map[string]any `json:"properties"`
}

const galleryDuration = 100 * time.Millisecond // galleries and definitions: 0.08 to 0.25 s

func addGalleries(add adder) {
	const action = "Microsoft.Compute/galleries/"
	for key, prefix := range map[string]string{"galleries": action, "galleries/*/images": action + "images/"} {
		add(http.MethodPut, key+"/*", prefix+"write", (*Server).putGallery)
		add(http.MethodGet, key+"/*", prefix+"read", (*Server).getGallery)
		add(http.MethodDelete, key+"/*", prefix+"delete", (*Server).deleteGallery)
		add(http.MethodGet, key, prefix+"read", (*Server).listGalleries)
	}
	add(http.MethodGet, "@galleries", action+"read", (*Server).listGalleries)
	addVersions(add)
}

// nested is the id of what the target names below its group, whose types have Azure's spelling.
func (t target) nested() string {
	var b strings.Builder
	b.WriteString("/subscriptions/" + t.subscription + "/resourceGroups/" + t.group + "/providers/" + computeNamespace)
	for i, name := range t.names {
		b.WriteString("/" + strings.ToLower(t.types[i]) + "/" + name)
	}
	return b.String()
}

// parent is the target one level up.
func (t target) parent() target {
	t.types, t.names = t.types[:len(t.types)-1], t.names[:len(t.types)-1]
	return t
}

func (t target) last() string { return t.names[len(t.names)-1] }

// Definition is a gallery's image definition, as far as versions have to agree with it.
type Definition struct {
	ID               string
	Location         string
	OSType           string // empty: Linux
	OSState          string // empty: Generalized
	HyperVGeneration string // empty: V2
	SecurityType     string // such as TrustedLaunch, or empty
}

// AddGallery adds a gallery. It panics on an id of another type.
func (s *Server) AddGallery(id, location string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keepGallery(mustTarget(id, "galleries/*"), location, map[string]any{})
}

// AddDefinition adds a definition and its gallery. It panics on an id of another type.
func (s *Server) AddDefinition(d Definition) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := mustTarget(d.ID, "galleries/*/images/*")
	setDefault(&d.OSType, "Linux")
	setDefault(&d.OSState, "Generalized")
	setDefault(&d.HyperVGeneration, "V2")
	if s.state.galleries[fold(t.parent().nested())] == nil {
		s.keepGallery(t.parent(), d.Location, map[string]any{})
	}
	p := map[string]any{
		"osType": d.OSType, "osState": d.OSState, "hyperVGeneration": d.HyperVGeneration, "architecture": "x64",
		"identifier": map[string]any{"publisher": "goldmint", "offer": t.names[0], "sku": t.last()},
	}
	if d.SecurityType != "" {
		p["features"] = []any{map[string]any{"name": "SecurityType", "value": d.SecurityType}}
	}
	s.keepGallery(t, d.Location, p)
}

func mustTarget(id, key string) target {
	t, bad := parseTarget(id)
	if bad != nil || t.key() != key {
		panic("arm: not the id of " + key + ": " + id)
	}
	return t
}

func (s *Server) keepGallery(t target, location string, properties map[string]any) *galleryRecord {
	properties["provisioningState"] = "Succeeded"
	if len(t.names) == 1 {
		properties["identifier"] = map[string]any{"uniqueName": t.subscription + "-" + strings.ToUpper(t.last())}
	}
	typ := computeNamespace + "/" + strings.ToLower(strings.Join(t.types, "/"))
	r := &galleryRecord{galleryBody{Name: t.last(), ID: t.nested(), Type: typ, Location: regionName(location), Properties: properties}}
	s.ensureGroup(t, r.body.Location)
	s.state.galleries[fold(r.body.ID)] = r
	delete(s.state.gone, fold(r.body.ID))
	return r
}

func (s *Server) putGallery(rq *request) answer {
	var in galleryBody
	if bad := rq.decode(&in); bad != nil {
		return bad.answer()
	}
	location, bad := s.location(in.Location, strings.Join(rq.target.types, "/"))
	if bad != nil {
		return bad.answer()
	}
	id, limits := rq.target.nested(), galleryLimits[len(rq.target.names)-1]
	if a, refused := s.limit(rq, location, id, limits.write); refused {
		return a
	}
	had := s.state.galleries[fold(id)]
	if bad := s.checkGallery(rq, had, &in); bad != nil {
		return bad.answer()
	}
	status, state := http.StatusCreated, "Creating"
	if had != nil {
		if bad := sameLocation(rq.target, had.body.Location, location); bad != nil {
			return bad.answer()
		}
		status, state = http.StatusOK, "Updating"
	}
	r := s.keepGallery(rq.target, location, in.Properties)
	r.body.Tags, r.body.Identity = in.Tags, in.Identity
	r.body.Properties["provisioningState"] = state
	shown := r.body
	shown.Properties = maps.Clone(shown.Properties)
	op := s.begin(rq, operation{region: location, segment: "capsOperations", resource: fold(id), apply: func(failed bool) {
		r.body.Properties["provisioningState"] = "Succeeded"
		if failed {
			r.body.Properties["provisioningState"] = "Failed"
		}
	}}, s.options.scaled(galleryDuration))
	return s.accepted(rq, op, status, shown)
}

// checkGallery refuses what cannot be put, and fills in the defaults of a definition.
func (s *Server) checkGallery(rq *request, had *galleryRecord, in *galleryBody) *armError {
	in.Properties = maps.Clone(in.Properties)
	if in.Properties == nil {
		in.Properties = map[string]any{}
	}
	if !validName(rq.target.last()) || (len(rq.target.names) == 1 && strings.Contains(rq.target.last(), "-")) {
		return invalidName([]string{"galleryName", "galleryImageName"}[len(rq.target.names)-1])
	}
	if len(rq.target.names) == 1 {
		return nil
	}
	if bad := s.parentExists(rq.target); bad != nil {
		return bad
	}
	p := in.Properties
	for _, name := range []string{"osType", "osState", "identifier"} {
		if p[name] == nil {
			return missingParameter("galleryImage.properties." + name)
		}
	}
	if disallowed, ok := p["disallowed"].(map[string]any); ok && len(disallowed) == 0 {
		delete(p, "disallowed")
	}
	modern := rq.apiVersion >= "2025-03-03"
	if p["hyperVGeneration"] == nil {
		p["hyperVGeneration"] = map[bool]string{false: "V1", true: "V2"}[modern]
		if modern && p["features"] == nil {
			p["features"] = []any{map[string]any{"name": "SecurityType", "value": "TrustedLaunchSupported"}}
		}
	}
	if p["architecture"] == nil && rq.apiVersion >= "2021-10-01" {
		p["architecture"] = "x64"
	}
	spellSecurityType(p)
	if had == nil {
		return nil
	}
	for _, name := range []string{"osType", "osState", "hyperVGeneration"} {
		if p[name] != had.body.Properties[name] {
			return changeNotAllowed("galleryImage.properties." + name)
		}
	}
	return nil
}

// spellSecurityType writes the feature's value as Azure answers it.
func spellSecurityType(p map[string]any) {
	features, _ := p["features"].([]any)
	for _, f := range features {
		feature, _ := f.(map[string]any)
		value, _ := feature["value"].(string)
		for _, known := range []string{
			"Standard", "TrustedLaunchSupported", "TrustedLaunch", "ConfidentialVMSupported", "ConfidentialVM", "TrustedLaunchAndConfidentialVmSupported",
		} {
			if feature["name"] == "SecurityType" && strings.EqualFold(value, known) {
				feature["value"] = known
			}
		}
	}
}

// securityType is the security type of a definition, or empty.
func (r *galleryRecord) securityType() string {
	features, _ := r.body.Properties["features"].([]any)
	for _, f := range features {
		if feature, _ := f.(map[string]any); feature["name"] == "SecurityType" {
			value, _ := feature["value"].(string)
			return value
		}
	}
	return ""
}

func (s *Server) parentExists(t target) *armError {
	parent := t.parent()
	if s.state.galleries[fold(parent.nested())] != nil {
		return nil
	}
	return gatewayError(http.StatusNotFound, "ParentResourceNotFound",
		"Can not perform requested operation on nested resource. Parent resource '%s' not found.", strings.Join(parent.names, "/"))
}

func (s *Server) getGallery(rq *request) answer {
	id := rq.target.nested()
	r := s.state.galleries[fold(id)]
	if r == nil {
		return s.notFound(rq.target, id).answer()
	}
	if a, refused := s.limit(rq, r.body.Location, id, galleryLimits[len(rq.target.names)-1].read); refused {
		return a
	}
	return answer{status: http.StatusOK, body: r.body}
}

func (s *Server) deleteGallery(rq *request) answer {
	id := rq.target.nested()
	r := s.state.galleries[fold(id)]
	if r == nil {
		return answer{status: http.StatusNoContent}
	}
	if a, refused := s.limit(rq, r.body.Location, id, galleryLimits[len(rq.target.names)-1].remove); refused {
		return a
	}
	if inside := s.nestedIn(id); inside != "" {
		return gatewayError(http.StatusConflict, "CannotDeleteResource", "Cannot delete resource while nested resources exist. Some existing nested resource "+
			"IDs include: '%s'. Please delete all nested resources before deleting this resource.", inside).answer()
	}
	r.body.Properties["provisioningState"] = "Deleting"
	op := s.begin(rq, operation{region: r.body.Location, segment: "capsOperations", resource: fold(id), apply: func(failed bool) {
		if !failed && s.state.galleries[fold(id)] == r {
			delete(s.state.galleries, fold(id))
			s.state.gone[fold(id)] = true
		}
	}}, s.options.scaled(galleryDuration))
	return s.accepted(rq, op, http.StatusAccepted, nil)
}

// nestedIn is an id of something in the gallery or definition, or empty.
func (s *Server) nestedIn(id string) string {
	inside := fold(id) + "/"
	for _, ids := range [][]string{slices.Sorted(maps.Keys(s.state.galleries)), slices.Sorted(maps.Keys(s.state.versions))} {
		for _, other := range ids {
			if strings.HasPrefix(other, inside) {
				return other
			}
		}
	}
	return ""
}

func (s *Server) listGalleries(rq *request) answer {
	return page(s, rq, s.state.galleries, func(r *galleryRecord) (any, bool) { return r.body, true })
}
