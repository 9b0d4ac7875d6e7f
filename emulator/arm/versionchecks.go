package arm

import (
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

var versionRule = regexp.MustCompile(`^\d{1,10}\.\d{1,10}\.\d{1,10}$`)

func validVersion(name string) bool {
	if !versionRule.MatchString(name) {
		return false
	}
	for part := range strings.SplitSeq(name, ".") {
		if n, err := strconv.Atoi(part); err != nil || n > 1<<31-1 {
			return false
		}
	}
	return true
}

// higherVersion compares the numbers of two valid versions.
func higherVersion(a, b string) bool {
	numbers := func(name string) (n [3]int) {
		for i, part := range strings.SplitN(name, ".", 3) {
			n[i], _ = strconv.Atoi(part)
		}
		return n
	}
	x, y := numbers(a), numbers(b)
	return slices.Compare(x[:], y[:]) > 0
}

// checkVersion refuses a new version as Azure does, and fills in what it fills in. README.md lists
// the words and codes that are not recorded.
func (s *Server) checkVersion(rq *request, v *version) *armError {
	storage := &v.Properties.StorageProfile
	if storage.sources() != 1 {
		return invalidParameter("galleryImageVersion.properties.storageProfile.source.id", "The gallery artifact version source can only be specified "+
			"either directly under storageProfile or within individual OS or data disks. One and only one source type (user image, snapshot, disk, "+
			"virtual machine) can be provided.")
	}
	if bad := s.checkPublishing(v); bad != nil {
		return bad
	}
	if bad := storage.fill(); bad != nil {
		return bad
	}
	definition := s.state.galleries[fold(rq.target.parent().nested())]
	for _, source := range storage.all() {
		if bad := s.checkVersionSource(*v, source, definition); bad != nil {
			return bad
		}
	}
	return s.checkRoom(rq, *v)
}

// sources counts what the operating system could come from.
func (p *versionStorage) sources() int {
	n := 0
	for _, source := range []*versionSource{p.Source, p.osSource()} {
		if source != nil && *source != (versionSource{}) {
			n++
		}
	}
	return n
}

func (p *versionStorage) osSource() *versionSource {
	if p.OSDiskImage == nil {
		return nil
	}
	return p.OSDiskImage.Source
}

// all are the sources that the version names, each with an id.
func (p *versionStorage) all() []versionSource {
	var all []versionSource
	for _, source := range append([]*versionSource{p.Source, p.osSource()}, p.dataSources()...) {
		if source != nil {
			all = append(all, *source)
		}
	}
	return all
}

func (p *versionStorage) dataSources() []*versionSource {
	var all []*versionSource
	for _, d := range p.DataDiskImages {
		all = append(all, d.Source)
	}
	return all
}

// fill puts in the caching that the service chooses, and checks the data disks.
func (p *versionStorage) fill() *armError {
	if p.OSDiskImage != nil {
		setDefault(&p.OSDiskImage.HostCaching, "ReadWrite")
	}
	luns, ids := map[int32]bool{}, map[string]bool{}
	for i := range p.DataDiskImages {
		d := &p.DataDiskImages[i]
		setDefault(&d.HostCaching, "ReadOnly")
		if d.Lun == nil {
			return missingParameter("galleryImageVersion.properties.storageProfile.dataDiskImages.lun")
		}
		if luns[*d.Lun] {
			return computeError(http.StatusBadRequest, "BadRequest", "", "Duplicated lun numbers have been detected in the input data disks. "+
				"Lun number must be unique for each data disk")
		}
		luns[*d.Lun] = true
	}
	for _, source := range p.all() {
		if key := fold(source.ID + source.URI); key != "" && ids[key] {
			return computeError(http.StatusBadRequest, "BadRequest", "", "Duplicated source ids are found in the input disks. Source id should be unique for each disk")
		} else if key != "" {
			ids[key] = true
		}
	}
	return nil
}

// checkPublishing checks where a version is to go, and fills in the defaults.
func (s *Server) checkPublishing(v *version) *armError {
	p := &v.Properties.PublishingProfile
	if len(p.TargetRegions) == 0 {
		p.TargetRegions = []targetRegion{{Name: v.Location}}
	}
	if p.ReplicaCount == 0 {
		p.ReplicaCount = 1
	}
	setDefault(&p.StorageAccountType, "Standard_LRS")
	var names []string
	p.TargetRegions = slices.Clone(p.TargetRegions)
	for i := range p.TargetRegions {
		t := &p.TargetRegions[i]
		name := regionName(t.Name)
		known, ok := s.state.regions[name]
		setDefault(&t.StorageAccountType, p.StorageAccountType)
		switch {
		case !ok:
			return badVersion("The provided location '%s' is not available for gallery image versions.", t.Name)
		case slices.Contains(names, name):
			return badVersion("Duplicate regions are not allowed in target publishing regions")
		case t.StorageAccountType == "Standard_ZRS" && !known.zrs:
			return badVersion("ZRS storage account type is not supported in this region.")
		}
		names = append(names, name)
		t.Name = known.display
		if t.RegionalReplicaCount == 0 {
			t.RegionalReplicaCount = p.ReplicaCount
		}
	}
	if !slices.Contains(names, v.Location) {
		return badVersion("Gallery image version publishing profile regions %s must contain the location of image version %s", strings.Join(names, ","), v.Location)
	}
	if p.ReplicationMode == "Shallow" && (len(names) > 1 || p.TargetRegions[0].RegionalReplicaCount > 1) {
		return badVersion("Shallow replication mode supports only the region of the version, with one replica.")
	}
	return s.checkEndOfLife(v)
}

func (s *Server) checkEndOfLife(v *version) *armError {
	p := &v.Properties.PublishingProfile
	if p.EndOfLifeDate == "" {
		return nil
	}
	end, err := time.Parse(time.RFC3339, p.EndOfLifeDate)
	if err != nil {
		return invalidValue("galleryImageVersion.properties.publishingProfile.endOfLifeDate")
	}
	if !end.After(s.clock.now()) {
		return badVersion("EndOfLifeDate must be set to a future date.")
	}
	p.EndOfLifeDate = stamp(end)
	return nil
}

// badVersion is a refusal whose words are documented, while its code is not.
func badVersion(format string, args ...any) *armError {
	return computeError(http.StatusBadRequest, "BadRequest", "", format, args...)
}

// checkRoom checks that no region has more versions than Azure allows. Replicas count in their
// region. The words are not recorded.
func (s *Server) checkRoom(rq *request, v version) *armError {
	most := s.options.MaxVersions
	if most == 0 {
		most = 10_000
	}
	if len(s.state.versions) < most {
		return nil
	}
	for _, region := range v.regions() {
		n := 0
		for _, r := range s.state.versions {
			if t, _ := parseTarget(r.version.ID); fold(t.subscription) == fold(rq.target.subscription) && slices.Contains(r.version.regions(), region) {
				n++
			}
		}
		if n >= most {
			return notAllowed("Operation results in exceeding quota limits of gallery image versions in region %s. Maximum allowed: %d, Current in use: %d, "+
				"Additional requested: 1.", region, most, n)
		}
	}
	return nil
}
