package arm

import (
	"net/http"
	"strings"
	"time"
)

func (s *Server) deleteVersion(rq *request) answer {
	id := rq.target.nested()
	r := s.state.versions[fold(id)]
	bypass := strings.EqualFold(rq.query.Get("bypassSoftDelete"), "true")
	if r == nil || (r.softDeleted != nil && !bypass) {
		return answer{status: http.StatusNoContent}
	}
	if a, refused := s.limit(rq, r.version.Location, id, deleteVersionLimit); refused {
		return a
	}
	was := r.version.Properties.ProvisioningState
	takes := s.options.scaled(seconds(s.pick(deletions, "delete", id)))
	recycled := s.softDeletes(rq.target, rq.now.Add(takes))
	if bypass || r.softDeleted != nil {
		recycled = nil
	}
	if bad := r.deletable(rq.now, recycled != nil); bad != nil {
		return bad.answer()
	}
	s.preempt(r.busy, rq.now) // not recorded
	r.deleting, r.version.Properties.ProvisioningState = true, "Deleting"
	op := s.begin(rq, operation{region: r.version.Location, segment: "capsOperations", resource: fold(id), apply: func(failed bool) {
		switch {
		case failed:
			r.deleting, r.version.Properties.ProvisioningState = false, was
		case recycled != nil:
			s.softDelete(fold(id), r, recycled)
		case s.state.versions[fold(id)] == r:
			delete(s.state.versions, fold(id))
			s.state.gone[fold(id)] = true
		}
	}}, takes)
	return s.accepted(rq, op, http.StatusAccepted, nil)
}

// deletions are the seconds that deletions took: 90 to 150 of 62 recorded, most of them 91.
var deletions = []float64{90.2, 90.9, 90.2, 91.1, 90.5, 90.2, 90.9, 90.2, 135.3, 150.1}

// deletable refuses what may not be deleted, or not recycled.
func (r *versionRecord) deletable(now time.Time, recycled bool) *armError {
	p := r.version.Properties
	block := p.SafetyProfile.BlockDeletionBeforeEndOfLife
	if end, err := time.Parse(time.RFC3339, p.PublishingProfile.EndOfLifeDate); block != nil && *block && err == nil && end.After(now) {
		return computeError(http.StatusConflict, "DeleteGalleryImageVersionBlockedBeforeEndOfLife", "", "Deletion of Gallery image version is not allowed "+
			"because the image is enabled for blockDeletionBeforeEndOfLife and its endOfLifeDate has not reached yet")
	}
	if recycled && p.ProvisioningState == "Failed" { // documented without code and words
		return notAllowed("Operation 'Delete Gallery Image Version' is not allowed on %s since it is in a failed state and its gallery has soft delete enabled.", r.version.Name)
	}
	return nil
}

// softDeletion is what a gallery's policy makes of a version's deletion.
// Source: Microsoft's page on soft delete in a gallery, and the specification of 2026-03-03.
type softDeletion struct {
	at, unusable, gone time.Time // when it was deleted, when no VM can be made from it any more, when it is removed
}

const day = 24 * time.Hour

func addSoftDeleted(add adder) {
	const key, action = "galleries/*/softdeletedartifacttypes/*/artifacts/*/versions", "Microsoft.Compute/galleries/softDeletedArtifactTypes/artifacts/versions/"
	add(http.MethodGet, key, action+"read", (*Server).listSoftDeleted)
	add(http.MethodDelete, key+"/*", action+"delete", (*Server).deleteSoftDeleted)
}

// softDeletes is the soft deletion of a version of the gallery that is deleted at a time, or nil
// where it is removed.
func (s *Server) softDeletes(t target, at time.Time) *softDeletion {
	gallery := s.state.galleries[fold(t.parent().parent().nested())]
	if gallery == nil {
		return nil
	}
	policy, _ := gallery.body.Properties["softDeletePolicy"].(map[string]any)
	if policy["isSoftDeleteEnabled"] != true {
		return nil
	}
	days := func(name string, otherwise float64) time.Duration {
		if n, ok := policy[name].(float64); ok && n >= 0 && n < 1e4 {
			otherwise = n
		}
		return s.options.scaled(time.Duration(otherwise * float64(day)))
	}
	d := &softDeletion{at: at}
	d.unusable = at.Add(days("retentionPeriodInDays", 7))
	d.gone = d.unusable.Add(days("gracePeriodInDays", 0))
	return d
}

// softDelete keeps a version until its gallery's periods are over.
func (s *Server) softDelete(id string, r *versionRecord, d *softDeletion) {
	r.softDeleted, r.deleting = d, false
	s.schedule(&operation{end: d.gone, apply: func(bool) {
		if s.state.versions[id] == r && r.softDeleted == d {
			delete(s.state.versions, id)
		}
	}})
}

// restore brings a soft-deleted version back. How long Azure takes is not recorded: here as long as
// a change.
func (s *Server) restore(rq *request, r *versionRecord) answer {
	r.softDeleted = nil
	r.version.Properties.ProvisioningState = "Updating"
	r.busy = s.begin(rq, operation{region: r.version.Location, segment: "capsOperations", resource: fold(r.version.ID), apply: func(bool) {
		if !r.deleting {
			r.version.Properties.ProvisioningState = "Succeeded"
		}
	}}, s.options.scaled(updateDuration))
	return s.accepted(rq, r.busy, http.StatusOK, r.version)
}

// asksRestore reports whether a PUT over a soft-deleted version is to bring it back: it says so, or
// has a location alone.
func (v version) asksRestore() bool {
	p := v.Properties
	return p.Restore != nil && *p.Restore || p.StorageProfile.sources() == 0 && len(p.PublishingProfile.TargetRegions) == 0
}

// softDeletedTarget is the version that a path through softDeletedArtifactTypes names, or the
// versions that it lists.
func (rq *request) softDeletedTarget() target {
	t := rq.target
	t.types = []string{"galleries", "images", "versions"}
	t.names = append([]string{t.names[0]}, t.names[2:]...)
	return t
}

func (s *Server) listSoftDeleted(rq *request) answer {
	if !strings.EqualFold(rq.target.names[1], "images") {
		return invalidValue("artifactType").answer()
	}
	rq.target = rq.softDeletedTarget()
	return page(s, rq, s.state.versions, func(r *versionRecord) (any, bool) {
		d := r.softDeleted
		if d == nil {
			return nil, false
		}
		v := r.version
		return map[string]any{
			"name": v.Name, "location": v.Location, "type": computeNamespace + "/galleries/softDeletedArtifactTypes/artifacts/versions",
			"id": strings.Replace(v.ID, "/images/", "/softDeletedArtifactTypes/Images/artifacts/", 1),
			"properties": map[string]any{
				"resourceArmId": v.ID, "softDeletedArtifactType": "Images", "softDeletedTime": stamp(d.at),
				"consumptionEndTime": stamp(d.unusable), "hardDeletionTargetTime": stamp(d.gone),
			},
		}, true
	})
}

// deleteSoftDeleted removes for good what was soft-deleted.
func (s *Server) deleteSoftDeleted(rq *request) answer {
	if !strings.EqualFold(rq.target.names[1], "images") {
		return invalidValue("artifactType").answer()
	}
	rq.target = rq.softDeletedTarget()
	if r := s.state.versions[fold(rq.target.nested())]; r == nil || r.softDeleted == nil {
		return answer{status: http.StatusNoContent}
	}
	rq.query.Set("bypassSoftDelete", "true")
	return s.deleteVersion(rq)
}
