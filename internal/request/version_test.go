package request_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"goldmint/internal/request"
	"goldmint/schema"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"
	"github.com/google/go-cmp/cmp"
)

const goodVersion = `{
  "resourceGroup": "rg",
  "galleryName": "corp",
  "galleryImageName": "web",
  "name": "2026.1127.143000",
  "ifExists": "fail",
  "galleryImageVersion": {
    "location": "West Europe",
    "tags": {"team": "web"},
    "properties": {
      "storageProfile": {
        "osDiskImage": {"source": {"id": "/subscriptions/5f2b1c9e-7d34-4e0a-9c41-2a6d8e1b7f03/resourceGroups/rg/providers/Microsoft.Compute/disks/os"}},
        "dataDiskImages": [{"lun": 1, "source": {"storageAccountId": "/subscriptions/5f2b1c9e-7d34-4e0a-9c41-2a6d8e1b7f03/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/acct", "uri": "https://acct.blob.core.windows.net/vhds/d.vhd"}}]
      },
      "publishingProfile": {"targetRegions": [{"name": "westeurope", "regionalReplicaCount": 1}]}
    }
  }
}`

func TestDecodeVersion(t *testing.T) {
	r, err := request.Decode([]byte(goodVersion))
	if err != nil {
		t.Fatal(err)
	}
	const id = "/subscriptions/S/resourceGroups/rg/providers/Microsoft.Compute/galleries/corp/images/web/versions/2026.1127.143000"
	if got := r.ResourceID("S"); got != id {
		t.Errorf("resource ID %s, want %s", got, id)
	}
	if r.Target() != request.GalleryImageVersion || r.Timeout != 6*time.Hour || r.Location() != "West Europe" || *r.Tags()["team"] != "web" {
		t.Errorf("target %s, timeout %s, location %s, tags %v", r.Target(), r.Timeout, r.Location(), r.Tags())
	}
	again, err := request.Decode(r.Canonical())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(r, again); diff != "" {
		t.Errorf("the canonical form is another request (-want +got):\n%s", diff)
	}
}

func TestGalleryExamples(t *testing.T) {
	files, err := filepath.Glob("../../examples/requests-gallery/*.json")
	if err != nil {
		t.Fatal(err)
	}
	sources := make(map[string]int)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		r, err := request.Decode(text)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		sources[r.Source().Type]++
	}
	want := map[string]int{"virtualMachine": 4, "blob": 1, "snapshot": 2, "managedDisk": 1, "image": 1, "galleryImageVersion": 1, "communityGalleryImage": 1}
	if diff := cmp.Diff(want, sources); diff != "" {
		t.Errorf("sources (-want +got):\n%s", diff)
	}
}

