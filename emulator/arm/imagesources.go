package arm

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// assembled is an image as its sources make it: as it is while it is created, and the storage it ends with.
type assembled struct {
	image image
	final *imageStorage
}

// checkLinks is ARM's own check of every id in the body, before compute sees it.
func (i image) checkLinks() *armError {
	check := func(path string, ref *subResource) *armError {
		if ref == nil || strings.HasPrefix(fold(ref.ID), "/subscriptions/") || strings.HasPrefix(fold(ref.ID), "/providers/") {
			return nil
		}
		return gatewayError(http.StatusBadRequest, "LinkedInvalidPropertyId", "Property id '%s' at path '%s' is invalid. Expect fully qualified "+
			"resource Id that start with '/subscriptions/{subscriptionId}' or '/providers/{resourceProviderNamespace}/'.", ref.ID, path)
	}
	bad := check("properties.sourceVirtualMachine.id", i.Properties.SourceVirtualMachine)
	n := 0
	i.Properties.StorageProfile.each(func(name string, d *imageDisk) {
		path := "properties.storageProfile." + name
		if name == "dataDisks" {
			path, n = fmt.Sprintf("%s[%d]", path, n), n+1
		}
		for _, link := range []struct {
			name string
			ref  *subResource
		}{{"snapshot", d.Snapshot}, {"managedDisk", d.ManagedDisk}, {"diskEncryptionSet", d.DiskEncryptionSet}} {
			if bad == nil {
				bad = check(path+"."+link.name+".id", link.ref)
			}
		}
	})
	return bad
}

// assemble checks a new image's properties and sources and fills in what compute fills in. The failure, where there is
// one, is how the operation will end.
func (s *Server) assemble(in image, apiVersion string) (assembled, *opError, *armError) {
	if bad := in.checkProperties(); bad != nil {
		return assembled{}, nil, bad
	}
	if in.Properties.StorageProfile.zoneResilient() && !s.state.regions[in.Location].zrs {
		// Azure's words are not recorded.
		return assembled{}, nil, invalidParameter("zoneResilient", "Zone resilient images are not supported in location '%s'.", in.Location)
	}
	if in.Properties.SourceVirtualMachine != nil {
		made, bad := s.assembleFromVM(in)
		return made, nil, bad
	}
	return s.assembleFromDisks(in, apiVersion)
}

func (i image) checkProperties() *armError {
	p := i.Properties
	if p.HyperVGeneration != "" && p.HyperVGeneration != "V1" && p.HyperVGeneration != "V2" {
		return invalidValue("hyperVGeneration")
	}
	if p.SourceVirtualMachine != nil {
		return p.StorageProfile.checkBesideVM()
	}
	if p.StorageProfile == nil {
		return missingParameter("storageProfile")
	}
	if p.StorageProfile.OSDisk == nil {
		return missingParameter("osDisk")
	}
	return p.StorageProfile.checkDisks()
}

// checkBesideVM lets a storage profile stand beside a VM that says nothing but zoneResilient.
func (p *imageStorage) checkBesideVM() *armError {
	var bad *armError
	p.each(func(name string, d *imageDisk) {
		if bad == nil && d.DiskEncryptionSet != nil {
			bad = computeError(http.StatusBadRequest, "BadRequest", "diskEncryptionSet",
				"Disk encryption set resource URI override for the disk resource %s is not supported yet.", name)
		}
	})
	if bad != nil || p == nil || (p.OSDisk == nil && len(p.DataDisks) == 0) {
		return bad
	}
	return invalidParameter("storageProfile", "Parameter 'storageProfile.osDisk' is not allowed.") // not recorded
}

