package arm

import (
	"net/http"
	"slices"
	"strings"
)

// sourceFacts is what a definition has to agree with.
type sourceFacts struct {
	kind                                         string // vm, image, version, disk, blob
	location, osType, osState, generation, trust string
}

func (s *Server) checkVersionSource(v version, source versionSource, definition *galleryRecord) *armError {
	id, facts, bad := s.findVersionSource(source)
	if bad != nil {
		return bad
	}
	if facts.location != "" && facts.location != v.Location {
		return computeError(http.StatusNotFound, "NotFound", "", "Source %s is not found. Please check source exists, and is in the same region as gallery image version being created", id)
	}
	if s.inUse(id) { // code and status are not recorded
		return notAllowed("Too many requests on source '%s'. Please reduce the number of requests on the source or wait some time before retrying", id)
	}
	p := definition.body.Properties
	differs := func(name, of string) bool { return of != "" && p[name] != of }
	switch {
	case differs("osState", facts.osState):
		return badVersion("The resource with id '%s' has a different OS state ['%s'] than the parent gallery image OS state ['%s'].", id, facts.osState, p["osState"])
	case differs("osType", facts.osType):
		return badVersion("The resource with id '%s' has a different OS type ['%s'] than the parent gallery image OS type generation ['%s']", id, facts.osType, p["osType"])
	case differs("hyperVGeneration", facts.generation):
		return badVersion("The resource with id '%s' has a different Hypervisor generation ['%s'] than the parent gallery image Hypervisor generation ['%s']",
			id, facts.generation, p["hyperVGeneration"])
	}
	return checkTrust(id, facts, definition.securityType())
}

// checkTrust checks that a Trusted Launch or confidential machine goes into a definition of its
// security type. A definition that only supports a type does not accept such machines.
func checkTrust(id string, facts sourceFacts, wanted string) *armError {
	machine := facts.kind == "vm" || facts.kind == "disk"
	switch {
	case strings.HasSuffix(wanted, "Supported") && machine:
		return invalidParameter("galleryImageVersion.properties.storageProfile.source.id", "The security type '%s' is not supported for the source id '%s'. "+
			"Currently only Vhd Blob, User Image and Gallery Image Version sources are supported for '%s' images.", wanted, id, wanted)
	case facts.trust == "TrustedLaunch" && !strings.HasPrefix(wanted, "TrustedLaunch"), facts.trust == "ConfidentialVM" && wanted != "ConfidentialVM", wanted == "TrustedLaunch" && machine && facts.trust == "":
		return invalidParameter("galleryImageVersion.properties.storageProfile.source.id", "The security type '%s' of the source id '%s' does not match "+
			"the security type '%s' of the parent gallery image.", facts.trust, id, wanted)
	}
	return nil
}

// inUse reports whether a managed image is still being replicated as another version.
func (s *Server) inUse(id string) bool {
	if s.state.images[fold(id)] == nil {
		return false
	}
	for _, r := range s.state.versions {
		if source := r.version.Properties.StorageProfile.Source; source != nil && fold(source.ID) == fold(id) && r.version.Properties.ProvisioningState == "Creating" {
			return true
		}
	}
	return false
}

// findVersionSource finds what a version is made from, and whether the caller may use it.
func (s *Server) findVersionSource(source versionSource) (id string, facts sourceFacts, bad *armError) {
	id = source.ID + source.VirtualMachineID
	if source.URI != "" {
		return source.URI, sourceFacts{kind: "blob"}, s.checkVersionBlob(source)
	}
	if source.CommunityGalleryImageID != "" {
		return source.CommunityGalleryImageID, sourceFacts{kind: "version"}, nil
	}
	t, invalid := parseTarget(id)
	if invalid != nil {
		return id, facts, invalidParameter("galleryImageVersion.properties.storageProfile.source.id", "Id %s is not a valid resource reference.", id)
	}
	found, action := false, ""
	switch t.key() {
	case "virtualmachines/*":
		m := s.state.vms[fold(id)]
		if found, action = m != nil, "virtualMachines/write"; found {
			if bad := m.publishable(); bad != nil {
				return id, facts, bad
			}
			facts = sourceFacts{"vm", m.Location, m.OSType, map[bool]string{true: "Generalized", false: "Specialized"}[m.Generalized], m.HyperVGeneration, m.SecurityType}
		}
	case "images/*":
		r := s.state.images[fold(id)]
		if found, action = r != nil, "images/read"; found {
			facts = sourceFacts{kind: "image", location: r.image.Location, generation: r.image.Properties.HyperVGeneration}
			if os := r.image.Properties.StorageProfile.OSDisk; os != nil {
				facts.osType, facts.osState = os.OSType, os.OSState
			}
		}
	case "galleries/*/images/*/versions/*":
		r := s.state.versions[fold(id)]
		if found, action = r != nil && r.softDeleted == nil, "galleries/images/versions/read"; found {
			facts = sourceFacts{kind: "version"}
		}
	case "disks/*", "snapshots/*":
		r := s.state.disks[fold(id)]
		if found, action = r != nil, strings.ToLower(t.types[0])+"/write"; found {
			facts = sourceFacts{kind: "disk", location: r.disk.Location, osType: r.disk.OSType, generation: r.disk.HyperVGeneration, trust: r.disk.SecurityType}
		}
	default:
		return id, facts, invalidParameter("galleryImageVersion.properties.storageProfile.source.id", "Id %s is not a valid resource reference.", id)
	}
	if bad := s.linked(computeNamespace+"/"+action, id); bad != nil {
		return id, facts, bad
	}
	if !found {
		return id, facts, computeError(http.StatusNotFound, "NotFound", "", "Source was not found: %s. Please make sure the source exists", id)
	}
	return id, facts, nil
}

