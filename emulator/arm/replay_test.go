package arm_test

import (
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"goldmint/emulator/arm"

	"github.com/google/go-cmp/cmp"
)

// recording is one image's creation as Azure answered it: PUT, the operation's last GET, GET of the image, often DELETE.
type recording struct {
	Origin    string
	Exchanges []exchange
}

type exchange struct {
	Method, URI string
	Request     json.RawMessage // null where the session did not record it
	Status      int
	Headers     map[string]string
	Body        json.RawMessage
}

type recordedImage struct {
	Location   string            `json:"location"`
	Tags       map[string]string `json:"tags,omitempty"`
	Properties struct {
		SourceVirtualMachine *ref `json:"sourceVirtualMachine,omitempty"`
		StorageProfile       struct {
			OSDisk    recordedDisk   `json:"osDisk"`
			DataDisks []recordedDisk `json:"dataDisks"`
		} `json:"storageProfile"`
		ProvisioningState string `json:"provisioningState"`
		HyperVGeneration  string `json:"hyperVGeneration,omitempty"`
	} `json:"properties"`
}

type recordedDisk struct {
	Lun                int32  `json:"lun"`
	OSType             string `json:"osType"`
	DiskSizeGB         int32  `json:"diskSizeGB"`
	BlobURI            string `json:"blobUri"`
	ManagedDisk        ref    `json:"managedDisk"`
	Caching            string `json:"caching"`
	StorageAccountType string `json:"storageAccountType"`
	DiskEncryptionSet  ref    `json:"diskEncryptionSet"`
}

type ref struct {
	ID string `json:"id"`
}

// TestReplay sends the requests of every recorded image creation to a server that has their sources, and wants the
// answers that Azure gave, ids, times and hosts aside.
func TestReplay(t *testing.T) {
	files, err := filepath.Glob("testdata/recordings/*.json")
	if err != nil || len(files) != 17 {
		t.Fatalf("%d recordings, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var r recording
			if err := json.Unmarshal(text, &r); err != nil {
				t.Fatal(err)
			}
			replay(t, r)
		})
	}
}

func replay(t *testing.T, r recording) {
	t.Helper()
	s := arm.Start(t, arm.Options{Limits: arm.Windows(40, 200)})
	prepare(t, s, r)
	put := r.Exchanges[0]
	got := call(t, s, put.Method, rest(t, put.URI), put.body(t))
	compare(t, put, got)
	if got.header.Get("Location") != "" || got.header.Get("Retry-After") != "" {
		t.Errorf("a PUT has no Location and no Retry-After: %v", got.header)
	}
	s.FastForward(2 * arm.RecordedTick)
	operation := got.header.Get("Azure-AsyncOperation")
	for _, want := range r.Exchanges[1:] {
		uri := rest(t, want.URI)
		if strings.Contains(want.URI, "/operations/") {
			uri = strings.TrimPrefix(operation, s.Endpoint())
		}
		compare(t, want, call(t, s, want.Method, uri, ""))
	}
}

// prepare makes the sources that the image was made from, as the last GET shows them.
func prepare(t *testing.T, s *arm.Server, r recording) {
	t.Helper()
	var img recordedImage
	if err := json.Unmarshal(r.Exchanges[2].Body, &img); err != nil {
		t.Fatal(err)
	}
	p := img.Properties
	if p.SourceVirtualMachine != nil {
		vm := arm.VM{ID: p.SourceVirtualMachine.ID, Location: img.Location, Power: arm.Deallocated, Generalized: true, OSType: p.StorageProfile.OSDisk.OSType}
		vm.OSDisk = p.StorageProfile.OSDisk.ofVM()
		for _, d := range p.StorageProfile.DataDisks {
			vm.DataDisks = append(vm.DataDisks, d.ofVM())
		}
		s.PutVM(vm)
		return
	}
	for _, d := range append([]recordedDisk{p.StorageProfile.OSDisk}, p.StorageProfile.DataDisks...) {
		if d.BlobURI != "" && p.ProvisioningState != "Failed" {
			s.PutBlob(arm.Blob{URI: d.BlobURI, SizeGB: d.DiskSizeGB})
		}
		if d.ManagedDisk.ID != "" {
			s.PutDisk(arm.Disk{ID: d.ManagedDisk.ID, Location: img.Location, AccountType: d.StorageAccountType, SizeGB: d.DiskSizeGB})
		}
		if d.DiskEncryptionSet.ID != "" {
			s.PutDiskEncryptionSet(arm.Disk{ID: d.DiskEncryptionSet.ID, Location: img.Location})
		}
	}
}

func (d recordedDisk) ofVM() arm.VMDisk {
	return arm.VMDisk{
		Lun: d.Lun, SizeGB: d.DiskSizeGB, Caching: d.Caching, AccountType: d.StorageAccountType, VHD: d.BlobURI, ManagedDiskID: d.ManagedDisk.ID,
	}
}

// body is the request that was sent. Where it is not recorded it is what the answer implies.
func (e exchange) body(t *testing.T) string {
	t.Helper()
	if string(e.Request) != "null" {
		return string(e.Request)
	}
	var answer map[string]any
	if err := json.Unmarshal(e.Body, &answer); err != nil {
		t.Fatal(err)
	}
	properties := answer["properties"].(map[string]any)
	delete(properties, "provisioningState")
	if properties["sourceVirtualMachine"] != nil {
		delete(properties, "storageProfile")
	}
	text, err := json.Marshal(answer)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func rest(t *testing.T, uri string) string {
	t.Helper()
	u, err := url.Parse(uri)
	if err != nil {
		t.Fatal(err)
	}
	return u.RequestURI()
}

var (
	guid       = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	instant    = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,7}[+-]\d\d:\d\d`)
	uniqueName = regexp.MustCompile(`"uniqueName": *"[^"]*"`)
	sourceIDs  = regexp.MustCompile(`"/subscriptions/[^"]*/(virtualMachines|images|snapshots)/[^"/]*"`)
	count      = regexp.MustCompile(`;\d+`)
)

func compare(t *testing.T, want exchange, got reply) {
	t.Helper()
	if got.status != want.Status {
		t.Fatalf("%s %s: status %d, want %d: %s", want.Method, want.URI, got.status, want.Status, got.text)
	}
	if diff := cmp.Diff(normal(t, string(want.Body)), normal(t, got.text)); diff != "" {
		t.Errorf("%s %s: body (-recorded +got)\n%s", want.Method, want.URI, diff)
	}
	for name, value := range want.Headers {
		if name == "content-type" && want.Status == 202 {
			continue
		}
		if was, is := normalHeader(value), normalHeader(got.header.Get(name)); was != is {
			t.Errorf("%s: header %s is %q, want %q", want.Method, name, is, was)
		}
	}
}

// normal is a JSON body without its ids and times; null and nothing are one.
func normal(t *testing.T, body string) any {
	t.Helper()
	if body == "" {
		return nil
	}
	body = guid.ReplaceAllString(instant.ReplaceAllString(body, "TIME"), "GUID")
	var v any
	if err := json.Unmarshal([]byte(body), &v); err != nil {
		t.Fatalf("%v in %q", err, body)
	}
	return v
}

// normalHeader leaves out of a header what differs from run to run: hosts, queries, ids, and how much remains of limits
// that others had used before.
func normalHeader(v string) string {
	if u, err := url.Parse(v); err == nil && u.Host != "" {
		v = u.Path
	}
	return count.ReplaceAllString(guid.ReplaceAllString(v, "GUID"), ";N")
}
