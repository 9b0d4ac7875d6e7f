package arm

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// versionRecord is a gallery image version and what is happening to it.
type versionRecord struct {
	version     version
	busy        *operation
	deleting    bool
	softDeleted *softDeletion // nil: it is not
	spread      replication
}

// version is the GalleryImageVersion resource.
type version struct {
	Name       string            `json:"name"`
	ID         string            `json:"id"`
	Type       string            `json:"type"`
	Location   string            `json:"location"`
	Tags       tags              `json:"tags,omitzero"`
	Properties versionProperties `json:"properties"`
}

type versionProperties struct {
	PublishingProfile  publishingProfile `json:"publishingProfile"`
	StorageProfile     versionStorage    `json:"storageProfile"`
	SafetyProfile      safetyProfile     `json:"safetyProfile,omitzero"`
	SecurityProfile    map[string]any    `json:"securityProfile,omitempty"`
	ValidationsProfile map[string]any    `json:"validationsProfile,omitempty"`
	ReplicationStatus  any               `json:"replicationStatus,omitempty"`
	ProvisioningState  string            `json:"provisioningState,omitempty"`
	Restore            *bool             `json:"restore,omitempty"` // of a PUT alone
}

type publishingProfile struct {
	TargetRegions      []targetRegion `json:"targetRegions"`
	ReplicaCount       int            `json:"replicaCount"`
	ExcludeFromLatest  bool           `json:"excludeFromLatest"`
	PublishedDate      string         `json:"publishedDate,omitempty"`
	EndOfLifeDate      string         `json:"endOfLifeDate,omitempty"`
	StorageAccountType string         `json:"storageAccountType,omitempty"`
	ReplicationMode    string         `json:"replicationMode,omitempty"`
}

type targetRegion struct {
	Name                 string         `json:"name"`
	RegionalReplicaCount int            `json:"regionalReplicaCount"`
	StorageAccountType   string         `json:"storageAccountType,omitempty"`
	ExcludeFromLatest    *bool          `json:"excludeFromLatest,omitempty"`
	Encryption           map[string]any `json:"encryption,omitempty"`
}

type versionStorage struct {
	Source         *versionSource `json:"source,omitempty"`
	OSDiskImage    *versionDisk   `json:"osDiskImage,omitempty"`
	DataDiskImages []versionDisk  `json:"dataDiskImages,omitempty"`
}

type versionSource struct {
	ID                      string `json:"id,omitempty"`
	VirtualMachineID        string `json:"virtualMachineId,omitempty"`
	CommunityGalleryImageID string `json:"communityGalleryImageId,omitempty"`
	StorageAccountID        string `json:"storageAccountId,omitempty"`
	URI                     string `json:"uri,omitempty"`
}

type versionDisk struct {
	Lun         *int32         `json:"lun,omitempty"`
	SizeInGB    int32          `json:"sizeInGB,omitempty"`
	HostCaching string         `json:"hostCaching,omitempty"`
	Source      *versionSource `json:"source,omitempty"`
}

type safetyProfile struct {
	ReportedForPolicyViolation        bool  `json:"reportedForPolicyViolation"`
	BlockDeletionBeforeEndOfLife      *bool `json:"blockDeletionBeforeEndOfLife,omitempty"`
	AllowDeletionOfReplicatedLocation bool  `json:"allowDeletionOfReplicatedLocations"`
	hidden                            bool
}

func (p safetyProfile) IsZero() bool { return p.hidden }

func addVersions(add adder) {
	const key, action = "galleries/*/images/*/versions", "Microsoft.Compute/galleries/images/versions/"
	add(http.MethodPut, key+"/*", action+"write", (*Server).putVersion)
	add(http.MethodGet, key+"/*", action+"read", (*Server).getVersion)
	add(http.MethodDelete, key+"/*", action+"delete", (*Server).deleteVersion)
	add(http.MethodGet, key, action+"read", (*Server).listVersions)
	add(http.MethodGet, "@locations/*/capsoperations/*", "Microsoft.Compute/locations/capsOperations/read", (*Server).getOperation)
}