func (p *imageStorage) checkDisks() *armError {
	switch os := p.OSDisk; {
	case os.OSType == "":
		return missingParameter("osDisk.osType")
	case os.OSType != "Linux" && os.OSType != "Windows":
		return invalidValue("osDisk.osType")
	case os.OSState == "":
		return missingParameter("osDisk.osState")
	case os.OSState != "Generalized" && os.OSState != "Specialized":
		return invalidValue("osDisk.osState")
	case os.StorageAccountType == "UltraSSD_LRS":
		return invalidValue("osDisk.storageAccountType") // not recorded: UltraSSD_LRS is for data disks
	}
	if bad := p.checkLuns(); bad != nil {
		return bad
	}
	var bad *armError
	p.each(func(name string, d *imageDisk) {
		if bad == nil {
			bad = d.check(name)
		}
	})
	return bad
}

func (p *imageStorage) checkLuns() *armError {
	taken := map[int32]bool{}
	for _, d := range p.DataDisks {
		switch {
		case d.Lun == nil:
			return missingParameter("dataDisks.lun")
		case *d.Lun < 0 || *d.Lun > 63:
			return invalidValue("dataDisks.lun")
		case taken[*d.Lun]:
			return invalidParameter("dataDisks.lun", "A disk at LUN %d already exists.", *d.Lun)
		}
		taken[*d.Lun] = true
	}
	return nil
}

func (d *imageDisk) check(name string) *armError {
	sources := 0
	for _, given := range []bool{d.Snapshot != nil, d.ManagedDisk != nil, d.BlobURI != ""} {
		if given {
			sources++
		}
	}
	switch {
	case sources == 0:
		return missingParameter(name + ".blobUri")
	case sources > 1: // not recorded
		return invalidParameter(name, "Only one of the parameters 'snapshot', 'managedDisk' and 'blobUri' is allowed for '%s'.", name)
	case !slices.Contains([]string{"", "None", "ReadOnly", "ReadWrite"}, d.Caching):
		return invalidValue(name + ".caching")
	case d.DiskSizeGB < 0 || d.DiskSizeGB > 32767:
		return invalidValue(name + ".diskSizeGB")
	case !slices.Contains(accountTypes(), d.StorageAccountType):
		return computeError(http.StatusBadRequest, "InvalidAccountType", name+".storageAccountType", "The AccountType %s is invalid.", d.StorageAccountType)
	}
	return nil
}

func accountTypes() []string {
	return []string{"", "Standard_LRS", "Premium_LRS", "StandardSSD_LRS", "UltraSSD_LRS", "Premium_ZRS", "StandardSSD_ZRS", "PremiumV2_LRS"}
}

func (s *Server) assembleFromDisks(in image, apiVersion string) (assembled, *opError, *armError) {
	made := assembled{image: in}
	storage := in.Properties.StorageProfile.clone()
	final := storage.clone()
	var failure *opError
	var bad *armError
	var origins []origin
	storage.each(func(name string, d *imageDisk) {
		if bad != nil {
			return
		}
		var o origin
		if o, bad = s.origin(in, name, d); bad != nil {
			return
		}
		if o.missing && failure == nil {
			failure = &opError{Code: "ImageBlobNotFound", Message: fmt.Sprintf("Unable to find VHD blob with URI %s.", d.BlobURI)}
		}
		origins = append(origins, o)
		d.fill(o.accountType)
	})
	if bad != nil {
		return made, nil, bad
	}
	n := 0
	final.each(func(_ string, d *imageDisk) {
		d.fill(origins[n].accountType)
		if d.DiskSizeGB == 0 {
			d.DiskSizeGB = origins[n].sizeGB
		}
		n++
	})
	made.final = final
	made.image.Properties.StorageProfile = storage
	generation, bad := deduceGeneration(in.Properties.HyperVGeneration, origins[0], apiVersion)
	made.image.Properties.HyperVGeneration = generation
	return made, failure, bad
}

// fill puts in the service's defaults.
func (d *imageDisk) fill(accountType string) {
	if d.Caching == "" {
		d.Caching = "None"
	}
	if d.StorageAccountType == "" {
		d.StorageAccountType = accountType
	}
}