func TestRefusesVersions(t *testing.T) {
	const (
		storage    = "galleryImageVersion.properties.storageProfile"
		publishing = "galleryImageVersion.properties.publishingProfile"
		regions    = publishing + ".targetRegions"
		source     = `{"virtualMachineId": "/subscriptions/5f2b1c9e-7d34-4e0a-9c41-2a6d8e1b7f03/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/web"}`
		versionIs  = "name: must be a version: three integers without leading zeros, such as 1.0.0 or 2026.1127.143000; it is "
	)
	for name, test := range map[string]struct{ from, to, want string }{
		"version":           {`2026.1127.143000`, `1.0`, versionIs + `"1.0"`},
		"climbs":            {`2026.1127.143000`, `..`, versionIs + `".."`},
		"leading zero":      {`2026.1127.143000`, `1.01.0`, versionIs + `"1.01.0"`},
		"too large":         {`2026.1127.143000`, `1.0.2147483648`, `name: must be a version of three integers up to 2147483647; it is "1.0.2147483648"`},
		"replace":           {`"fail"`, `"replace"`, `ifExists: may not be "replace" for a gallery image version: scale sets would lose the image that they refer to; give the version a new number`},
		"no gallery":        {`"galleryName": "corp",`, ``, `galleryName: is missing: the Azure Compute Gallery in which the version is created`},
		"gallery":           {`"corp"`, `"corp-gallery"`, `galleryName: must be a gallery's name: 1 to 80 letters, digits, '_' or '.', starting and ending with a letter or digit; it is "corp-gallery"`},
		"definition climbs": {`"web",`, `"a..b",`, `galleryImageName: may not hold ".."`},
		"both": {
			`"galleryImageVersion": {`, `"image": {"location": "westeurope", "properties": {"sourceVirtualMachine": {"id": "` + resourceID("virtualMachines", "web") + `"}}}, "galleryImageVersion": {`,
			`galleryImageVersion: stands beside image: a request asks for one of the two; send two requests for both`,
		},
		"read-only":        {`"location": "West Europe",`, `"location": "West Europe", "id": "x",`, `galleryImageVersion.id: is read-only: Azure sets it; leave it out`},
		"replication":      {`"publishingProfile"`, `"replicationStatus": {}, "publishingProfile"`, `galleryImageVersion.properties.replicationStatus: is read-only: Azure sets it; leave it out`},
		"two sources":      {`"osDiskImage"`, `"source": ` + source + `, "osDiskImage"`, storage + `: names two sources: give source, or osDiskImage with dataDiskImages, not both`},
		"empty source":     {`"osDiskImage": {"source": {"id": "` + resourceID("disks", "os") + `"}}`, `"osDiskImage": {"source": {}}`, storage + `.osDiskImage.source: names no source: give id (a disk or snapshot), or storageAccountId with uri (a VHD blob)`},
		"no account":       {`"storageAccountId": "/subscriptions/5f2b1c9e-7d34-4e0a-9c41-2a6d8e1b7f03/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/acct", `, ``, storage + `.dataDiskImages[0].source.storageAccountId: is missing: the resource ID of the storage account that holds the VHD blob`},
		"SAS":              {`d.vhd"`, `d.vhd?sig=SECRET"`, storage + `.dataDiskImages[0].source.uri: may not hold a query or SAS token: Azure refuses it; give the plain URL and let Azure read the blob with its own rights`},
		"other type":       {`disks/os`, `images/os`, storage + `.osDiskImage.source.id: must be the ID of Microsoft.Compute/disks or Microsoft.Compute/snapshots, not of Microsoft.Compute/images`},
		"lun twice":        {`[{"lun": 1, `, `[{"lun": 1, "source": {"id": "` + resourceID("disks", "d") + `"}}, {"lun": 1, `, storage + `.dataDiskImages[1].lun: is 1, which ` + storage + `.dataDiskImages[0] has already; each data disk needs a lun of its own`},
		"home missing":     {`"westeurope"`, `"northeurope"`, regions + `: must hold the version's own location "West Europe"`},
		"no regions":       {`[{"name": "westeurope", "regionalReplicaCount": 1}]`, `[]`, regions + `: must be a list of at least one region`},
		"region twice":     {`[{"name": "westeurope"`, `[{"name": "WEST europe"}, {"name": "westeurope"`, regions + `[1].name: is "westeurope", which ` + regions + `[0] has already; name each region once`},
		"shallow abroad":   {`[{"name": "westeurope"`, `[{"name": "West Europe"}, {"name": "North Europe"`, ""},
		"replicas":         {`"regionalReplicaCount": 1`, `"regionalReplicaCount": 101`, regions + `[0].regionalReplicaCount: must be from 1 to 100; it is 101`},
		"shallow copies":   {`"regionalReplicaCount": 1}]`, `"regionalReplicaCount": 2}], "replicationMode": "Shallow"`, regions + `[0].regionalReplicaCount: must be 1: a Shallow version has one replica`},
		"past":             {`"regionalReplicaCount": 1}]`, `"regionalReplicaCount": 1}], "endOfLifeDate": "2020-01-01T00:00:00Z"`, publishing + `.endOfLifeDate: must be in the future; it is "2020-01-01T00:00:00Z"`},
		"no such day":      {`"regionalReplicaCount": 1}]`, `"regionalReplicaCount": 1}], "endOfLifeDate": "2027-02-31T00:00:00Z"`, publishing + `.endOfLifeDate: must be a date and time such as 2027-02-01T00:00:00Z; it is "2027-02-31T00:00:00Z"`},
		"block":            {`"publishingProfile"`, `"safetyProfile": {"blockDeletionBeforeEndOfLife": true}, "publishingProfile"`, publishing + `.endOfLifeDate: is missing: blockDeletionBeforeEndOfLife needs the date until which it blocks`},
		"two storages":     {`"regionalReplicaCount": 1}]`, `"regionalReplicaCount": 1}], "storageAccountType": "Standard_LRS", "storageAccountStrategy": "PreferStandard_ZRS"`, publishing + `.storageAccountStrategy: stands beside storageAccountType: keep one of the two`},
		"a tag of our own": {`"team"`, `"goldmint-x"`, `galleryImageVersion.tags.goldmint-x: tags that start with goldmint- are Goldmint's own; choose another name`},
	} {
		t.Run(name, func(t *testing.T) {
			if strings.Count(goodVersion, test.from) != 1 {
				t.Fatalf("%q is %d times in the good request, want once", test.from, strings.Count(goodVersion, test.from))
			}
			body := strings.Replace(goodVersion, test.from, test.to, 1)
			if test.want == "" {
				if _, err := request.Decode([]byte(body)); err != nil {
					t.Errorf("two regions are refused: %v", err)
				}
				return
			}
			wantError(t, body, "InvalidRequest: "+test.want)
		})
	}
}