func (s *Server) checkVersionBlob(source versionSource) *armError {
	account := source.StorageAccountID
	setDefault(&account, source.ID) // the form before 2022-03-03
	if account == "" {
		return missingParameter("galleryImageVersion.properties.storageProfile.osDiskImage.source.storageAccountId")
	}
	if bad := s.linked("Microsoft.Storage/storageAccounts/listKeys/action", account); bad != nil {
		return bad
	}
	if _, found := s.state.blobs[source.URI]; !found && !s.options.AnyBlob {
		return computeError(http.StatusNotFound, "NotFound", "", "Source was not found: %s. Please make sure the source exists", source.URI)
	}
	return nil
}

// linked refuses a request whose body names something that the caller may not use.
func (s *Server) linked(action, id string) *armError {
	if s.options.permits(action) {
		return nil
	}
	return gatewayError(http.StatusForbidden, "LinkedAuthorizationFailed", "The client '%s' with object id '%s' has permission to perform action "+
		"'Microsoft.Compute/galleries/images/versions/write'; however, it does not have permission to perform action(s) '%s' on the linked scope(s) '%s' "+
		"(respectively) or the linked scope(s) are invalid.", principalID, principalID, action, id)
}

// publishable refuses VMs that no version can be made from.
func (m *machine) publishable() *armError {
	switch {
	case m.EphemeralOSDisk:
		return badVersion("Source virtual machine %s cannot contain an ephemeral OS disk", m.ID)
	case m.unmanaged():
		return badVersion("Source virtual machine %s must be created from Managed Disks", m.ID)
	}
	for _, d := range m.DataDisks {
		if d.AccountType == "UltraSSD_LRS" {
			return badVersion("Source virtual machine %s cannot contain disk ['%s'] stored in an UltraSSD account type", m.ID, d.ManagedDiskID)
		}
	}
	return nil
}

// versionStorage is what a version shows when it is done: the sizes of the disks that its source
// had.
func (s *Server) versionStorage(p versionStorage) versionStorage {
	os := versionDisk{SizeInGB: 30, HostCaching: "ReadWrite", Source: &versionSource{}}
	var data []versionDisk
	if p.OSDiskImage != nil {
		os = *p.OSDiskImage
		os.SizeInGB = s.sizeOf(os.Source)
		for _, d := range p.DataDiskImages {
			d.SizeInGB = s.sizeOf(d.Source)
			data = append(data, d)
		}
		return versionStorage{OSDiskImage: &os, DataDiskImages: data}
	}
	switch id := fold(p.Source.ID + p.Source.VirtualMachineID); {
	case s.state.vms[id] != nil:
		vm := s.state.vms[id]
		os.SizeInGB, os.HostCaching = vm.OSDisk.SizeGB, vm.OSDisk.Caching
		for _, d := range vm.DataDisks {
			data = append(data, versionDisk{Lun: new(d.Lun), SizeInGB: d.SizeGB, HostCaching: d.Caching})
		}
	case s.state.images[id] != nil:
		storage := s.state.images[id].image.Properties.StorageProfile
		if storage.OSDisk != nil && storage.OSDisk.DiskSizeGB > 0 {
			os.SizeInGB = storage.OSDisk.DiskSizeGB
		}
		for _, d := range storage.DataDisks {
			data = append(data, versionDisk{Lun: d.Lun, SizeInGB: d.DiskSizeGB, HostCaching: d.Caching})
		}
	case s.state.versions[id] != nil:
		from := s.state.versions[id].version.Properties.StorageProfile
		if from.OSDiskImage != nil {
			os = *from.OSDiskImage
		}
		data = slices.Clone(from.DataDiskImages)
	}
	return versionStorage{Source: p.Source, OSDiskImage: &os, DataDiskImages: data}
}

func (s *Server) sizeOf(source *versionSource) int32 {
	if source != nil {
		if d := s.state.disks[fold(source.ID)]; d != nil {
			return d.disk.SizeGB
		}
		if b, ok := s.state.blobs[source.URI]; ok && b.SizeGB > 0 {
			return b.SizeGB
		}
	}
	return 30
}