func (s *Server) putVersion(rq *request) answer {
	var in version
	if bad := rq.decode(&in); bad != nil {
		return bad.answer()
	}
	location, bad := s.location(in.Location, "galleries/images/versions")
	if bad != nil {
		return bad.answer()
	}
	id := rq.target.nested()
	in.Name, in.ID, in.Type, in.Location = rq.target.last(), id, computeNamespace+"/galleries/images/versions", location
	if bad := s.parentExists(rq.target); bad != nil {
		return bad.answer()
	}
	if a, refused := s.limit(rq, location, id, putVersionLimit); refused {
		return a
	}
	if !validVersion(in.Name) {
		return invalidParameter("galleryImageVersionName", "The image version name is invalid. The image version name should follow "+
			"Major(int).Minor(int).Patch(int) format, for e.g: 1.0.0, 2018.12.1 etc").answer()
	}
	had := s.state.versions[fold(id)]
	if had != nil && had.softDeleted != nil && !had.deleting && in.asksRestore() {
		return s.restore(rq, had)
	}
	in.Properties.Restore = nil
	if had != nil {
		return s.updateVersion(rq, had, in)
	}
	if bad := s.checkVersion(rq, &in); bad != nil {
		return bad.answer()
	}
	return s.createVersion(rq, in)
}

func (s *Server) createVersion(rq *request, in version) answer {
	final := s.versionStorage(in.Properties.StorageProfile)
	in.Properties.PublishingProfile.PublishedDate = stamp(rq.now)
	in.Properties.ProvisioningState = "Creating"
	r := &versionRecord{version: in}
	s.state.versions[fold(in.ID)] = r
	delete(s.state.gone, fold(in.ID))
	if regions := in.regions(); len(regions) > 1 && s.injector.failsRegion(fold(in.ID)) {
		s.failRegion(fold(in.ID), regions[len(regions)-1])
	}
	r.spread.failing = s.state.failingRegions[fold(in.ID)]
	delete(s.state.failingRegions, fold(in.ID))
	r.busy = s.begin(rq, operation{region: in.Location, segment: "capsOperations", resource: fold(in.ID), apply: func(failed bool) {
		switch {
		case r.deleting:
		case failed:
			r.version.Properties.ProvisioningState = "Failed"
		default:
			r.version.Properties.ProvisioningState, r.version.Properties.StorageProfile = "Succeeded", final
		}
	}}, s.creationTakes(in))
	r.replicate(in.regions())
	return s.accepted(rq, r.busy, http.StatusCreated, in.shown(rq))
}

// creationTakes is a time on the grid of 15 s on which recorded creations ended.
func (s *Server) creationTakes(v version) time.Duration {
	grid, past := []float64{360, 405, 405, 405, 495}, []float64{1, 1, 6, 22, 43}
	if v.Properties.PublishingProfile.ReplicationMode == "Shallow" {
		grid, past = []float64{30, 45}, []float64{0.2}
	}
	return s.options.scaled(seconds(s.pick(grid, "grid", v.ID) + s.pick(past, "past", v.ID)))
}

// pick chooses one by a hash of the words.
func (s *Server) pick(from []float64, words ...string) float64 {
	return from[int(s.injector.chance(words...)*float64(len(from)))]
}

func seconds(n float64) time.Duration { return time.Duration(n * float64(time.Second)) }

// updateDuration is what the change of a version takes.
const updateDuration = 150200 * time.Millisecond

