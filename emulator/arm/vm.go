package arm

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// PowerState is what a VM's instance view says behind "PowerState/".
type PowerState string

// The power states in which a VM rests; while an action runs, the instance view shows deallocating
// and the like.
const (
	Running     PowerState = "running"
	Stopped     PowerState = "stopped"
	Deallocated PowerState = "deallocated"
)

// VM is a virtual machine as far as capturing it is concerned.
type VM struct {
	ID               string
	Location         string
	VMID             string     // the machine's own GUID; empty: a new one
	OSType           string     // Linux (the default) or Windows
	HyperVGeneration string     // V1 (the default) or V2
	SecurityType     string     // empty, TrustedLaunch or ConfidentialVM
	Power            PowerState // empty: Running
	Generalized      bool
	Tags             map[string]string
	OSDisk           VMDisk
	DataDisks        []VMDisk
	EphemeralOSDisk  bool
	ScaleSetID       string // the scale set that the VM belongs to, if any
	ImageID          string // the image, version or definition that it was made from, if any
}

// VMDisk is a disk of a VM: managed, unless VHD names a blob.
type VMDisk struct {
	Lun           int32
	Name          string // empty: made from the VM's name
	ManagedDiskID string // empty: named after the disk, in the VM's resource group
	VHD           string
	SizeGB        int32  // zero: 30, or 127 for Windows' own disk
	Caching       string // empty: ReadWrite for the OS disk, None for others
	AccountType   string // a managed disk's; empty: Premium_LRS
}

// machine is a VM and what is happening to it.
type machine struct {
	VM
	state      string // the provisioning state
	powering   string // the power state while an action changes it
	properties map[string]any
	created    time.Time
	generated  time.Time // when the instance view's provisioning status last changed
	busy       *operation
}

// AddVM adds a VM that is ready to be captured: deallocated and generalized, one managed Linux
// disk, V1. Options may change any of that.
func (s *Server) AddVM(id, location string, options ...func(*VM)) {
	vm := VM{ID: id, Location: location, Power: Deallocated, Generalized: true}
	for _, option := range options {
		option(&vm)
	}
	s.PutVM(vm)
}

// PutVM adds or replaces a VM and its managed disks. It panics on an id of another type.
func (s *Server) PutVM(vm VM) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, ok := parseID(vm.ID, "virtualMachines")
	if !ok {
		panic("arm: not the id of a virtual machine: " + vm.ID)
	}
	vm.ID = t.id("virtualMachines")
	s.keepVM(t, vm).state = "Succeeded"
}

func (s *Server) keepVM(t target, vm VM) *machine {
	vm.fill(t)
	s.ensureGroup(t, vm.Location)
	now := s.clock.now()
	m := &machine{VM: vm, created: now, generated: now, properties: vm.describe()}
	s.state.vms[fold(vm.ID)] = m
	s.attach(vm.OSDisk, vm, vm.OSType)
	for _, d := range vm.DataDisks {
		s.attach(d, vm, "")
	}
	return m
}

// attach makes a managed disk of a VM, unless it exists.
func (s *Server) attach(d VMDisk, vm VM, osType string) {
	t, ok := parseID(d.ManagedDiskID, "disks")
	if !ok || s.state.disks[fold(d.ManagedDiskID)] != nil {
		return
	}
	disk := Disk{ID: d.ManagedDiskID, Location: vm.Location, OSType: osType, AccountType: d.AccountType, SizeGB: d.SizeGB}
	if osType != "" {
		disk.HyperVGeneration, disk.SecurityType = vm.HyperVGeneration, vm.SecurityType
	}
	s.keepDisk(t, "disks", disk)
}

func (vm *VM) fill(t target) {
	vm.Location = regionName(vm.Location)
	setDefault(&vm.VMID, newGUID())
	setDefault(&vm.OSType, "Linux")
	if vm.SecurityType != "" {
		setDefault(&vm.HyperVGeneration, "V2") // secure boot and a TPM need it
	}
	setDefault(&vm.HyperVGeneration, "V1")
	setDefault(&vm.Power, Running)
	hex := strings.ReplaceAll(newGUID(), "-", "")
	setDefault(&vm.OSDisk.Name, t.name()+"_OsDisk_1_"+hex)
	setDefault(&vm.OSDisk.Caching, "ReadWrite")
	if vm.OSDisk.SizeGB == 0 && vm.OSType == "Windows" {
		vm.OSDisk.SizeGB = 127
	}
	vm.OSDisk.fill(t)
	disks := vm.DataDisks
	vm.DataDisks = nil
	for i, d := range disks {
		setDefault(&d.Name, fmt.Sprintf("%s_disk%d_%s", t.name(), i+2, hex))
		setDefault(&d.Caching, "None")
		d.fill(t)
		vm.DataDisks = append(vm.DataDisks, d)
	}
}

