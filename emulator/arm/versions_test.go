package arm_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"goldmint/emulator/arm"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"
)

const (
	definitionID = compute + "galleries/corp/images/web"
	versionID    = definitionID + "/versions/1.0.0"
	v2026        = "?api-version=2026-03-03"
)

// versionOf is a version whose storage profile and publishing profile are given as JSON.
func versionOf(storage, publishing string) string {
	return `{"location":"westeurope","properties":{"storageProfile":` + storage + `,"publishingProfile":{` + publishing + `}}}`
}

const (
	fromVMSource = `{"source":{"virtualMachineId":"` + vmID + `"}}`
	everywhere   = `"targetRegions":[{"name":"North Europe"},{"name":"westeurope"},{"name":"East US"}]`
)

// galleried is a prepared server with a definition that its VM fits.
func galleried(t *testing.T, o arm.Options) *arm.Server {
	t.Helper()
	s := prepared(t, o)
	s.AddDefinition(arm.Definition{ID: definitionID, Location: "westeurope", HyperVGeneration: "V1"})
	return s
}

func putVersion(t *testing.T, s *arm.Server, body string) string {
	t.Helper()
	got := call(t, s, http.MethodPut, versionID+v2026, body)
	if got.status != http.StatusCreated && got.status != http.StatusOK {
		t.Fatalf("%d %s", got.status, got.text)
	}
	return got.header.Get("Azure-AsyncOperation")
}

// regionStates are what $expand reports, as region=state, in the order of the target regions.
func regionStates(t *testing.T, s *arm.Server) (aggregated, states string) {
	t.Helper()
	status := call(t, s, http.MethodGet, versionID+v2026+"&$expand=ReplicationStatus", "").json(t)["properties"].(map[string]any)["replicationStatus"].(map[string]any)
	for _, v := range status["summary"].([]any) {
		one := v.(map[string]any)
		states += fmt.Sprintf("%s=%s ", one["region"], one["state"])
	}
	return status["aggregatedState"].(string), strings.TrimSpace(states)
}

func stateOf(t *testing.T, s *arm.Server) string {
	t.Helper()
	got := call(t, s, http.MethodGet, versionID+v2026, "").json(t)["properties"].(map[string]any)
	if got["replicationStatus"] != nil {
		t.Error("a replication status that was not asked for")
	}
	return got["provisioningState"].(string)
}

// TestReplicationGrows region by region, the version's own first, and ends on the grid of 15 s.
func TestReplicationGrows(t *testing.T) {
	s := galleried(t, arm.Options{})
	operation := putVersion(t, s, versionOf(fromVMSource, everywhere))
	seen := []string{}
	for range 60 {
		aggregated, states := regionStates(t, s)
		if now := aggregated + ": " + states; len(seen) == 0 || seen[len(seen)-1] != now {
			seen = append(seen, now)
		}
		s.FastForward(10 * time.Second)
	}
	want := []string{
		"InProgress: northeurope=Replicating westeurope=Replicating eastus=Replicating",
		"InProgress: northeurope=Replicating westeurope=Completed eastus=Replicating",
		"InProgress: northeurope=Completed westeurope=Completed eastus=Replicating",
		"InProgress: northeurope=Completed westeurope=Completed eastus=Completed", // usable before the operation ends
		"Completed: northeurope=Completed westeurope=Completed eastus=Completed",
	}
	if strings.Join(seen, "\n") != strings.Join(want, "\n") {
		t.Errorf("seen\n%s", strings.Join(seen, "\n"))
	}
	done := get(t, s, operation).json(t)
	if took := when(t, done["endTime"]).Sub(when(t, done["startTime"])); took < 360*time.Second || took > 540*time.Second {
		t.Errorf("took %s", took)
	}
	if state := stateOf(t, s); state != "Succeeded" {
		t.Errorf("state %s", state)
	}
}

// TestOneRegionFails: the whole operation fails when the others are done, and the version stays in
// the way.
func TestOneRegionFails(t *testing.T) {
	s := galleried(t, arm.Options{})
	s.FailNextRegion(versionID, "East US")
	operation := putVersion(t, s, versionOf(fromVMSource, everywhere))
	s.FastForward(10 * time.Minute)
	failure := get(t, s, operation).json(t)["error"].(map[string]any)
	if !strings.Contains(failure["message"].(string), "region:eastus, detail:Failed with internal server error.") {
		t.Errorf("%v", failure)
	}
	if aggregated, states := regionStates(t, s); aggregated != "Failed" || states != "northeurope=Completed westeurope=Completed eastus=Failed" {
		t.Errorf("%s: %s", aggregated, states)
	}
	call(t, s, http.MethodPut, versionID+v2026, versionOf(fromVMSource, everywhere)).refused(t, 409, "OperationNotAllowed", "failed state")
	if got := call(t, s, http.MethodDelete, versionID+v2026+"&bypassSoftDelete=true", ""); got.status != http.StatusAccepted || got.header.Get("Location") == "" {
		t.Errorf("%d %v", got.status, got.header)
	}
	s.FastForward(80 * time.Second)
	if state := stateOf(t, s); state != "Deleting" {
		t.Errorf("after 80 s the version is %s", state)
	}
	s.FastForward(time.Minute)
	call(t, s, http.MethodGet, versionID+v2026, "").refused(t, 404, "NotFound", "entity")
	call(t, s, http.MethodGet, versionID+v2026, "").refused(t, 404, "ResourceNotFound", "galleries/corp/images/web/versions/1.0.0")
}

