package doctor

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

const galleryAPI = "2024-03-03"

// The roles of infra/gallery.tf, and the variables that assign them.
const (
	galleryRole = "Goldmint gallery publisher"
	sourceRole  = "Goldmint gallery source"
)

var variableOf = map[string]string{galleryRole: "gallery_ids", sourceRole: "gallery_source_ids"}

// GalleryActions are those that the function needs on each gallery.
func GalleryActions() []string {
	const version = "Microsoft.Compute/galleries/images/versions/"
	return []string{version + "read", version + "write", version + "delete", "Microsoft.Compute/locations/capsOperations/read"}
}

// SourceActions are those that the function needs on what a gallery image version is made from.
func SourceActions() []string {
	var all []string
	for _, kind := range []string{"virtualMachines", "disks", "snapshots"} {
		all = append(all, "Microsoft.Compute/"+kind+"/read", "Microsoft.Compute/"+kind+"/write")
	}
	return all
}

// galleries are the checks of the galleries that are named, each with the definitions that must be
// in it.
func (a app) galleries() []appCheck {
	var checks []appCheck
	setting, definition, _ := strings.Cut(a.VMGalleryImage, "/")
	settingSeen := a.VMGalleryImage == "" || a.VMEvents == "off"
	for _, id := range a.Galleries {
		gallery, wanted, _ := strings.Cut(id, "/images/")
		names := slices.DeleteFunc([]string{wanted}, func(name string) bool { return name == "" })
		name := gallery[strings.LastIndexByte(gallery, '/')+1:]
		if strings.EqualFold(name, setting) {
			settingSeen = true
			names = append(names, definition)
		}
		checks = append(checks, appCheck{"gallery " + name, func(ctx context.Context, report func(Finding)) error {
			return a.gallery(ctx, gallery, names, report)
		}})
	}
	if !settingSeen {
		checks = append(checks, appCheck{"gallery " + setting, func(_ context.Context, report func(Finding)) error {
			report(Finding{Result: Unknown, Detail: "VM_GALLERY_IMAGE names it, in the resource group of each VM's image", Hint: "give its id: --gallery /subscriptions/…/galleries/" + setting})
			return nil
		}})
	}
	return checks
}

// gallery looks whether a gallery is there, and in it the wanted definitions or any at all.
func (a app) gallery(ctx context.Context, id string, wanted []string, report func(Finding)) error {
	parts := strings.Split(id, "/")
	group, name := parts[4], parts[len(parts)-1]
	err := a.api.get(ctx, id, galleryAPI, nil)
	if isStatus(err, http.StatusNotFound) {
		report(Finding{Result: Failed, Detail: "is not there, and Goldmint creates no galleries", Hint: fmt.Sprintf("check the id, or az sig create -g %s -r %s", group, name)})
		return nil
	}
	if err != nil {
		return err
	}
	var definitions struct{ Value []named }
	if err := a.api.get(ctx, id+"/images", galleryAPI, &definitions); err != nil {
		return err
	}
	var there, missing []string
	for _, d := range definitions.Value {
		there = append(there, d.Name)
	}
	for _, want := range wanted {
		if !slices.ContainsFunc(there, func(name string) bool { return strings.EqualFold(name, want) }) {
			missing = append(missing, want)
		}
	}
	create := func(definition string) string {
		return fmt.Sprintf("az sig image-definition create -g %s -r %s -i %s …", group, name, definition)
	}
	switch {
	case len(missing) > 0:
		report(Finding{Result: Failed, Detail: "has no image definition " + strings.Join(missing, ", ") + ", and Goldmint creates only versions", Hint: create(missing[0])})
	case len(there) == 0:
		report(Finding{Result: Failed, Detail: "has no image definition, and Goldmint creates only versions", Hint: create("NAME")})
	default:
		report(Finding{Result: OK, Detail: "image definitions: " + strings.Join(there, ", ")})
	}
	return nil
}
