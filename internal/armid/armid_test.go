package armid

import (
	"errors"
	"strings"
	"testing"
)

const group = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg"

func TestParse(t *testing.T) {
	want := ID{"11111111-1111-1111-1111-111111111111", "rg", "virtualMachines", "vm1"}
	for _, s := range []string{
		group + "/providers/Microsoft.Compute/virtualMachines/vm1",
		strings.TrimPrefix(group, "/") + "/providers/Microsoft.Compute/virtualMachines/vm1",
		strings.Replace(group, "resourceGroups", "resourcegroups", 1) + "/PROVIDERS/microsoft.compute/VirtualMachines/vm1",
	} {
		if id, err := Parse(s, "virtualMachines"); err != nil || id != want {
			t.Errorf("%s: %+v, %v", s, id, err)
		}
	}
	if !want.Same(ID{want.SubscriptionID, "RG", "virtualmachines", "VM1"}) || want.Same(ID{want.SubscriptionID, "rg", "virtualMachines", "vm2"}) {
		t.Error("letter case means nothing, names do")
	}
}

// TestParseRefuses ids that would change the path of a URL, and ids of other types.
func TestParseRefuses(t *testing.T) {
	vm := group + "/providers/Microsoft.Compute/virtualMachines/"
	for s, words := range map[string]string{
		"":            "has to be",
		"//" + group:  "has to be",
		group:         "has to be",
		vm:            "does not allow",
		vm + "a..b":   "does not allow",
		vm + "..":     "does not allow",
		vm + "a?x=1":  "does not allow",
		vm + "a%2fb":  "does not allow",
		vm + "a#b":    "does not allow",
		vm + "a b":    "does not allow",
		vm + "a/b":    "has to be",
		vm + "vm1\n":  "does not allow",
		vm + "vm1.":   "does not allow",
		vm + "vm1/x/": "another type",
		strings.Replace(vm, "/rg/", "/a..b/", 1) + "vm1":                       "resource group",
		strings.Replace(vm, "/rg/", "/../", 1) + "vm1":                         "resource group",
		strings.Replace(vm, "/rg/", "/"+strings.Repeat("g", 91)+"/", 1) + "v":  "resource group",
		strings.Replace(vm, "11111111-", "", 1) + "vm1":                        "GUID",
		strings.Replace(vm, "virtualMachines", "images", 1) + "vm1":            "another type",
		strings.Replace(vm, "Microsoft.Compute", "Microsoft.Storage", 1) + "v": "another type",
	} {
		if id, err := Parse(s, "virtualMachines"); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%q: %+v, %v; want an error with %q", s, id, err, words)
		}
	}
	var other *OtherTypeError
	if _, err := Parse(strings.Replace(vm, "virtualMachines", "images", 1)+"vm1", "virtualMachines"); !errors.As(err, &other) {
		t.Errorf("an image's id: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(group + "/providers/Microsoft.Compute/virtualMachines/vm1")
	f.Fuzz(func(t *testing.T, s string) {
		id, err := Parse(s, "virtualMachines")
		if err != nil {
			return
		}
		if again, err := Parse(id.String(), "virtualMachines"); err != nil || again != id || strings.ContainsAny(id.Name, "/?#%\\ ") || strings.Contains(id.String(), "..") {
			t.Errorf("%q gives %+v, %v", s, again, err)
		}
	})
}

// TestCheck checks the rules for single names. The messages for a person's mistakes are tested with
// requests.
func TestCheck(t *testing.T) {
	const account = group + "/providers/Microsoft.Storage/storageAccounts/"
	for id, want := range map[string]string{
		account + "golden01": "",
		account + "Golden":   `names the resource "Golden", which Azure does not allow`,
		account + "go":       `names the resource "go", which Azure does not allow`,
		group + "/providers/Microsoft.Compute/galleries/corp/images/web/versions/1.0.0": "",
		group + "/providers/Microsoft.Compute/galleries/corp/images/-/versions/1.0.0":   `names the resource "-", which Azure does not allow`,
	} {
		got := ""
		if err := Check(id, "Microsoft.Storage/storageAccounts", "Microsoft.Compute/galleries/images/versions"); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", id, got, want)
		}
	}
}
