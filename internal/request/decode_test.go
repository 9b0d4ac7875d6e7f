package request_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"goldmint/internal/request"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"
	"github.com/google/go-cmp/cmp"
)

func TestDecode(t *testing.T) {
	got, err := request.Decode([]byte(good))
	if err != nil {
		t.Fatal(err)
	}
	want := request.Request{
		ID:             "web-1",
		SubscriptionID: subscription,
		ResourceGroup:  "rg",
		Name:           "web",
		IfExists:       request.Fail,
		Timeout:        2 * time.Hour,
		Metadata:       map[string]string{"commit": "1f6c0ad"},
		Image: armcompute.Image{
			Location: to.Ptr("westeurope"),
			Tags:     map[string]*string{"team": to.Ptr("web")},
			Properties: &armcompute.ImageProperties{StorageProfile: &armcompute.ImageStorageProfile{
				OSDisk: &armcompute.ImageOSDisk{
					OSType:      to.Ptr(armcompute.OperatingSystemTypesLinux),
					OSState:     to.Ptr(armcompute.OperatingSystemStateTypesGeneralized),
					ManagedDisk: &armcompute.SubResource{ID: to.Ptr(resourceID("disks", "os"))},
				},
				DataDisks: []*armcompute.ImageDataDisk{{
					Lun:     to.Ptr[int32](1),
					BlobURI: to.Ptr("https://account.blob.core.windows.net/vhds/data.vhd"),
				}},
			}},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestDecodeDefaults(t *testing.T) {
	got, err := request.Decode(body(t, baseFor("location")))
	if err != nil {
		t.Fatal(err)
	}
	if got.ID != "" || got.SubscriptionID != "" || got.Metadata != nil {
		t.Errorf("something was made up: %+v", got)
	}
	if got.IfExists != request.Fail || got.Timeout != request.DefaultTimeout {
		t.Errorf("ifExists %q, timeout %v", got.IfExists, got.Timeout)
	}
	if got.Image.Properties.HyperVGeneration != nil {
		t.Errorf("generation %v for a machine, which has its own", *got.Image.Properties.HyperVGeneration)
	}
}

// What looks odd and is legal.
func TestAccepts(t *testing.T) {
	zone := `"sourceVirtualMachine": {"id": "` + resourceID("virtualMachines", "web") + `"}, "storageProfile": {"zoneResilient": true}`
	for name, test := range map[string]struct{ from, to string }{
		"a timeout in days":           {`"PT2H"`, `"P1D"`},
		"the shortest timeout":        {`"PT2H"`, `"PT300S"`},
		"a group in other letters":    {`"resourceGroup": "rg"`, `"resourceGroup": "(größe)_1.x"`},
		"an image name of one letter": {`"name": "web"`, `"name": "w"`},
		"an image name of 80":         {`"name": "web"`, `"name": "` + strings.Repeat("w", 79) + `_"`},
		"braces in metadata":          {`"1f6c0ad"`, `"{not a placeholder} \ud83d\ude00 \\ud83d <b>"`},
		"braces in a tag":             {`"team": "web"`, `"{team}": "{web}"`},
		"a link in metadata":          {`"1f6c0ad"`, `"https://dev.azure.com/o/p/_build/results?buildId=7&view=logs"`},
		"45 tags":                     {`"team": "web"`, manyTags(45)},
		"no tags":                     {`"team": "web"`, ``},
		"metadata to the brim":        {`"commit": "1f6c0ad"`, `"commit": "` + strings.Repeat("x", 8186) + `"`},
		"ultra data disks":            {`"lun": 1,`, `"lun": 1, "storageAccountType": "UltraSSD_LRS",`},
		"the last lun":                {`"lun": 1`, `"lun": 63`},
		"a blob's host in capitals":   {`https://account.blob`, `https://Account.BLOB`},
		"a disk id in other case":     {`Microsoft.Compute/disks`, `microsoft.compute/DISKS`},
		"blanks around":               {`"id": "web-1"`, "\r\n\t \"id\" : \"web-1\" "},
		"an escaped field name":       {`"id": "web-1"`, `"\u0069d": "web-1"`},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := request.Decode([]byte(replace(t, test.from, test.to))); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("a zone resilient image of a machine", func(t *testing.T) {
		body := `{"resourceGroup": "rg", "name": "web", "image": {"location": "westeurope", "properties": {` + zone + `}}}`
		if _, err := request.Decode([]byte(body)); err != nil {
			t.Error(err)
		}
	})
}

// The examples are what people copy.
func TestExamples(t *testing.T) {
	files, err := filepath.Glob("../../examples/requests/*.json")
	if err != nil || len(files) != 10 {
		t.Fatalf("%d examples (%v), want the API's ten", len(files), err)
	}
	names := make(map[string]string)
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
		if other := names[r.Name]; other != "" {
			t.Errorf("%s has the image name of %s", file, other)
		}
		names[r.Name] = file
		sources[r.Source().Type]++
		profile := r.Image.Properties.StorageProfile
		if profile != nil && profile.ZoneResilient != nil && *profile.ZoneResilient && *r.Image.Location == "West US" {
			t.Errorf("%s wants zone redundant storage where there is none", file)
		}
	}
	want := map[string]int{"virtualMachine": 1, "blob": 3, "snapshot": 3, "managedDisk": 3}
	if diff := cmp.Diff(want, sources); diff != "" {
		t.Errorf("sources (-want +got):\n%s", diff)
	}
}

// largest is the largest request that the limits allow: every list full, every
// text at its limit, and the rest of the 64 KB in long names.
func largest(t *testing.T, text string) []byte {
	t.Helper()
	image := fullImage()
	profile := image["properties"].(map[string]any)["storageProfile"].(map[string]any)
	var disks []any
	for lun := range 64 {
		disks = append(disks, map[string]any{
			"lun": lun, "caching": "ReadOnly", "diskSizeGB": 1023, "storageAccountType": "StandardSSD_LRS",
			"managedDisk":       map[string]any{"id": resourceID("disks", strings.Repeat("d", 70))},
			"diskEncryptionSet": map[string]any{"id": resourceID("diskEncryptionSets", strings.Repeat("d", 70))},
		})
	}
	profile["dataDisks"] = disks
	tags := make(map[string]any)
	for i := range request.MaxTags {
		tags[fmt.Sprintf("tag%02d", i)] = strings.Repeat(text, 256/len(text))
	}
	image["tags"] = tags
	all := string(body(t, image))
	all = strings.TrimSuffix(all, "}") + `,"metadata":{"note":"` + strings.Repeat(text, (request.MaxMetadataBytes-4)/len(text)) + `"}}`
	all = strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(all)
	if len(all) > request.MaxBytes {
		t.Fatalf("the request has %d bytes", len(all))
	}
	// Its canonical form writes the defaults out: leave them room.
	return []byte(all + strings.Repeat(" ", request.MaxBytes-len(all)))
}

func TestLargest(t *testing.T) {
	for _, text := range []string{"x", "<"} {
		r, err := request.Decode(largest(t, text))
		if err != nil {
			t.Fatal(err)
		}
		wrapped := marshal(t, map[string]any{"request": r, "resumeToken": strings.Repeat("t", 7<<10)})
		if len(wrapped) > 240<<10 {
			t.Errorf("with a resume token it has %d bytes, too many for a message of 256 KB", len(wrapped))
		}
		if _, err := request.Decode(append(largest(t, text), ' ')); err == nil {
			t.Error("one byte more is accepted")
		}
	}
}

// TestCanonicalFormIsBoundedToo: a body of just the allowed size grows by what is filled in, and is
// refused for that: the build that carries it has to fit a message.
func TestCanonicalFormIsBoundedToo(t *testing.T) {
	var disks, tags []string
	for lun := range 64 {
		id := strings.TrimPrefix(resourceID("disks", strings.Repeat("d", 70)), "/") // the slash is filled in
		disks = append(disks, fmt.Sprintf(`{"lun":%d,"managedDisk":{"id":%q}}`, lun, id))
	}
	for n := range request.MaxTags {
		tags = append(tags, fmt.Sprintf(`"%s%02d":"%s"`, strings.Repeat("t", 500), n, strings.Repeat("é", 250)))
	}
	sized := func(size int) []byte {
		const text = `{"id":"a","resourceGroup":"rg","name":"n","metadata":{"m":"%s"},"image":{"location":"westeurope","tags":{%s},"properties":{"storageProfile":` +
			`{"osDisk":{"osType":"Linux","osState":"Generalized","managedDisk":{"id":%q}},"dataDisks":[%s]}}}}`
		filled := func(fill int) string {
			return fmt.Sprintf(text, strings.Repeat("m", fill), strings.Join(tags, ","), resourceID("disks", "os"), strings.Join(disks, ","))
		}
		return []byte(filled(size - len(filled(0))))
	}
	if _, err := request.Decode(sized(request.MaxBytes - 1000)); err != nil {
		t.Fatalf("one that has room to grow: %v", err)
	}
	var invalid *request.Invalid
	_, err := request.Decode(sized(request.MaxBytes))
	if !errors.As(err, &invalid) || invalid.Reason != request.RequestTooLarge || !strings.Contains(err.Error(), "once its defaults are filled in") {
		t.Errorf("one that has none: %v", err)
	}
}
