package request

// ruleOneSource wants a virtual machine or an operating system disk, and only
// one of them. Azure takes zoneResilient beside a virtual machine.
func ruleOneSource(f *findings, root node) {
	properties := root.at("image", "properties")
	if !properties.isObject() {
		return
	}
	vm, profile := properties.at("sourceVirtualMachine"), properties.at("storageProfile")
	osDisk, dataDisks := profile.at("osDisk"), profile.at("dataDisks")
	switch {
	case vm.present && (osDisk.present || dataDisks.present):
		f.add(properties.pointer, "names two sources: give sourceVirtualMachine or storageProfile with osDisk, not both"+
			" (beside sourceVirtualMachine, storageProfile may hold zoneResilient alone)")
	case vm.present || osDisk.present:
	case profile.present:
		f.add(osDisk.pointer, "is missing: an image is made from an operating system disk or from a sourceVirtualMachine")
	default:
		f.add(properties.pointer, "names no source: give sourceVirtualMachine, or storageProfile with osDisk")
	}
}

func ruleOSDisk(f *findings, root node) {
	storage := root.at("image", "properties", "storageProfile", "osDisk", "storageAccountType")
	if storage.value == "UltraSSD_LRS" {
		f.add(storage.pointer, "UltraSSD_LRS is for data disks only, not for the operating system's disk")
	}
}

// ruleDataDisks wants every lun once.
func ruleDataDisks(f *findings, root node) {
	uniqueLuns(f, root.at("image", "properties", "storageProfile", "dataDisks"))
}

func uniqueLuns(f *findings, disks node) {
	first := make(map[int64]string)
	for _, disk := range disks.elements() {
		lun := disk.at("lun")
		number, ok := lun.number()
		if !ok {
			continue
		}
		if other, taken := first[number]; taken {
			f.add(lun.pointer, "is %d, which %s has already; each data disk needs a lun of its own", number, path(other))
			continue
		}
		first[number] = disk.pointer
	}
}

// ruleDiskSources wants one source for each disk.
func ruleDiskSources(f *findings, root node) {
	for _, disk := range disks(root) {
		oneSource(f, disk, "managedDisk", "snapshot", "blobUri")
	}
}

// disks are the operating system's disk and the data disks.
func disks(root node) []node {
	profile := root.at("image", "properties", "storageProfile")
	all := profile.at("dataDisks").elements()
	if osDisk := profile.at("osDisk"); osDisk.present {
		all = append(all, osDisk)
	}
	return all
}
