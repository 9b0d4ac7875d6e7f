package main

import (
	"fmt"
	"strings"

	"github.com/google/uuid"

	"goldmint/emulator/arm"
	"goldmint/internal/armid"
	"goldmint/internal/localazure"
)

// Where the VMs of --vm are.
const (
	vmGroup    = "/subscriptions/" + localazure.SubscriptionID + "/resourceGroups/golden-vms/providers/Microsoft.Compute/virtualMachines/"
	vmLocation = "westeurope"
)

// parseVMs reads the values of --vm: NAME[,tag=value…]. Each VM is running, as after its software
// was installed. The user deallocates and generalizes it.
func parseVMs(specs []string) ([]arm.VM, error) {
	var vms []arm.VM
	seen := map[string]bool{}
	for _, spec := range specs {
		vm, err := parseVM(spec)
		if err != nil {
			return nil, fmt.Errorf("--vm %q: %w", spec, err)
		}
		if folded := strings.ToLower(vm.ID); seen[folded] {
			return nil, fmt.Errorf("--vm %q: there is a VM of that name already", spec)
		} else {
			seen[folded] = true
		}
		vms = append(vms, vm)
	}
	return vms, nil
}

func parseVM(spec string) (arm.VM, error) {
	name, rest, tagged := strings.Cut(spec, ",")
	if !armid.ValidName(name) {
		return arm.VM{}, fmt.Errorf("a VM's name has letters, digits, '.', '-' or '_', and starts with a letter or digit")
	}
	vm := arm.VM{ID: vmGroup + name, Location: vmLocation, VMID: uuid.NewString(), HyperVGeneration: "V2", Power: arm.Running, Tags: map[string]string{}}
	if !tagged {
		return vm, nil
	}
	for _, pair := range strings.Split(rest, ",") {
		tag, value, ok := strings.Cut(pair, "=")
		if !ok || tag == "" {
			return arm.VM{}, fmt.Errorf("%q is no tag: write tag=value, such as goldmint=capture", pair)
		}
		vm.Tags[tag] = value
	}
	return vm, nil
}

// expected are the builds that the VMs' events are going to ask for.
func expected(vms []arm.VM, wait bool) []*submission {
	var all []*submission
	for _, vm := range vms {
		if wait {
			all = append(all, &submission{id: "vm-" + vm.VMID})
		}
	}
	return all
}
