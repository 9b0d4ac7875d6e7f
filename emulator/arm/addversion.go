package arm

import (
	"encoding/json"
	"time"
)

// Version is a gallery image version that was made before a server started.
type Version struct {
	Tags              map[string]string
	State             string // its provisioning state; empty: Succeeded
	ExcludeFromLatest bool
	Regions           []VersionRegion // empty: its own
	Published         time.Time       // zero: now
	EndOfLife         time.Time
	BlockDeletion     bool   // before the end of its life
	VirtualMachineID  string // what it was made from
}

// VersionRegion is a region that a version is replicated to.
type VersionRegion struct {
	Name              string
	ExcludeFromLatest bool
}

// AddVersion adds a version that is replicated to its own region, and its definition. Options may
// change that. It panics on an id of another type.
func (s *Server) AddVersion(id, location string, options ...func(*Version)) {
	t := mustTarget(id, "galleries/*/images/*/versions/*")
	var o Version
	for _, option := range options {
		option(&o)
	}
	s.mu.Lock()
	missing := s.state.galleries[fold(t.parent().nested())] == nil
	s.mu.Unlock()
	if missing {
		s.AddDefinition(Definition{ID: t.parent().nested(), Location: location})
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	v := version{
		Name: t.last(), ID: t.nested(), Type: computeNamespace + "/galleries/images/versions", Location: regionName(location), Tags: o.Tags,
	}
	p := &v.Properties
	p.PublishingProfile.ExcludeFromLatest = o.ExcludeFromLatest
	for _, r := range o.Regions {
		p.PublishingProfile.TargetRegions = append(p.PublishingProfile.TargetRegions, targetRegion{Name: r.Name, ExcludeFromLatest: new(r.ExcludeFromLatest)})
	}
	_ = s.checkPublishing(&v) // fills in the defaults; an unknown region shows in the answers
	if !o.EndOfLife.IsZero() {
		p.PublishingProfile.EndOfLifeDate = stamp(o.EndOfLife)
	}
	if o.BlockDeletion {
		p.SafetyProfile.BlockDeletionBeforeEndOfLife = new(true)
	}
	if o.Published.IsZero() {
		o.Published = s.clock.now()
	}
	p.PublishingProfile.PublishedDate = stamp(o.Published)
	p.ProvisioningState = o.State
	setDefault(&p.ProvisioningState, "Succeeded")
	if o.VirtualMachineID != "" {
		p.StorageProfile.Source = &versionSource{VirtualMachineID: o.VirtualMachineID}
	}
	p.StorageProfile.OSDiskImage = &versionDisk{SizeInGB: 30, HostCaching: "ReadWrite", Source: &versionSource{}}
	s.state.versions[fold(v.ID)] = &versionRecord{version: v, spread: replication{regions: v.regions()}}
}

// RemoveVersion removes a version at once.
func (s *Server) RemoveVersion(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.state.versions, fold(id))
}

// Version is a version's JSON as a GET answers it, with its id in any case.
func (s *Server) Version(id string) (json.RawMessage, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.endDue()
	r := s.state.versions[fold(id)]
	if r == nil || r.softDeleted != nil {
		return nil, false
	}
	body, err := json.Marshal(r.version)
	return body, err == nil
}