func deduceGeneration(given string, o origin, apiVersion string) (string, *armError) {
	switch {
	case given == "" && o.blob && apiVersion >= "2019-03-01":
		return "", missingParameter("hyperVGeneration")
	case given != "" && o.generation != "" && given != o.generation: // not recorded
		return "", invalidParameter("hyperVGeneration", "The Hypervisor generation '%s' of the image does not match the Hypervisor generation '%s' "+
			"of its source.", given, o.generation)
	case given == "" && o.generation == "":
		return "V1", nil
	case given == "":
		return o.generation, nil
	}
	return given, nil
}

// origin is where a disk's content comes from.
type origin struct {
	blob        bool
	missing     bool // a blob that is not there: the operation will say so
	generation  string
	accountType string
	sizeGB      int32
}

func (s *Server) origin(in image, name string, d *imageDisk) (origin, *armError) {
	if d.DiskEncryptionSet != nil {
		if _, bad := s.diskSource(in, name+".diskEncryptionSet.id", "diskEncryptionSets", d.DiskEncryptionSet.ID); bad != nil {
			return origin{}, bad
		}
	}
	if d.BlobURI != "" {
		return s.blobOrigin(name, d.BlobURI)
	}
	typ, ref := "disks", d.ManagedDisk
	if d.Snapshot != nil {
		typ, ref = "snapshots", d.Snapshot
	}
	record, bad := s.diskSource(in, name+"."+typ[:len(typ)-1]+".id", typ, ref.ID)
	if bad != nil {
		return origin{}, bad
	}
	return origin{generation: record.HyperVGeneration, accountType: record.AccountType, sizeGB: record.SizeGB}, nil
}

// diskSource finds a disk, snapshot or disk encryption set that the image names. The words for a missing one are those
// recorded when a snapshot's source is missing; those for another region are compute's for a VM.
func (s *Server) diskSource(in image, parameter, typ, id string) (Disk, *armError) {
	t, ok := parseID(id, typ)
	if !ok {
		return Disk{}, invalidParameter(parameter, "Id %s is not a valid resource reference.", id)
	}
	if own, _ := parseID(in.ID, "images"); fold(own.subscription) != fold(t.subscription) {
		return Disk{}, invalidParameter(parameter, "Subscription %s of the request must match the subscription %s contained in the managed disk id.",
			own.subscription, t.subscription)
	}
	record := s.state.disks[fold(id)]
	if record == nil {
		return Disk{}, computeError(http.StatusNotFound, "NotFound", "", "Resource %s is not found.", t.name())
	}
	if record.disk.Location != in.Location {
		return Disk{}, computeError(http.StatusNotFound, "NotFound", "", "Resource %s is not found in this Azure location.", t.name())
	}
	return record.disk, nil
}

func (s *Server) assembleFromVM(in image) (assembled, *armError) {
	id := in.Properties.SourceVirtualMachine.ID
	t, ok := parseID(id, "virtualMachines")
	if !ok {
		return assembled{}, invalidParameter("sourceVirtualMachine.id", "Id %s is not a valid resource reference.", id)
	}
	vm := s.state.vms[fold(id)]
	if vm == nil || vm.Location != in.Location {
		return assembled{}, computeError(http.StatusNotFound, "NotFound", "",
			"Source Virtual Machine '%s' specified in the request does not exist in this Azure location.", t.name())
	}
	if bad := vm.capturable(); bad != nil {
		return assembled{}, bad
	}
	if given := in.Properties.HyperVGeneration; given != "" && given != vm.HyperVGeneration { // not recorded
		return assembled{}, invalidParameter("hyperVGeneration", "The Hypervisor generation '%s' of the image does not match the Hypervisor generation '%s' "+
			"of the Virtual Machine '%s'.", given, vm.HyperVGeneration, t.name())
	}
	made := assembled{image: in, final: vm.captured(true)}
	made.image.Properties.HyperVGeneration = vm.HyperVGeneration
	made.image.Properties.StorageProfile = vm.captured(false)
	if in.Properties.StorageProfile != nil {
		made.image.Properties.StorageProfile.ZoneResilient = in.Properties.StorageProfile.ZoneResilient
		made.final.ZoneResilient = in.Properties.StorageProfile.ZoneResilient
	}
	return made, nil
}
