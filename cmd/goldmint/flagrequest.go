package main

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/pflag"
)

// fromFlags names a request that no file holds.
const fromFlags = "<flags>"

// flagRequest is a request that flags make, without a file.
type flagRequest struct {
	vm, disk, snapshot, blob                    string
	group, name, location, subscription, ostype string
}

func (r *flagRequest) add(f *pflag.FlagSet) {
	f.StringVar(&r.vm, "vm", "", "make the image of the virtual machine with this `ID`, without a file")
	f.StringVar(&r.disk, "disk", "", "make the image of the managed disk with this `ID`")
	f.StringVar(&r.snapshot, "snapshot", "", "make the image of the snapshot with this `ID`")
	f.StringVar(&r.blob, "blob", "", "make the image of the VHD at this `URL`")
	f.StringVarP(&r.group, "resource-group", "g", "", "resource group of the image")
	f.StringVarP(&r.name, "name", "n", "", "name of the image")
	f.StringVarP(&r.location, "location", "l", "", "region of the image")
	f.StringVar(&r.subscription, "subscription", "", "Azure subscription of the image, a `GUID` (default: the function app's)")
	f.StringVar(&r.ostype, "os-type", "Linux", "Linux or Windows, for --disk, --snapshot and --blob")
}

// given reports whether the flags make a request.
func (r *flagRequest) given() bool { return r.vm+r.disk+r.snapshot+r.blob != "" }

// settings adds what the flags say to the flags of requests: a whole request, or values of one that a file holds.
func (r *flagRequest) settings(to *requestFlags) error {
	for _, s := range []struct{ path, value string }{
		{"resourceGroup", r.group}, {"name", r.name}, {"image.location", r.location}, {"subscriptionId", r.subscription},
	} {
		if s.value != "" {
			to.settings = append(to.settings, s.path+"="+s.value)
		}
	}
	if !r.given() {
		return nil
	}
	var sources []map[string]any
	osDisk := func(name string, source any) map[string]any {
		return map[string]any{"storageProfile": map[string]any{"osDisk": map[string]any{"osType": r.ostype, "osState": "Generalized", name: source}}}
	}
	if r.vm != "" {
		sources = append(sources, map[string]any{"sourceVirtualMachine": map[string]any{"id": r.vm}})
	}
	if r.disk != "" {
		sources = append(sources, osDisk("managedDisk", map[string]any{"id": r.disk}))
	}
	if r.snapshot != "" {
		sources = append(sources, osDisk("snapshot", map[string]any{"id": r.snapshot}))
	}
	if r.blob != "" {
		sources = append(sources, osDisk("blobUri", r.blob))
	}
	if len(sources) != 1 {
		return errors.New("an image has one source: give one of --vm, --disk, --snapshot and --blob")
	}
	text, err := json.MarshalIndent(map[string]any{"image": map[string]any{"properties": sources[0]}}, "", "  ")
	if err != nil {
		return fmt.Errorf("make the request: %w", err)
	}
	to.text = text
	return nil
}
