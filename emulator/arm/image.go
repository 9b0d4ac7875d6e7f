package arm

import "time"

// image is the Image resource. Its members are in the order of the recorded answers.
type image struct {
	Name             string            `json:"name"`
	ID               string            `json:"id"`
	Type             string            `json:"type"`
	Location         string            `json:"location"`
	ExtendedLocation *extendedLocation `json:"extendedLocation,omitempty"`
	Tags             tags              `json:"tags,omitzero"`
	Properties       imageProperties   `json:"properties"`
	SystemData       *systemData       `json:"systemData,omitempty"`
}

// tags distinguishes missing tags (left out of an answer) from an empty set (answered as it is).
type tags map[string]string

type extendedLocation struct {
	Name string `json:"name,omitempty"`
	Type string `json:"type,omitempty"`
}

type subResource struct {
	ID string `json:"id"`
}

type imageProperties struct {
	SourceVirtualMachine *subResource  `json:"sourceVirtualMachine,omitempty"`
	StorageProfile       *imageStorage `json:"storageProfile,omitempty"`
	ProvisioningState    string        `json:"provisioningState,omitempty"`
	HyperVGeneration     string        `json:"hyperVGeneration,omitempty"`
}

type imageStorage struct {
	OSDisk        *imageOSDisk    `json:"osDisk,omitempty"`
	DataDisks     []imageDataDisk `json:"dataDisks,omitzero"`
	ZoneResilient *bool           `json:"zoneResilient,omitempty"`
}

type imageOSDisk struct {
	OSType  string `json:"osType,omitempty"`
	OSState string `json:"osState,omitempty"`
	imageDisk
}

type imageDataDisk struct {
	Lun *int32 `json:"lun"`
	imageDisk
}

type imageDisk struct {
	DiskSizeGB         int32        `json:"diskSizeGB,omitempty"`
	Snapshot           *subResource `json:"snapshot,omitempty"`
	ManagedDisk        *subResource `json:"managedDisk,omitempty"`
	BlobURI            string       `json:"blobUri,omitempty"`
	Caching            string       `json:"caching,omitempty"`
	StorageAccountType string       `json:"storageAccountType,omitempty"`
	DiskEncryptionSet  *subResource `json:"diskEncryptionSet,omitempty"`
}

type systemData struct {
	CreatedBy          string `json:"createdBy"`
	CreatedByType      string `json:"createdByType"`
	CreatedAt          string `json:"createdAt"`
	LastModifiedBy     string `json:"lastModifiedBy"`
	LastModifiedByType string `json:"lastModifiedByType"`
	LastModifiedAt     string `json:"lastModifiedAt"`
}

func newSystemData(now time.Time) *systemData {
	at := stamp(now)
	return &systemData{
		CreatedBy: principalID, CreatedByType: "Application", CreatedAt: at,
		LastModifiedBy: principalID, LastModifiedByType: "Application", LastModifiedAt: at,
	}
}

// view is the image as the api-version shows it: systemData since 2026-04-01; before 2019-03-01
// neither the generation nor the disks' sizes and account types that the service has filled in.
func (i image) view(apiVersion string) image {
	if apiVersion < "2026-04-01" {
		i.SystemData = nil
	}
	if apiVersion >= "2019-03-01" {
		return i
	}
	i.Properties.HyperVGeneration = ""
	storage := i.Properties.StorageProfile.clone()
	storage.each(func(_ string, d *imageDisk) { d.DiskSizeGB, d.StorageAccountType = 0, "" })
	i.Properties.StorageProfile = storage
	return i
}

func (p *imageStorage) clone() *imageStorage {
	c := *p
	if p.OSDisk != nil {
		c.OSDisk = new(*p.OSDisk)
	}
	c.DataDisks = append([]imageDataDisk{}, p.DataDisks...)
	return &c
}

// each visits the disks with the names that they have in compute's errors.
func (p *imageStorage) each(visit func(name string, d *imageDisk)) {
	if p == nil {
		return
	}
	if p.OSDisk != nil {
		visit("osDisk", &p.OSDisk.imageDisk)
	}
	for i := range p.DataDisks {
		visit("dataDisks", &p.DataDisks[i].imageDisk)
	}
}

func (p *imageStorage) zoneResilient() bool {
	return p != nil && p.ZoneResilient != nil && *p.ZoneResilient
}

func (r *subResource) fold() string {
	if r == nil {
		return ""
	}
	return fold(r.ID)
}

// changes names the first property in which a PUT differs from the image, or is empty. A PUT may
// leave out what the service has filled in.
func (i image) changes(had image) string {
	now, was := i.Properties, had.Properties
	switch {
	case now.SourceVirtualMachine.fold() != was.SourceVirtualMachine.fold():
		return "sourceVirtualMachine"
	case now.StorageProfile.zoneResilient() != was.StorageProfile.zoneResilient():
		return "zoneResilient"
	case now.HyperVGeneration != "" && now.HyperVGeneration != was.HyperVGeneration:
		return "hyperVGeneration"
	}
	return now.StorageProfile.changes(was.StorageProfile, now.SourceVirtualMachine != nil)
}

func (p *imageStorage) changes(was *imageStorage, fromVM bool) string {
	if p == nil || p.OSDisk == nil {
		if fromVM {
			return ""
		}
		return "osDisk"
	}
	if was == nil || was.OSDisk == nil {
		return "osDisk"
	}
	if p.OSDisk.OSType != was.OSDisk.OSType || p.OSDisk.OSState != was.OSDisk.OSState || p.OSDisk.differs(was.OSDisk.imageDisk) {
		return "osDisk"
	}
	if len(p.DataDisks) != len(was.DataDisks) {
		return "dataDisks"
	}
	for i, d := range p.DataDisks {
		if d.Lun == nil || *d.Lun != *was.DataDisks[i].Lun || d.differs(was.DataDisks[i].imageDisk) {
			return "dataDisks"
		}
	}
	return ""
}

func (d imageDisk) differs(was imageDisk) bool {
	return d.Snapshot.fold() != was.Snapshot.fold() ||
		d.ManagedDisk.fold() != was.ManagedDisk.fold() ||
		d.BlobURI != was.BlobURI ||
		(d.DiskSizeGB != 0 && was.DiskSizeGB != 0 && d.DiskSizeGB != was.DiskSizeGB) ||
		(d.Caching != "" && d.Caching != was.Caching) ||
		(d.StorageAccountType != "" && d.StorageAccountType != was.StorageAccountType) ||
		(d.DiskEncryptionSet != nil && d.DiskEncryptionSet.fold() != was.DiskEncryptionSet.fold())
}