// A date that passes while a build is under way does not spoil Goldmint's own messages.
func TestEndOfLifePassesUnderWay(t *testing.T) {
	body := strings.Replace(goodVersion, `"regionalReplicaCount": 1}]`, `"regionalReplicaCount": 1}], "endOfLifeDate": "2020-01-01T00:00:00Z"`, 1)
	var r request.Request
	if err := json.Unmarshal([]byte(body), &r); err != nil {
		t.Error(err)
	}
}

// The contract's version has the properties of the SDK's resource, all but restore, and every one
// of them survives the SDK.
func TestVersionContractIsTheAPI(t *testing.T) {
	full := reflect.New(reflect.TypeFor[armcompute.GalleryImageVersion]())
	fill(full.Elem())
	text, err := json.Marshal(full.Interface())
	if err != nil {
		t.Fatal(err)
	}
	var resource any
	if err := json.Unmarshal(text, &resource); err != nil {
		t.Fatal(err)
	}
	var contract map[string]any
	if err := json.Unmarshal(schema.BuildRequest, &contract); err != nil {
		t.Fatal(err)
	}
	defs := contract["$defs"].(map[string]any)
	var extra, missing []string
	var walk func(path string, s map[string]any, v any)
	walk = func(path string, s map[string]any, v any) {
		for s["$ref"] != nil {
			name := strings.TrimPrefix(s["$ref"].(string), "#/$defs/")
			if name == "readOnly" {
				return
			}
			s = defs[name].(map[string]any)
		}
		switch v := v.(type) {
		case []any:
			walk(path+"[]", s["items"].(map[string]any), v[0])
		case map[string]any:
			properties, ok := s["properties"].(map[string]any)
			if !ok { // tags
				return
			}
			for name, value := range v {
				p, ok := properties[name].(map[string]any)
				if !ok {
					missing = append(missing, path+"."+name)
					continue
				}
				walk(path+"."+name, p, value)
			}
			for name := range properties {
				if _, ok := v[name]; !ok {
					extra = append(extra, path+"."+name)
				}
			}
		}
	}
	walk("", map[string]any{"$ref": "#/$defs/galleryImageVersion"}, resource)
	slices.Sort(missing)
	if diff := cmp.Diff([]string{".properties.restore"}, missing); diff != "" {
		t.Errorf("the SDK has, the contract lacks (-want +got):\n%s", diff)
	}
	if len(extra) > 0 {
		t.Errorf("the contract has, the SDK would drop: %v", extra)
	}
}

// fill sets every field of an SDK struct, one element in each list.
func fill(v reflect.Value) {
	switch v.Kind() { //nolint:exhaustive // the others stay as they are
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf("tag"), reflect.ValueOf(to.Ptr("value")))
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Unix(0, 0)))
			return
		}
		for _, field := range v.Fields() {
			fill(field)
		}
	case reflect.String:
		v.SetString("x")
	}
}
