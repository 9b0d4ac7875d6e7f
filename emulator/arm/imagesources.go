package arm

import (
	"fmt"
	"net/http"
)

// assembled is an image as its sources make it: as it is while it is created, and the storage it
// ends with.
type assembled struct {
	image     image
	final     *imageStorage
	fromBlobs bool // which takes twice as long
}

// assemble checks a new image's properties and sources and fills in what compute fills in. The
// failure, where there is one, is how the operation will end.
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
		made.fromBlobs = made.fromBlobs || o.blob
		d.fill()
	})
	if bad != nil {
		return made, nil, bad
	}
	n := 0
	final.each(func(_ string, d *imageDisk) {
		d.fill()
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

// fill puts in the service's defaults. The account type's is the same whatever the source has.
func (d *imageDisk) fill() {
	if d.Caching == "" {
		d.Caching = "None"
	}
	if d.StorageAccountType == "" {
		d.StorageAccountType = "Standard_LRS"
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
	blob       bool
	missing    bool // a blob that is not there: the operation will say so
	generation string
	sizeGB     int32
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
	return origin{generation: record.HyperVGeneration, sizeGB: record.SizeGB}, nil
}

// diskSource finds a disk, snapshot or disk encryption set that the image names. The words for a
// missing one are those recorded when a snapshot's source is missing; those for another region are
// compute's for a VM.
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
	made := assembled{image: in, final: vm.captured(true), fromBlobs: vm.unmanaged()}
	made.image.Properties.HyperVGeneration = vm.HyperVGeneration
	made.image.Properties.StorageProfile = vm.captured(false)
	if in.Properties.StorageProfile != nil {
		made.image.Properties.StorageProfile.ZoneResilient = in.Properties.StorageProfile.ZoneResilient
		made.final.ZoneResilient = in.Properties.StorageProfile.ZoneResilient
	}
	return made, nil
}
