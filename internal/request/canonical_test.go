package request_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"goldmint/internal/request"
	"goldmint/schema"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"
	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"
)

func TestCanonical(t *testing.T) {
	r, err := request.Decode([]byte(`{"metadata":{"b":"<2>","a":"1"},"name":"web","image":{"tags":{"z":"&","y":""},
		"properties":{"sourceVirtualMachine":{"id":"` + resourceID("virtualMachines", "web")[1:] + `"}},"location":"West US"},"resourceGroup":"rg"}`))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"resourceGroup":"rg","name":"web","ifExists":"fail","timeout":"PT2H","metadata":{"a":"1","b":"<2>"},` +
		`"image":{"location":"West US","properties":{"sourceVirtualMachine":{"id":"` + resourceID("virtualMachines", "web") + `"}},"tags":{"y":"","z":"&"}}}`
	if got := string(r.Canonical()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	// The digest is part of every build's identity: it may not change between
	// releases.
	if got, want := r.Digest(), "c8dee570384782daa536accf9958220d9ff7d801cf4a7311b327142e5c519d9d"; got != want {
		t.Errorf("digest %s, want %s", got, want)
	}
}

func TestDigest(t *testing.T) {
	digest := func(from, to string) string {
		r, err := request.Decode([]byte(strings.Replace(good, from, to, 1)))
		if err != nil {
			t.Fatal(err)
		}
		return r.Digest()
	}
	base := digest("", "")
	for name, change := range map[string][2]string{
		"another id":                   {`"web-1"`, `"web-2"`},
		"no id":                        {`"id": "web-1",`, ``},
		"the default left out":         {`"ifExists": "fail",`, ``},
		"the timeout said another way": {`"PT2H"`, `"PT120M"`},
		"blanks":                       {`"name": "web"`, `"name" : "web"`},
		"no slash":                     {`"/subscriptions`, `"subscriptions`},
	} {
		if digest(change[0], change[1]) != base {
			t.Errorf("%s makes another digest", name)
		}
	}
	for name, change := range map[string][2]string{
		"another name":     {`"name": "web"`, `"name": "web2"`},
		"no subscription":  {`"subscriptionId": "5f2b1c9e-7d34-4e0a-9c41-2a6d8e1b7f03",`, ``},
		"another timeout":  {`"PT2H"`, `"PT3H"`},
		"another ifExists": {`"fail"`, `"reuse"`},
		"other metadata":   {`"1f6c0ad"`, `"1f6c0ae"`},
		"another tag":      {`"team": "web"`, `"team": "Web"`},
		"another lun":      {`"lun": 1`, `"lun": 2`},
	} {
		if digest(change[0], change[1]) == base {
			t.Errorf("%s makes the same digest", name)
		}
	}
}

func TestCanonicalIsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := requests(t)
		if err := keepsContract()(r.Canonical()); err != nil {
			t.Fatalf("the contract refuses it: %v", err)
		}
		direct, err := request.Decode(r.Canonical())
		if err != nil {
			t.Fatalf("decode %s: %v", r.Canonical(), err)
		}
		if diff := cmp.Diff(r, direct); diff != "" {
			t.Fatalf("Decode(Canonical()) differs (-want +got):\n%s", diff)
		}
		text, err := json.Marshal(struct{ Request request.Request }{r})
		if err != nil {
			t.Fatal(err)
		}
		var nested struct{ Request request.Request }
		if err := json.Unmarshal(text, &nested); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(r, nested.Request); diff != "" {
			t.Fatalf("inside another message it differs (-want +got):\n%s", diff)
		}
		if nested.Request.Digest() != r.Digest() {
			t.Fatal("the digest changed on the way")
		}
	})
}

// requests draws any legal request, as Decode returns it.
func requests(t *rapid.T) request.Request {
	text := rapid.StringOf(rapid.RuneFrom([]rune("aZ09 <>&\"\\/{}é😀\u00a0"))).Filter(func(s string) bool { return len([]rune(s)) < 200 })
	r := request.Request{
		ID:             rapid.StringMatching(`([A-Za-z0-9._-]{1,48})?`).Draw(t, "id"),
		SubscriptionID: rapid.SampledFrom([]string{"", subscription}).Draw(t, "subscription"),
		ResourceGroup:  rapid.StringMatching(`[-_()\p{L}a-z0-9]{1,90}`).Draw(t, "group"),
		Name:           rapid.StringMatching(`[A-Za-z0-9]([A-Za-z0-9_-]{0,78}[A-Za-z0-9_])?`).Draw(t, "name"),
		IfExists:       rapid.SampledFrom([]request.IfExists{request.Fail, request.Reuse, request.Replace}).Draw(t, "ifExists"),
		Timeout:        time.Duration(rapid.Int64Range(int64(request.MinTimeout), int64(request.MaxTimeout)).Draw(t, "timeout")),
	}
	if metadata := rapid.MapOfN(rapid.StringMatching(`[a-z/~<]{1,9}`), text, 0, 5).Draw(t, "metadata"); len(metadata) > 0 {
		r.Metadata = metadata
	}
	r.Image.Location = to.Ptr(rapid.SampledFrom([]string{"westeurope", "West US 2"}).Draw(t, "location"))
	if rapid.Bool().Draw(t, "tagged") {
		r.Image.Tags = make(map[string]*string)
		for name, value := range rapid.MapOfN(rapid.StringMatching(`t[a-z {}]{0,9}`), text, 0, 5).Draw(t, "tags") {
			r.Image.Tags[name] = &value
		}
	}
	r.Image.Properties = &armcompute.ImageProperties{}
	if rapid.Bool().Draw(t, "machine") {
		r.Image.Properties.SourceVirtualMachine = &armcompute.SubResource{ID: to.Ptr(resourceID("virtualMachines", "web"))}
		return r
	}
	profile := &armcompute.ImageStorageProfile{OSDisk: osDisk(t)}
	for lun := range rapid.IntRange(0, 5).Draw(t, "data disks") {
		profile.DataDisks = append(profile.DataDisks, dataDisk(t, int32(lun)))
	}
	r.Image.Properties.StorageProfile = profile
	if profile.OSDisk.BlobURI != nil || rapid.Bool().Draw(t, "has generation") {
		r.Image.Properties.HyperVGeneration = to.Ptr(rapid.SampledFrom(armcompute.PossibleHyperVGenerationTypesValues()).Draw(t, "generation"))
	}
	return r
}

func osDisk(t *rapid.T) *armcompute.ImageOSDisk {
	disk := &armcompute.ImageOSDisk{
		OSType:  to.Ptr(rapid.SampledFrom(armcompute.PossibleOperatingSystemTypesValues()).Draw(t, "osType")),
		OSState: to.Ptr(rapid.SampledFrom(armcompute.PossibleOperatingSystemStateTypesValues()).Draw(t, "osState")),
	}
	disk.ManagedDisk, disk.Snapshot, disk.BlobURI = source(t)
	if rapid.Bool().Draw(t, "encrypted") {
		disk.DiskEncryptionSet = &armcompute.DiskEncryptionSetParameters{ID: to.Ptr(resourceID("diskEncryptionSets", "des"))}
	}
	return disk
}

func dataDisk(t *rapid.T, lun int32) *armcompute.ImageDataDisk {
	disk := &armcompute.ImageDataDisk{
		Lun:        &lun,
		Caching:    to.Ptr(rapid.SampledFrom(armcompute.PossibleCachingTypesValues()).Draw(t, "caching")),
		DiskSizeGB: to.Ptr(rapid.Int32Range(1, 1023).Draw(t, "size")),
	}
	disk.ManagedDisk, disk.Snapshot, disk.BlobURI = source(t)
	return disk
}

func source(t *rapid.T) (disk, snapshot *armcompute.SubResource, blob *string) {
	name := rapid.StringMatching(`[A-Za-z0-9][A-Za-z0-9_-]{0,9}[A-Za-z0-9_]`).Draw(t, "source name")
	switch rapid.IntRange(0, 2).Draw(t, "source type") {
	case 0:
		return &armcompute.SubResource{ID: to.Ptr(resourceID("disks", name))}, nil, nil
	case 1:
		return nil, &armcompute.SubResource{ID: to.Ptr(resourceID("snapshots", name))}, nil
	default:
		return nil, nil, to.Ptr("https://account.blob.core.windows.net/vhds/" + name + ".vhd")
	}
}

// keepsContract holds a request against the contract as a library reads it: the walk of this
// package knows the keywords that the contract uses, and no others.
var keepsContract = sync.OnceValue(func() func(text []byte) error {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema.BuildRequest))
	if err != nil {
		panic(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("contract", doc); err != nil {
		panic(err)
	}
	compiled := compiler.MustCompile("contract")
	return func(text []byte) error {
		request, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			return err
		}
		return compiled.Validate(request)
	}
})

// Decode never panics, and what it accepts keeps the contract and survives its canonical form.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte(`{"image":{"properties":{"storageProfile":{"dataDisks":[null,{}]}}},"metadata":{"a":1}}`))
	f.Add([]byte(`{"a":"\ud800","a":1e999,"image":[[[]]]}`))
	f.Add([]byte("\xef\xbb\xbf{}"))
	f.Add([]byte(fmt.Sprintf(`{"resourceGroup":"rg","name":"web","image":{"location":"a","properties":{"sourceVirtualMachine":{"id":%q}}}}`,
		resourceID("virtualMachines", "web"))))
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := request.Decode(body)
		if err != nil {
			return
		}
		if err := keepsContract()(r.Canonical()); err != nil {
			t.Fatalf("a rule is missing: %v", err)
		}
		again, err := request.Decode(r.Canonical())
		if err != nil {
			t.Fatalf("canonical form refused: %v", err)
		}
		if diff := cmp.Diff(r, again); diff != "" {
			t.Fatalf("canonical form differs (-want +got):\n%s", diff)
		}
	})
}
