package arm

import (
	"slices"
	"time"
)

// replication is the copying to the regions that an operation does.
type replication struct {
	regions    []string // by name, the version's own first
	start, end time.Time
	failing    string // the region that fails when the others are done
}

// replicate records what the running operation copies to which region.
func (r *versionRecord) replicate(regions []string) {
	r.spread.regions, r.spread.start, r.spread.end = regions, r.busy.start, r.busy.end
}

// regions are the target regions by name, the version's own first.
func (v version) regions() []string {
	names := []string{v.Location}
	for _, t := range v.Properties.PublishingProfile.TargetRegions {
		if name := regionName(t.Name); name != v.Location {
			names = append(names, name)
		}
	}
	return names
}

// place is the index of the region among the target regions. The status lists them in that order.
func (v version) place(region string) int {
	return slices.IndexFunc(v.Properties.PublishingProfile.TargetRegions, func(t targetRegion) bool { return regionName(t.Name) == region })
}

type regionStatus struct {
	Region   string `json:"region"`
	State    string `json:"state"`
	Details  string `json:"details,omitempty"`
	Progress int    `json:"progress"`
}

// status is how far each region is: the version's own is done first, at half of the time, the
// others one after the other. A region that fails does so when the others are done.
func (r *versionRecord) status(now time.Time) map[string]any {
	p, aggregated := r.spread, "Completed"
	summary := []regionStatus{}
	for i, name := range p.regions {
		one := regionStatus{Region: name, State: "Completed", Progress: 100}
		done := p.start.Add(p.end.Sub(p.start) / 2)
		if i > 0 {
			done = done.Add(p.end.Sub(done) * time.Duration(i) / time.Duration(len(p.regions)))
		}
		failed := r.version.Properties.ProvisioningState == "Failed"
		switch {
		case failed && (name == p.failing || p.failing == ""):
			one.State, one.Progress, one.Details, aggregated = "Failed", 0, "Failed with internal server error.", "Failed"
		case now.Before(done) || (name == p.failing && now.Before(p.end)):
			one.State, one.Progress = "Replicating", min(99, int(100*now.Sub(p.start)/max(1, done.Sub(p.start))))
			aggregated = "InProgress"
		}
		summary = append(summary, one)
	}
	if aggregated == "Completed" && now.Before(p.end) {
		aggregated = "InProgress"
	}
	slices.SortStableFunc(summary, func(a, b regionStatus) int { return r.version.place(a.Region) - r.version.place(b.Region) })
	return map[string]any{"aggregatedState": aggregated, "summary": summary}
}
