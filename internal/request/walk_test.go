package request_test

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"goldmint/internal/request"
	"goldmint/schema"

	"github.com/google/go-cmp/cmp"
)

// property is one property of the Image resource.
type property struct {
	Path     string `json:"path"` // a.b[].c
	Type     string `json:"type"`
	Enum     []any  `json:"enum"`
	ReadOnly bool   `json:"readOnly"`
}

// imageProperties is the Image resource as the API itself describes it.
func imageProperties(t *testing.T) []property {
	t.Helper()
	var file struct{ Properties []property }
	text, err := os.ReadFile("testdata/image-2021-11-01.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	return file.Properties
}

// The contract's image has the API's properties, all of them and no others,
// with the same types and values.
func TestContractIsTheAPI(t *testing.T) {
	var contract map[string]any
	if err := json.Unmarshal(schema.BuildRequest, &contract); err != nil {
		t.Fatal(err)
	}
	var got []property
	var walk func(s map[string]any, path string)
	walk = func(s map[string]any, path string) {
		readOnly := false
		for s["$ref"] != nil {
			name := strings.TrimPrefix(s["$ref"].(string), "#/$defs/")
			readOnly = name == "readOnly"
			s = contract["$defs"].(map[string]any)[name].(map[string]any)
		}
		properties, _ := s["properties"].(map[string]any)
		switch {
		case readOnly:
			got = append(got, property{Path: path, Type: "string", ReadOnly: true})
		case s["enum"] != nil:
			got = append(got, property{Path: path, Type: "string", Enum: s["enum"].([]any)})
		case s["items"] != nil:
			walk(s["items"].(map[string]any), path+"[]")
		case properties == nil:
			got = append(got, property{Path: path, Type: s["type"].(string)})
		}
		for name, p := range properties {
			walk(p.(map[string]any), strings.TrimPrefix(path+"."+name, "."))
		}
	}
	walk(map[string]any{"$ref": "#/$defs/image"}, "")
	slices.SortFunc(got, func(a, b property) int { return strings.Compare(a.Path, b.Path) })
	if diff := cmp.Diff(imageProperties(t), got); diff != "" {
		t.Errorf("the contract differs from the API (-API +contract):\n%s", diff)
	}
}

// Every property that can be set reaches Azure with the value given.
func TestEveryPropertyReachesAzure(t *testing.T) {
	for _, p := range imageProperties(t) {
		if p.ReadOnly {
			continue
		}
		values := p.Enum
		if values == nil {
			values = samples(p)
		}
		for _, value := range values {
			if p.Path == "properties.storageProfile.osDisk.storageAccountType" && value == "UltraSSD_LRS" {
				continue // refused: for data disks only
			}
			image := baseFor(p.Path)
			set(image, p.Path, value)
			put := putBody(t, image)
			if diff := cmp.Diff(image, put); diff != "" {
				t.Errorf("%s = %v: Azure gets something else (-given +put):\n%s", p.Path, value, diff)
			}
		}
	}
}

// What Azure sets itself is refused.
func TestReadOnlyPropertiesAreRefused(t *testing.T) {
	for _, p := range imageProperties(t) {
		if !p.ReadOnly {
			continue
		}
		image := baseFor(p.Path)
		set(image, p.Path, "x")
		_, err := request.Decode(body(t, image))
		want := "InvalidRequest: image." + p.Path + ": is read-only: Azure sets it; leave it out"
		if err == nil || err.Error() != want {
			t.Errorf("%s: got error %v, want %s", p.Path, err, want)
		}
	}
}

// The few changes that are made on the way, all of them.
func TestWhatIsFilledIn(t *testing.T) {
	image := fullImage()
	profile := image["properties"].(map[string]any)["storageProfile"].(map[string]any)
	slashless := func(name string) map[string]any {
		return map[string]any{"id": strings.TrimPrefix(resourceID(name, "web"), "/")}
	}
	profile["osDisk"].(map[string]any)["diskEncryptionSet"] = slashless("diskEncryptionSets")
	profile["dataDisks"].([]any)[0].(map[string]any)["managedDisk"] = slashless("disks")
	profile["dataDisks"].([]any)[0].(map[string]any)["diskEncryptionSet"] = slashless("diskEncryptionSets")
	profile["dataDisks"].([]any)[1].(map[string]any)["snapshot"] = slashless("snapshots")
	delete(image["properties"].(map[string]any), "hyperVGeneration")

	want := fullImage()
	want["properties"].(map[string]any)["hyperVGeneration"] = "V1"
	if diff := cmp.Diff(want, putBody(t, image)); diff != "" {
		t.Errorf("not filled in as wanted (-want +put):\n%s", diff)
	}

	vm := baseFor("properties.sourceVirtualMachine.id")
	want = baseFor("properties.sourceVirtualMachine.id")
	set(vm, "properties.sourceVirtualMachine.id", strings.TrimPrefix(resourceID("virtualMachines", "web"), "/"))
	if diff := cmp.Diff(want, putBody(t, vm)); diff != "" {
		t.Errorf("a virtual machine's image is not as wanted (-want +put):\n%s", diff)
	}
}

// putBody decodes a request for the image and returns the body that would be
// PUT.
func putBody(t *testing.T, image map[string]any) map[string]any {
	t.Helper()
	r, err := request.Decode(body(t, image))
	if err != nil {
		t.Fatalf("decode: %v", err)
	}
	text, err := json.Marshal(r.Image)
	if err != nil {
		t.Fatal(err)
	}
	var put map[string]any
	if err := json.Unmarshal(text, &put); err != nil {
		t.Fatal(err)
	}
	return put
}

func body(t *testing.T, image map[string]any) []byte {
	t.Helper()
	text, err := json.Marshal(map[string]any{"resourceGroup": "rg", "name": "web", "image": image})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

const subscription = "5f2b1c9e-7d34-4e0a-9c41-2a6d8e1b7f03"

func resourceID(resourceType, name string) string {
	return "/subscriptions/" + subscription + "/resourceGroups/rg/providers/Microsoft.Compute/" + resourceType + "/" + name
}

// samples are values for a property without a list of its own.
func samples(p property) []any {
	parts := strings.Split(p.Path, ".")
	switch {
	case p.Path == "location":
		return []any{"westeurope", "West US 2"}
	case p.Path == "extendedLocation.name":
		return []any{"microsoftlosangeles1"}
	case p.Path == "tags":
		return []any{map[string]any{}, map[string]any{"team": "web", "Größe (1)": ""}, map[string]any{"a b": "</&?%\\\\>\u00e9😀"}}
	case p.Type == "boolean":
		return []any{true, false}
	case strings.HasSuffix(p.Path, "lun"):
		return []any{0.0, 1.0, 63.0}
	case strings.HasSuffix(p.Path, "diskSizeGB"):
		return []any{1.0, 128.0, 1023.0}
	case strings.HasSuffix(p.Path, "blobUri"):
		return []any{
			"https://mystorageaccount.blob.core.windows.net/osimages/osimage.vhd",
			"https://acc.z12.blob.storage.azure.net/c/a%20b/disk(1).vhd",
			"https://acc.blob.core.usgovcloudapi.net/$root.vhd",
		}
	case parts[len(parts)-1] == "id":
		types := map[string]string{
			"sourceVirtualMachine": "virtualMachines", "managedDisk": "disks", "snapshot": "snapshots",
			"diskEncryptionSet": "diskEncryptionSets",
		}
		resourceType := types[parts[len(parts)-2]]
		return []any{resourceID(resourceType, "web"), strings.ToLower(resourceID(resourceType, "Web_1.0"))}
	}
	panic("no sample for " + p.Path)
}

// baseFor is a legal image to which the property at path can be added.
func baseFor(path string) map[string]any {
	if strings.HasPrefix(path, "properties.storageProfile") || path == "properties.hyperVGeneration" {
		image := fullImage()
		profile := image["properties"].(map[string]any)["storageProfile"].(map[string]any)
		profile["dataDisks"] = profile["dataDisks"].([]any)[:1]
		for _, source := range []string{"blobUri", "managedDisk", "snapshot"} {
			if strings.Contains(path, "osDisk."+source) {
				delete(profile["osDisk"].(map[string]any), "blobUri")
			}
			if strings.Contains(path, "dataDisks[]."+source) {
				delete(profile["dataDisks"].([]any)[0].(map[string]any), "managedDisk")
			}
		}
		return image
	}
	image := map[string]any{
		"location":   "westeurope",
		"properties": map[string]any{"sourceVirtualMachine": map[string]any{"id": resourceID("virtualMachines", "web")}},
	}
	if strings.HasPrefix(path, "extendedLocation") {
		image["extendedLocation"] = map[string]any{"name": "microsoftmiami1", "type": "EdgeZone"}
	}
	return image
}

// fullImage has every property that can stand beside the others.
func fullImage() map[string]any {
	resource := func(resourceType string) map[string]any { return map[string]any{"id": resourceID(resourceType, "web")} }
	more := func(disk map[string]any) map[string]any {
		maps.Copy(disk, map[string]any{
			"caching": "ReadOnly", "diskSizeGB": 64.0, "storageAccountType": "StandardSSD_ZRS",
			"diskEncryptionSet": resource("diskEncryptionSets"),
		})
		return disk
	}
	return map[string]any{
		"location":         "West US 2",
		"tags":             map[string]any{"team": "web"},
		"extendedLocation": map[string]any{"name": "microsoftlosangeles1", "type": "EdgeZone"},
		"properties": map[string]any{
			"hyperVGeneration": "V2",
			"storageProfile": map[string]any{
				"osDisk": more(map[string]any{
					"osType": "Linux", "osState": "Generalized",
					"blobUri": "https://mystorageaccount.blob.core.windows.net/osimages/osimage.vhd",
				}),
				"dataDisks": []any{
					more(map[string]any{"lun": 0.0, "managedDisk": resource("disks")}),
					more(map[string]any{"lun": 1.0, "snapshot": resource("snapshots")}),
					more(map[string]any{"lun": 2.0, "blobUri": "https://mystorageaccount.blob.core.windows.net/dataimages/dataimage.vhd"}),
				},
				"zoneResilient": true,
			},
		},
	}
}

// set puts a value at a path, in the first element of a list.
func set(object map[string]any, path string, value any) {
	parts := strings.Split(path, ".")
	for _, part := range parts[:len(parts)-1] {
		name, list := strings.CutSuffix(part, "[]")
		if list {
			object = object[name].([]any)[0].(map[string]any)
			continue
		}
		next, ok := object[name].(map[string]any)
		if !ok {
			next = make(map[string]any)
			object[name] = next
		}
		object = next
	}
	object[parts[len(parts)-1]] = value
}