// TestUpdate: an equal PUT is an update that captures nothing, another source is refused.
func TestUpdate(t *testing.T) {
	s := galleried(t, arm.Options{})
	s.AddVM(compute+"virtualMachines/other", "westeurope")
	putVersion(t, s, versionOf(fromVMSource, ""))
	call(t, s, http.MethodPut, versionID+v2026, versionOf(fromVMSource, "")).refused(t, 409, "Conflict", "")
	s.FastForward(10 * time.Minute)
	got := call(t, s, http.MethodPut, versionID+v2026, versionOf(fromVMSource, ""))
	if got.status != http.StatusOK || !strings.Contains(got.text, `"Updating"`) {
		t.Errorf("%d %s", got.status, got.text)
	}
	s.FastForward(3 * time.Minute)
	call(t, s, http.MethodPut, versionID+v2026, versionOf(strings.Replace(fromVMSource, "build-vm", "other", 1), "")).
		refused(t, 409, "PropertyChangeNotAllowed", "storageProfile.source.id")
}

func TestRefusedVersions(t *testing.T) {
	const odd = compute + "virtualMachines/odd"
	fromOdd := versionOf(strings.Replace(fromVMSource, "build-vm", "odd", 1), "")
	for _, tt := range []struct {
		name, security string
		vm             func(*arm.VM)
		body           string
		status         int
		code, message  string
	}{
		{"no source", "", nil, versionOf(`{}`, ""), 400, "InvalidParameter", "One and only one source type"},
		{"two sources", "", nil, versionOf(`{"source":{"id":"`+diskID+`"},"osDiskImage":{"source":{"id":"`+diskID+`"}}}`, ""), 400, "InvalidParameter", "One and only one source type"},
		{"home not among the regions", "", nil, versionOf(fromVMSource, `"targetRegions":[{"name":"eastus"}]`), 400, "BadRequest", "must contain the location"},
		{"a region twice", "", nil, versionOf(fromVMSource, `"targetRegions":[{"name":"westeurope"},{"name":"West Europe"}]`), 400, "BadRequest", "Duplicate regions"},
		{"end of life in the past", "", nil, versionOf(fromVMSource, `"endOfLifeDate":"2020-01-01T00:00:00Z"`), 400, "BadRequest", "must be set to a future date"},
		{"missing VM", "", nil, fromOdd, 404, "NotFound", "Please make sure the source exists"},
		{"VM elsewhere", "", func(vm *arm.VM) { vm.Location = "eastus" }, fromOdd, 404, "NotFound", "same region"},
		{"not generalized", "", func(vm *arm.VM) { vm.Generalized = false }, fromOdd, 400, "BadRequest", "different OS state ['Specialized']"},
		{"Windows", "", func(vm *arm.VM) { vm.OSType = "Windows" }, fromOdd, 400, "BadRequest", "different OS type ['Windows']"},
		{"another generation", "", func(vm *arm.VM) { vm.HyperVGeneration = "V2" }, fromOdd, 400, "BadRequest", "different Hypervisor generation ['V2']"},
		{"ephemeral", "", func(vm *arm.VM) { vm.EphemeralOSDisk = true }, fromOdd, 400, "BadRequest", "ephemeral OS disk"},
		{"unmanaged", "", func(vm *arm.VM) { vm.OSDisk.VHD = blobURI }, fromOdd, 400, "BadRequest", "must be created from Managed Disks"},
		{"a confidential VM into Trusted Launch", "TrustedLaunch", func(vm *arm.VM) { vm.SecurityType, vm.HyperVGeneration = "ConfidentialVM", "V1" }, fromOdd, 400, "InvalidParameter", "does not match"},
		{"Trusted Launch into supported", "TrustedLaunchSupported", func(*arm.VM) {}, fromOdd, 400, "InvalidParameter", "Currently only Vhd Blob, User Image"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := prepared(t, arm.Options{})
			s.AddDefinition(arm.Definition{ID: definitionID, Location: "westeurope", HyperVGeneration: "V1", SecurityType: tt.security})
			if tt.vm != nil {
				s.AddVM(odd, "westeurope", tt.vm)
			}
			call(t, s, http.MethodPut, versionID+v2026, tt.body).refused(t, tt.status, tt.code, tt.message)
		})
	}
	s := galleried(t, arm.Options{})
	for name, message := range map[string]string{"1.0": "Major(int).Minor(int).Patch(int)", "1.0.2147483648": "Major(int).Minor(int).Patch(int)"} {
		call(t, s, http.MethodPut, definitionID+"/versions/"+name+v2026, versionOf(fromVMSource, "")).refused(t, 400, "InvalidParameter", message)
	}
	call(t, s, http.MethodPut, compute+"galleries/corp/images/none/versions/1.0.0"+v2026, versionOf(fromVMSource, "")).refused(t, 404, "ParentResourceNotFound", "'corp/none'")
	call(t, s, http.MethodDelete, compute+"galleries/corp"+v2026, "").refused(t, 409, "CannotDeleteResource", "galleries/corp/images/web'")
}

