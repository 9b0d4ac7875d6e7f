package arm

import (
	"net/http"
	"strings"
	"time"
)

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

// softDeletes is what becomes of a version of the gallery that is deleted at a time: nil where it is removed.
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

// restore brings a soft-deleted version back. How long Azure takes is not recorded: here as long as a change.
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

// asksRestore tells whether a PUT over a soft-deleted version is to bring it back: it says so, or has a location alone.
func (v version) asksRestore() bool {
	p := v.Properties
	return p.Restore != nil && *p.Restore || p.StorageProfile.sources() == 0 && len(p.PublishingProfile.TargetRegions) == 0
}

// softDeletedTarget is the version that a path through softDeletedArtifactTypes names, or the versions that it lists.
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