// updateVersion changes how a version is published. It does not capture again.
func (s *Server) updateVersion(rq *request, r *versionRecord, in version) answer {
	was := r.version.Properties
	switch {
	case r.softDeleted != nil: // not recorded
		return notAllowed("Gallery Image Version '%s' is soft-deleted. Restore it, or delete it with bypassSoftDelete.", in.Name).answer()
	case r.deleting:
		return notAllowed("Operation 'Update Gallery Image Version' is not allowed on %s since it is marked for deletion. "+
			"You can only retry the Delete operation (or wait for an ongoing one to complete).", in.Name).answer()
	case r.busy != nil && !r.busy.over:
		return conflict().answer() // not recorded
	case was.ProvisioningState == "Failed": // the words are not recorded; that it has to be deleted is
		return notAllowed("Operation 'Update Gallery Image Version' is not allowed on %s since it is in a failed state.", in.Name).answer()
	}
	if bad := sameLocation(rq.target, r.version.Location, in.Location); bad != nil {
		return bad.answer()
	}
	if property := in.Properties.StorageProfile.changes(was.StorageProfile); property != "" {
		return changeNotAllowed("galleryImageVersion.properties.storageProfile." + property).answer()
	}
	in.Properties.StorageProfile = was.StorageProfile
	if bad := s.checkPublishing(&in); bad != nil {
		return bad.answer()
	}
	if mode := in.Properties.PublishingProfile.ReplicationMode; mode != was.PublishingProfile.ReplicationMode {
		return changeNotAllowed("galleryImageVersion.properties.publishingProfile.replicationMode").answer()
	}
	added := slices.ContainsFunc(in.regions(), func(name string) bool { return !slices.Contains(r.version.regions(), name) })
	takes := updateDuration
	if added {
		takes = seconds(s.pick([]float64{331, 376, 421}, "update", in.ID))
	}
	in.Properties.PublishingProfile.PublishedDate = was.PublishingProfile.PublishedDate
	in.Properties.ProvisioningState = "Updating"
	r.version = in
	r.busy = s.begin(rq, operation{region: in.Location, segment: "capsOperations", resource: fold(in.ID), apply: func(failed bool) {
		if r.deleting {
			return
		}
		r.version.Properties.ProvisioningState = "Succeeded"
		if failed {
			r.version.Properties.ProvisioningState = "Failed"
		}
	}}, s.options.scaled(takes))
	if added {
		r.replicate(in.regions())
	}
	return s.accepted(rq, r.busy, http.StatusOK, in.shown(rq))
}

// changes names the source in which a PUT differs from the version. Sources that are left out stay.
func (p versionStorage) changes(was versionStorage) string {
	differs := func(now, had *versionSource) bool {
		return now != nil && *now != (versionSource{}) && (had == nil || *now != *had)
	}
	if differs(p.Source, was.Source) {
		return "source.id"
	}
	if p.OSDiskImage != nil && (was.OSDiskImage == nil || differs(p.OSDiskImage.Source, was.OSDiskImage.Source)) {
		return "osDiskImage.source.id"
	}
	return ""
}

func (s *Server) getVersion(rq *request) answer {
	id := rq.target.nested()
	r := s.state.versions[fold(id)]
	region := ""
	if r != nil {
		region = r.version.Location
	}
	if a, refused := s.limit(rq, region, id, getVersionLimit); refused {
		return a
	}
	if r == nil || r.softDeleted != nil {
		return s.notFound(rq.target, id).answer()
	}
	return answer{status: http.StatusOK, body: r.view(rq)}
}

// shown is the version without what the api-version does not know.
func (v version) shown(rq *request) version {
	v.Properties.SafetyProfile.hidden = rq.apiVersion < "2022-03-03"
	return v
}

// view is the version as the api-version shows it, with how far it is replicated where that is
// asked for.
func (r *versionRecord) view(rq *request) version {
	v := r.version.shown(rq)
	if rq.apiVersion >= "2024-03-03" {
		v.Properties.ValidationsProfile = map[string]any{"validationOperationStatus": "NotExecuted"}
	}
	if strings.Contains(fold(rq.query.Get("$expand")), "replicationstatus") {
		v.Properties.ReplicationStatus = r.status(rq.now)
	}
	return v
}

func (s *Server) listVersions(rq *request) answer {
	if bad := s.parentExists(target{
		subscription: rq.target.subscription, group: rq.target.group, namespace: rq.target.namespace,
		types: rq.target.types, names: append(slices.Clone(rq.target.names), "x"),
	}); bad != nil {
		return bad.answer()
	}
	if a, refused := s.limit(rq, "", "", listVersionsLimit); refused {
		return a
	}
	return page(s, rq, s.state.versions, func(r *versionRecord) (any, bool) { return r.view(rq), r.softDeleted == nil })
}

// FailNextRegion makes the next replication of the version fail in the region, when all others are
// done.
func (s *Server) FailNextRegion(versionID, region string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failRegion(fold(versionID), regionName(region))
}

func (s *Server) failRegion(id, region string) {
	s.state.failures[id] = opError{
		Code: "InternalOperationError",
		Message: "Gallery replication jobs failed in one or more regions. The failing regions' details are as follows: '{region:" + region +
			", detail:Failed with internal server error.}'. If retry does not work, then please do an update by removing the failed regions and update again " +
			"by adding them back.",
	}
	s.state.failingRegions[id] = region
}