// TestTrustedLaunch: such a VM, which cannot become a managed image, becomes a version of a
// TrustedLaunch definition.
func TestTrustedLaunch(t *testing.T) {
	s := arm.Start(t, arm.Options{})
	s.AddDefinition(arm.Definition{ID: definitionID, Location: "westeurope", SecurityType: "TrustedLaunch"})
	s.AddVM(vmID, "westeurope", func(vm *arm.VM) { vm.SecurityType = "TrustedLaunch" })
	putVersion(t, s, versionOf(fromVMSource, ""))
}

// TestRightsBySource: a version takes other rights on a VM than on an image.
func TestRightsBySource(t *testing.T) {
	s := galleried(t, arm.Options{Role: []string{"Microsoft.Compute/galleries/*", "Microsoft.Compute/images/read", "Microsoft.Compute/virtualMachines/read"}})
	s.AddImage(imageID, "westeurope", "V1")
	call(t, s, http.MethodPut, versionID+v2026, versionOf(fromVMSource, "")).refused(t, 403, "LinkedAuthorizationFailed", "Microsoft.Compute/virtualMachines/write")
	putVersion(t, s, versionOf(`{"source":{"id":"`+imageID+`"}}`, ""))
	other := strings.Replace(versionID, "1.0.0", "1.0.1", 1)
	call(t, s, http.MethodPut, other+v2026, versionOf(`{"source":{"id":"`+imageID+`"}}`, "")).refused(t, 409, "OperationNotAllowed", "Too many requests on source")
}

// TestVersionsAreListedInPages by the SDK, and a region holds no more than the limit.
func TestVersionsAreListedInPages(t *testing.T) {
	const many = 250
	s := galleried(t, arm.Options{MaxVersions: many})
	for n := range many {
		s.AddVersion(fmt.Sprintf("%s/versions/2.0.%d", definitionID, n), "westeurope")
	}
	call(t, s, http.MethodPut, versionID+v2026, versionOf(fromVMSource, "")).refused(t, 409, "OperationNotAllowed", "exceeding quota limits")
	pages, seen := 0, map[string]bool{}
	for pager := clients(t, s).NewGalleryImageVersionsClient().NewListByGalleryImagePager(group, "corp", "web", nil); pager.More(); pages++ {
		next, err := pager.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range next.Value {
			seen[*v.Name] = true
		}
	}
	if pages != 3 || len(seen) != many {
		t.Errorf("%d versions in %d pages", len(seen), pages)
	}
}

// TestVersionLimits: gallery limits have windows also where the others are buckets.
func TestVersionLimits(t *testing.T) {
	for _, limits := range []arm.Limits{arm.Windows(40, 200), arm.Bucket(60, 20)} {
		s := galleried(t, arm.Options{Limits: limits})
		got := call(t, s, http.MethodPut, versionID+v2026, versionOf(fromVMSource, ""))
		if left := got.header.Get("x-ms-ratelimit-remaining-resource"); left != "Microsoft.Compute/CreateUpdateGalleryImageVersion3Min;374,Microsoft.Compute/CreateUpdateGalleryImageVersion30Min;1199" {
			t.Errorf("remaining %q", left)
		}
		if got := call(t, s, http.MethodDelete, versionID+v2026, ""); !strings.Contains(got.header.Get("x-ms-ratelimit-remaining-resource"), "DeleteGalleryImageVersion3Min;149,") {
			t.Errorf("%v", got.header)
		}
	}
}

func TestVersionFromTheSDK(t *testing.T) {
	s := galleried(t, arm.Options{})
	versions := clients(t, s).NewGalleryImageVersionsClient()
	poller, err := versions.BeginCreateOrUpdate(t.Context(), group, "corp", "web", "1.0.0", armcompute.GalleryImageVersion{
		Location: new("West Europe"),
		Properties: &armcompute.GalleryImageVersionProperties{StorageProfile: &armcompute.GalleryImageVersionStorageProfile{
			OSDiskImage:    &armcompute.GalleryOSDiskImage{Source: &armcompute.GalleryDiskImageSource{ID: new(snapshotID)}},
			DataDiskImages: []*armcompute.GalleryDataDiskImage{{Lun: new(int32(1)), Source: &armcompute.GalleryDiskImageSource{StorageAccountID: new("/subscriptions/x"), URI: new(blobURI)}}},
		}},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	s.FastForward(10 * time.Minute)
	done, err := finish(t, s, poller)
	if err != nil || *done.Properties.StorageProfile.OSDiskImage.SizeInGB != 50 || len(done.Properties.StorageProfile.DataDiskImages) != 1 {
		t.Errorf("%+v, %v", done.Properties, err)
	}
}
