package arm

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// root adds the leading slash to an id: Azure accepts ids without it.
func (r *subResource) root() {
	if r != nil && strings.HasPrefix(fold(r.ID), "subscriptions/") {
		r.ID = "/" + r.ID
	}
}

// rootLinks adds the leading slash to every id of the body: recorded for a snapshot's, taken to
// hold for the others.
func (i image) rootLinks() {
	i.Properties.SourceVirtualMachine.root()
	i.Properties.StorageProfile.each(func(_ string, d *imageDisk) {
		d.Snapshot.root()
		d.ManagedDisk.root()
		d.DiskEncryptionSet.root()
	})
}

// checkLinks is ARM's own check of every id in the body, before compute sees it.
func (i image) checkLinks() *armError {
	check := func(path string, ref *subResource) *armError {
		if ref == nil {
			return nil
		}
		return linkedID(path, ref.ID)
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

// linkedID refuses what is not a full id. An id without its leading slash is accepted.
func linkedID(path, id string) *armError {
	rooted := "/" + strings.TrimPrefix(fold(id), "/")
	if strings.HasPrefix(rooted, "/subscriptions/") || strings.HasPrefix(rooted, "/providers/") {
		return nil
	}
	return gatewayError(http.StatusBadRequest, "LinkedInvalidPropertyId", "Property id '%s' at path '%s' is invalid. Expect fully qualified "+
		"resource Id that start with '/subscriptions/{subscriptionId}' or '/providers/{resourceProviderNamespace}/'.", id, path)
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
