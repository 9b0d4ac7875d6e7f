package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"goldmint/emulator/arm"
)

func TestParseVMs(t *testing.T) {
	vms, err := parseVMs([]string{"web-01,goldmint=capture,goldmint-name={vm}={id},empty=", "plain"})
	if err != nil || len(vms) != 2 {
		t.Fatalf("%d VMs, %v", len(vms), err)
	}
	want := map[string]string{"goldmint": "capture", "goldmint-name": "{vm}={id}", "empty": ""}
	if diff := cmp.Diff(want, vms[0].Tags); diff != "" {
		t.Errorf("tags (-want +got):\n%s", diff)
	}
	if vm := vms[0]; !strings.HasSuffix(vm.ID, "/resourceGroups/golden-vms/providers/Microsoft.Compute/virtualMachines/web-01") || vm.Power != arm.Running || vm.Generalized {
		t.Errorf("VM %+v", vm)
	}
	if builds := expected(vms, true); len(builds) != 2 || builds[0].id != "vm-"+vms[0].VMID {
		t.Errorf("builds %+v", builds)
	}
}

func TestParseVMsRefuses(t *testing.T) {
	for spec, want := range map[string]string{
		"":                 `--vm "": a VM's name has`,
		"../web":           `--vm "../web": a VM's name has`,
		"web,goldmint":     `--vm "web,goldmint": "goldmint" is no tag`,
		"web,=x":           `--vm "web,=x": "=x" is no tag`,
		"twice,goldmint=x": "there is a VM of that name already",
	} {
		if _, err := parseVMs([]string{"Twice", spec}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", spec, err, want)
		}
	}
}