func (d *VMDisk) fill(t target) {
	if d.SizeGB == 0 {
		d.SizeGB = 30
	}
	if d.VHD != "" {
		return
	}
	setDefault(&d.AccountType, "Premium_LRS")
	t.types, t.names = []string{"disks"}, []string{d.Name}
	setDefault(&d.ManagedDiskID, t.id("disks"))
}

func setDefault[S ~string](s *S, value S) {
	if *s == "" {
		*s = value
	}
}

// describe writes the VM's properties as a GET answers them.
func (vm VM) describe() map[string]any {
	os := vm.OSDisk.describe("FromImage")
	os["osType"] = vm.OSType
	delete(os, "lun")
	if vm.EphemeralOSDisk {
		os["diffDiskSettings"] = map[string]any{"option": "Local"}
	}
	data := []any{}
	for _, d := range vm.DataDisks {
		data = append(data, d.describe("Empty"))
	}
	storage := map[string]any{"osDisk": os, "dataDisks": data}
	if vm.ImageID != "" {
		storage["imageReference"] = map[string]any{"id": vm.ImageID}
	}
	t, _ := parseID(vm.ID, "virtualMachines")
	properties := map[string]any{
		"hardwareProfile": map[string]any{"vmSize": "Standard_DS1_v2"},
		"storageProfile":  storage,
		"osProfile":       map[string]any{"computerName": t.name(), "adminUsername": "azureuser", "secrets": []any{}, "allowExtensionOperations": true},
		"networkProfile":  map[string]any{"networkInterfaces": []any{}},
	}
	if vm.SecurityType != "" {
		properties["securityProfile"] = map[string]any{"securityType": vm.SecurityType}
	}
	if vm.ScaleSetID != "" {
		properties["virtualMachineScaleSet"] = map[string]any{"id": vm.ScaleSetID}
	}
	return properties
}

func (d VMDisk) describe(createOption string) map[string]any {
	m := map[string]any{"lun": d.Lun, "name": d.Name, "createOption": createOption, "caching": d.Caching, "diskSizeGB": d.SizeGB}
	if d.VHD != "" {
		m["vhd"] = map[string]any{"uri": d.VHD}
		return m
	}
	m["managedDisk"] = map[string]any{"id": d.ManagedDiskID, "storageAccountType": d.AccountType}
	return m
}

// capturable refuses what cannot become a managed image.
func (m *machine) capturable() *armError {
	t, _ := parseID(m.ID, "virtualMachines")
	switch {
	case m.SecurityType != "":
		return notAllowed("Creation of managed images are not supported for virtual machine with %s security type.", m.SecurityType)
	case m.ScaleSetID != "": // not recorded
		return notAllowed("Creation of managed images are not supported for virtual machine '%s' since it belongs to a Virtual Machine Scale Set.", t.name())
	case m.EphemeralOSDisk: // not recorded
		return notAllowed("Operation 'Create Image' is not supported for VM '%s' since it uses an ephemeral OS disk.", t.name())
	case !m.Generalized:
		return notAllowed("The operation 'Create Image' requires the Virtual Machine '%s' to be Generalized.", t.name())
	case m.busy != nil && !m.busy.over:
		return notAllowed("Operation 'Create Image' is not allowed on VM '%s' since another operation is in progress.", t.name())
	}
	return nil
}

// unmanaged reports whether a disk of the VM is a blob.
func (m *machine) unmanaged() bool {
	return m.OSDisk.VHD != "" || slices.ContainsFunc(m.DataDisks, func(d VMDisk) bool { return d.VHD != "" })
}

// captured is the storage of an image of the VM. Managed disks show their sizes only when the image
// is done; the sizes of blobs come from the VM's own description, at once.
func (m *machine) captured(done bool) *imageStorage {
	capture := func(d VMDisk) imageDisk {
		c := imageDisk{Caching: d.Caching, StorageAccountType: d.AccountType, BlobURI: d.VHD}
		if d.VHD == "" {
			c.ManagedDisk = &subResource{ID: d.ManagedDiskID}
		} else {
			setDefault(&c.StorageAccountType, "Standard_LRS")
		}
		if done || d.VHD != "" {
			c.DiskSizeGB = d.SizeGB
		}
		return c
	}
	storage := &imageStorage{
		OSDisk:    &imageOSDisk{OSType: m.OSType, OSState: "Generalized", imageDisk: capture(m.OSDisk)},
		DataDisks: []imageDataDisk{},
	}
	for _, d := range m.DataDisks {
		storage.DataDisks = append(storage.DataDisks, imageDataDisk{Lun: new(d.Lun), imageDisk: capture(d)})
	}
	return storage
}
