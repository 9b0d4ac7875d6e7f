package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"goldmint/cmd/goldmint/internal/requestfile"

	"github.com/spf13/pflag"
)

// fromFlags is the name of a request without a file.
const fromFlags = "<flags>"

// flagRequest is a request that flags make, without a file.
type flagRequest struct {
	vm, disk, snapshot, blob                    string
	group, name, location, subscription, ostype string
	gallery, definition                         string // of a gallery image version
}

func (r *flagRequest) add(f *pflag.FlagSet) {
	f.StringVar(&r.vm, "vm", "", "make the image of the virtual machine with this `ID`, in place of a file")
	f.StringVar(&r.disk, "disk", "", "make the image of the managed disk with this `ID`")
	f.StringVar(&r.snapshot, "snapshot", "", "make the image of the snapshot with this `ID`")
	f.StringVar(&r.blob, "blob", "", "make the image of the VHD at this `URL`")
	f.StringVarP(&r.group, "resource-group", "g", "", "resource group of the image, or of the gallery")
	f.StringVarP(&r.name, "name", "n", "", "name of the image, or number of the version")
	f.StringVarP(&r.location, "location", "l", "", "region of the image or version")
	f.StringVar(&r.gallery, "gallery", "", "make a version in the gallery of this `name`, in place of an image")
	f.StringVar(&r.definition, "definition", "", "`name` of the image definition in --gallery")
	f.StringVar(&r.subscription, "subscription", "", "Azure subscription of the image, a `GUID` (default: the function app's)")
	f.StringVar(&r.ostype, "os-type", "Linux", "Linux or Windows, for --disk, --snapshot and --blob")
}

// given reports whether the flags make a request.
func (r *flagRequest) given() bool { return r.vm+r.disk+r.snapshot+r.blob != "" }

// settings adds what the flags say to the flags of requests: a whole request, or values of one that
// a file holds.
func (r *flagRequest) settings(to *requestFlags) error {
	if (r.gallery == "") != (r.definition == "") {
		return errors.New("--gallery and --definition go together: they name an image definition")
	}
	location := "image.location"
	if r.gallery != "" {
		location = "galleryImageVersion.location"
	}
	for _, s := range []struct{ path, value string }{
		{"resourceGroup", r.group},
		{"galleryName", r.gallery},
		{"galleryImageName", r.definition},
		{"name", r.name},
		{location, r.location},
		{"subscriptionId", r.subscription},
	} {
		if s.value != "" {
			to.settings = append(to.settings, s.path+"="+s.value)
		}
	}
	if !r.given() {
		return nil
	}
	body, err := r.body()
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(body, "", "  ")
	if err != nil {
		return fmt.Errorf("make the request: %w", err)
	}
	to.text = text
	return nil
}

// body is the request without its settings.
func (r *flagRequest) body() (map[string]any, error) {
	given := map[string]string{}
	for name, value := range map[string]string{"virtualMachine": r.vm, "managedDisk": r.disk, "snapshot": r.snapshot, "blobUri": r.blob} {
		if value != "" {
			given[name] = value
		}
	}
	if len(given) != 1 {
		return nil, errors.New("an image has one source: give one of --vm, --disk, --snapshot and --blob")
	}
	for name, value := range given {
		if r.gallery != "" {
			properties := map[string]any{"storageProfile": versionSource(name, value)}
			if r.location != "" { // its own region is required; --set adds more
				properties["publishingProfile"] = map[string]any{"targetRegions": []any{map[string]any{"name": r.location}}}
			}
			return map[string]any{"galleryImageVersion": map[string]any{"properties": properties}}, nil
		}
		return map[string]any{"image": map[string]any{"properties": imageSource(name, value, r.ostype)}}, nil
	}
	return nil, nil
}

// imageSource is the properties of an image that is made from one source.
func imageSource(name, value, osType string) map[string]any {
	source := any(map[string]any{"id": value})
	switch name {
	case "virtualMachine":
		return map[string]any{"sourceVirtualMachine": source}
	case "blobUri":
		source = value
	}
	return map[string]any{"storageProfile": map[string]any{"osDisk": map[string]any{"osType": osType, "osState": "Generalized", name: source}}}
}

// versionSource is the storage profile of a gallery image version: it does not repeat what its
// definition says.
func versionSource(name, value string) map[string]any {
	switch name {
	case "virtualMachine":
		return map[string]any{"source": map[string]any{"virtualMachineId": value}}
	case "blobUri":
		return map[string]any{"osDiskImage": map[string]any{"source": map[string]any{"uri": value}}}
	}
	return map[string]any{"osDiskImage": map[string]any{"source": map[string]any{"id": value}}}
}

// flagsByEnd are the flags by the last part of the path that they set.
var flagsByEnd = map[string]string{
	"name": "--name", "resourceGroup": "--resource-group", "location": "--location", "subscriptionId": "--subscription",
	"galleryName": "--gallery", "galleryImageName": "--definition", "osType": "--os-type",
	"sourceVirtualMachine": "--vm", "virtualMachineId": "--vm", "managedDisk": "--disk", "blobUri": "--blob", "uri": "--blob",
}

// showFlags writes the problems of a request that flags made: by their flags, because there is no
// file.
func showFlags(w io.Writer, invalid *requestfile.Invalid) {
	for _, p := range invalid.Problems {
		path := p.Path
		end := strings.TrimSuffix(path, ".id")
		if flag := flagsByEnd[end[strings.LastIndexByte(end, '.')+1:]]; flag != "" {
			path = flag
		}
		_, _ = fmt.Fprintf(w, "%s: %s\n", path, p.Message)
	}
}
