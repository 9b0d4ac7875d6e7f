package arm_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"goldmint/emulator/arm"
)

const (
	diskID     = compute + "disks/os-disk"
	snapshotID = compute + "snapshots/os-snapshot"
	blobURI    = "https://account.blob.core.windows.net/vhds/os.vhd"
)

// prepared is a server with one source of each kind in West Europe.
func prepared(t *testing.T, o arm.Options) *arm.Server {
	t.Helper()
	s := arm.Start(t, o)
	s.AddVM(vmID, "westeurope")
	s.PutDisk(arm.Disk{ID: diskID, Location: "westeurope", OSType: "Linux", HyperVGeneration: "V2", AccountType: "Premium_LRS", SizeGB: 64})
	s.PutSnapshot(arm.Disk{ID: snapshotID, Location: "westeurope", SizeGB: 50})
	s.AddBlob(blobURI)
	return s
}

func fromVM(id string) string {
	return `{"location":"westeurope","properties":{"sourceVirtualMachine":{"id":"` + id + `"}}}`
}

// fromDisk is an image whose OS disk has the members, given as JSON.
func fromDisk(members string, more ...string) string {
	return `{"location":"westeurope","properties":{"storageProfile":{"osDisk":{"osType":"Linux","osState":"Generalized",` +
		members + `}` + strings.Join(more, "") + `},"hyperVGeneration":"V1"}}`
}

func data(disks ...string) string { return `,"dataDisks":[` + strings.Join(disks, ",") + `]` }

const blobSource = `"blobUri":"` + blobURI + `"`

func TestRefusedImages(t *testing.T) {
	for _, tt := range []struct {
		name    string
		body    string
		status  int
		code    string
		message string
		vm      func(*arm.VM)
	}{
		{
			"VM missing", fromVM(compute + "virtualMachines/nobody"), 404, "NotFound",
			"Source Virtual Machine 'nobody' specified in the request does not exist in this Azure location.", nil,
		},
		{
			"VM elsewhere", strings.Replace(fromVM(vmID), "westeurope", "northeurope", 1), 404, "NotFound",
			"Source Virtual Machine 'build-vm' specified in the request does not exist in this Azure location.", nil,
		},
		{
			"VM not generalized", fromVM(vmID), 409, "OperationNotAllowed",
			"The operation 'Create Image' requires the Virtual Machine 'build-vm' to be Generalized.", func(vm *arm.VM) { vm.Generalized = false },
		},
		{
			"Trusted Launch", fromVM(vmID), 409, "OperationNotAllowed",
			"Creation of managed images are not supported for virtual machine with TrustedLaunch security type.",
			func(vm *arm.VM) { vm.SecurityType = "TrustedLaunch" },
		},
		{"confidential", fromVM(vmID), 409, "OperationNotAllowed", "with ConfidentialVM security type.", func(vm *arm.VM) { vm.SecurityType = "ConfidentialVM" }},
		{
			"VM of a scale set", fromVM(vmID), 409, "OperationNotAllowed", "belongs to a Virtual Machine Scale Set",
			func(vm *arm.VM) { vm.ScaleSetID = compute + "virtualMachineScaleSets/set" },
		},
		{"ephemeral OS disk", fromVM(vmID), 409, "OperationNotAllowed", "ephemeral OS disk", func(vm *arm.VM) { vm.EphemeralOSDisk = true }},
		{
			"other generation than the VM", `{"location":"westeurope","properties":{"hyperVGeneration":"V2","sourceVirtualMachine":{"id":"` + vmID + `"}}}`,
			400, "InvalidParameter", "does not match", nil,
		},
		{"not a VM's id", fromVM(diskID), 400, "InvalidParameter", "is not a valid resource reference", nil},
		{
			"a name for an id", fromVM("build-vm"), 400, "LinkedInvalidPropertyId",
			"Property id 'build-vm' at path 'properties.sourceVirtualMachine.id' is invalid. Expect fully qualified resource Id", nil,
		},
		{
			"a name for an id, data disk", fromDisk(blobSource, data(`{"lun":0,`+blobSource+`}`, `{"lun":1,"snapshot":{"id":"os-snapshot"}}`)),
			400, "LinkedInvalidPropertyId", "at path 'properties.storageProfile.dataDisks[1].snapshot.id'", nil,
		},
		{
			"zone resilient VM without ZRS", `{"location":"West US","properties":{"sourceVirtualMachine":{"id":"` + vmID + `"},"storageProfile":{"zoneResilient":true}}}`,
			400, "InvalidParameter", "'westus'", nil,
		},
		{"encryption set beside a VM", `{"location":"westeurope","properties":{"sourceVirtualMachine":{"id":"` + vmID +
			`"},"storageProfile":{"osDisk":{"diskEncryptionSet":{"id":"` + compute + `diskEncryptionSets/set"}}}}}`, 400, "BadRequest", "is not supported yet", nil},
		{"disk beside a VM", `{"location":"westeurope","properties":{"sourceVirtualMachine":{"id":"` + vmID +
			`"},"storageProfile":{"osDisk":{` + blobSource + `}}}}`, 400, "InvalidParameter", "is not allowed", nil},

		{"disk missing", fromDisk(`"managedDisk":{"id":"` + compute + `disks/none"}`), 404, "NotFound", "Resource none is not found.", nil},
		{"snapshot missing", fromDisk(`"snapshot":{"id":"` + compute + `snapshots/none"}`), 404, "NotFound", "Resource none is not found.", nil},
		{
			"snapshot elsewhere", strings.Replace(fromDisk(`"snapshot":{"id":"`+snapshotID+`"}`), "westeurope", "eastus", 1), 404, "NotFound",
			"Resource os-snapshot is not found in this Azure location.", nil,
		},
		{"encryption set missing", fromDisk(blobSource + `,"diskEncryptionSet":{"id":"` + compute + `diskEncryptionSets/none"}`), 404, "NotFound", "Resource none", nil},
		{"disk as a snapshot", fromDisk(`"snapshot":{"id":"` + diskID + `"}`), 400, "InvalidParameter", "is not a valid resource reference", nil},
		{
			"disk of another subscription", fromDisk(`"managedDisk":{"id":"` + strings.Replace(diskID, "11111111", "99999999", 1) + `"}`), 400, "InvalidParameter",
			"must match the subscription", nil,
		},
		{"V1 of a V2 disk", fromDisk(`"managedDisk":{"id":"` + diskID + `"}`), 400, "InvalidParameter", "does not match", nil},
		{
			"blob without generation", strings.Replace(fromDisk(blobSource), `,"hyperVGeneration":"V1"`, "", 1), 400, "InvalidParameter",
			"Required parameter 'hyperVGeneration' is missing (null).", nil,
		},
		{
			"SAS", fromDisk(`"blobUri":"` + blobURI + `?sv=2024-01-01&sig=x"`), 400, "BadRequest",
			"Images cannot be created from Shared Access Signature (SAS) URI blobs.", nil,
		},
		{"blob that is no VHD", fromDisk(`"blobUri":"https://account.blob.core.windows.net/vhds/os.iso"`), 400, "InvalidParameter", "must end with '.vhd'", nil},
		{"no blob's URI", fromDisk(`"blobUri":"os.vhd"`), 400, "InvalidParameter", "does not look to be correct blob URI", nil},
		{"two sources", fromDisk(blobSource + `,"snapshot":{"id":"` + snapshotID + `"}`), 400, "InvalidParameter", "Only one of", nil},
		{"no source", fromDisk(`"caching":"None"`), 400, "InvalidParameter", "Required parameter 'osDisk.blobUri' is missing (null).", nil},
		{"no storage", `{"location":"westeurope","properties":{}}`, 400, "InvalidParameter", "Required parameter 'storageProfile' is missing (null).", nil},
		{"no OS disk", `{"location":"westeurope","properties":{"storageProfile":{"dataDisks":[]}}}`, 400, "InvalidParameter", "'osDisk'", nil},
		{"UltraSSD on the OS disk", fromDisk(blobSource + `,"storageAccountType":"UltraSSD_LRS"`), 400, "InvalidParameter", "osDisk.storageAccountType", nil},
		{"unknown account type", fromDisk(blobSource + `,"storageAccountType":"Gold_LRS"`), 400, "InvalidAccountType", "The AccountType Gold_LRS is invalid.", nil},
		{"unknown caching", fromDisk(blobSource + `,"caching":"Some"`), 400, "InvalidParameter", "osDisk.caching", nil},
		{"duplicate luns", fromDisk(blobSource, data(`{"lun":1,`+blobSource+`}`, `{"lun":1,`+blobSource+`}`)), 400, "InvalidParameter", "A disk at LUN 1 already exists.", nil},
		{"lun too high", fromDisk(blobSource, data(`{"lun":64,`+blobSource+`}`)), 400, "InvalidParameter", "dataDisks.lun", nil},
		{"no lun", fromDisk(blobSource, data(`{`+blobSource+`}`)), 400, "InvalidParameter", "'dataDisks.lun' is missing", nil},

		{"no location", `{"properties":{}}`, 400, "LocationRequired", "location", nil},
		{"no such region", `{"location":"atlantis","properties":{}}`, 400, "LocationNotAvailableForResourceType", "'atlantis'", nil},
		{"unknown member", `{"location":"westeurope","properties":{"colour":"gold"}}`, 400, "InvalidRequestContent", "colour", nil},
		{"wrong type", `{"location":"westeurope","properties":{"storageProfile":[]}}`, 400, "InvalidRequestContent", "storageProfile", nil},
		{"no JSON", `gold`, 400, "InvalidRequestContent", "invalid character", nil},
		{"two JSON values", `{"location":"westeurope","properties":{}} {}`, 400, "InvalidRequestContent", "Additional text", nil},
		{"no body", ``, 400, "InvalidRequestContent", "empty", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := prepared(t, arm.Options{})
			if tt.vm != nil {
				s.AddVM(vmID, "westeurope", tt.vm)
			}
			call(t, s, http.MethodPut, imageID+version, tt.body).refused(t, tt.status, tt.code, tt.message)
			if s.Images() != 0 {
				t.Error("a refused image exists")
			}
		})
	}
}

func TestDefaults(t *testing.T) {
	for _, tt := range []struct{ name, body, caching, account, generation string }{
		{"disk", strings.Replace(fromDisk(`"managedDisk":{"id":"`+diskID+`"}`), `,"hyperVGeneration":"V1"`, "", 1), "None", "Standard_LRS", "V2"},
		{"snapshot", fromDisk(`"snapshot":{"id":"` + snapshotID + `"}`), "None", "Standard_LRS", "V1"},
		{"blob", strings.Replace(fromDisk(blobSource+`,"caching":"ReadOnly"`), "V1", "V2", 1), "ReadOnly", "Standard_LRS", "V2"},
		{"VM", fromVM(vmID), "ReadWrite", "Premium_LRS", "V1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := prepared(t, arm.Options{})
			p := call(t, s, http.MethodPut, imageID+version, tt.body).json(t)["properties"].(map[string]any)
			os := p["storageProfile"].(map[string]any)["osDisk"].(map[string]any)
			got := []any{os["caching"], os["storageAccountType"], p["hyperVGeneration"], p["provisioningState"]}
			if want := []any{tt.caching, tt.account, tt.generation, "Creating"}; fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
}

func TestFrontDoor(t *testing.T) {
	s := prepared(t, arm.Options{Authorize: func(token string) bool { return token == "a-token" }})
	for _, tt := range []struct {
		name, method, url, authorization string
		status                           int
		code                             string
	}{
		{"no token", "GET", imageID + version, "", 401, "AuthenticationFailed"},
		{"another scheme", "GET", imageID + version, "Basic eDp5", 401, "AuthenticationFailedInvalidHeader"},
		{"an empty token", "GET", imageID + version, "Bearer ", 401, "AuthenticationFailedInvalidHeader"},
		{"a token that is not good", "GET", imageID + version, "Bearer other", 401, "InvalidAuthenticationToken"},
		{"no api-version", "GET", imageID, "Bearer a-token", 400, "MissingApiVersionParameter"},
		{"odd api-version", "GET", imageID + "?api-version=latest", "Bearer a-token", 400, "InvalidApiVersionParameter"},
		{"odd subscription", "GET", "/subscriptions/mine/resourceGroups/g/providers/Microsoft.Compute/images/i" + version, "Bearer a-token", 400, "InvalidSubscriptionId"},
		{"missing image", "GET", imageID + version, "Bearer a-token", 404, "ResourceNotFound"},
		{"missing VM", "POST", compute + "virtualMachines/none/generalize" + version, "Bearer a-token", 404, "ResourceNotFound"},
		{"missing disk", "GET", compute + "disks/none" + version, "Bearer a-token", 404, "ResourceNotFound"},
		{"unknown type", "GET", compute + "restorePoints/g" + version, "Bearer a-token", 404, "InvalidResourceType"},
		{"unknown action", "POST", vmID + "/explode" + version, "Bearer a-token", 404, "InvalidResourceType"},
		{"unknown provider", "GET", scope + "/providers/Microsoft.Web/sites/s" + version, "Bearer a-token", 404, "InvalidResourceNamespace"},
		{"wrong method", "POST", imageID + version, "Bearer a-token", 405, "MethodNotAllowed"},
		{"no path", "GET", "/" + version, "Bearer a-token", 404, "InvalidResourceType"},
		{"odd image name", "PUT", compute + "images/-gold" + version, "Bearer a-token", 400, "InvalidParameter"},
		{"missing group", "GET", "/subscriptions/" + subscription + "/resourceGroups/none" + version, "Bearer a-token", 404, "ResourceGroupNotFound"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRequest(t, tt.method, s.Endpoint()+tt.url, fromVM(vmID))
			r.Header.Set("Authorization", tt.authorization)
			got := send(t, s, r)
			got.refused(t, tt.status, tt.code, "")
			if challenge := got.header.Get("WWW-Authenticate"); strings.HasPrefix(challenge, "Bearer authorization_uri=") != (tt.status == 401) {
				t.Errorf("WWW-Authenticate is %q", challenge)
			}
			if cause := got.header.Get("x-ms-failure-cause"); (cause == "gateway") != (tt.code != "InvalidParameter") {
				t.Errorf("x-ms-failure-cause is %q", cause)
			}
		})
	}
}

func TestPathsAreCaseInsensitive(t *testing.T) {
	s := prepared(t, arm.Options{})
	put := call(t, s, http.MethodPut, strings.ToUpper(imageID)+version, fromVM(strings.ToLower(vmID)))
	if put.status != http.StatusCreated {
		t.Fatalf("%d %s", put.status, put.text)
	}
	got := call(t, s, http.MethodGet, strings.ToLower(imageID)+version, "").json(t)
	if want := "/subscriptions/" + strings.ToUpper(subscription) + "/resourceGroups/GOLDEN-RG/providers/Microsoft.Compute/images/GOLDEN"; got["id"] != want {
		t.Errorf("id %v, want %v", got["id"], want)
	}
	if _, ok := s.Image(imageID); !ok {
		t.Error("Image does not find it")
	}
}

// A name that is not escaped well reaches something else, as it does in Azure: callers have to
// check names.
func TestDotsInPathsAreResolved(t *testing.T) {
	s := prepared(t, arm.Options{})
	got := call(t, s, http.MethodGet, compute+"images/%2e%2e"+version, "")
	got.refused(t, 404, "InvalidResourceType", "")
	list := call(t, s, http.MethodGet, compute+"images/."+version, "")
	if list.status != http.StatusOK || !strings.HasPrefix(list.text, `{"value":`) {
		t.Errorf("%d %s", list.status, list.text)
	}
}

func TestMissingBlobFailsTheOperation(t *testing.T) {
	s := arm.Start(t, arm.Options{})
	images := clients(t, s).NewImagesClient()
	put := call(t, s, http.MethodPut, imageID+version, fromDisk(blobSource))
	if put.status != http.StatusCreated {
		t.Fatalf("%d %s", put.status, put.text)
	}
	s.FastForward(arm.RecordedTick)
	operation := call(t, s, http.MethodGet, strings.TrimPrefix(put.header.Get("Azure-AsyncOperation"), s.Endpoint()), "").json(t)
	if operation["status"] != "Failed" || operation["error"].(map[string]any)["code"] != "ImageBlobNotFound" {
		t.Errorf("operation %v", operation)
	}
	got, err := images.Get(t.Context(), group, "golden", nil)
	if err != nil || *got.Properties.ProvisioningState != "Failed" {
		t.Errorf("image %+v, %v", got.Properties, err)
	}
	// It is in the way until it is deleted, even when the blob has come.
	s.AddBlob(blobURI)
	call(t, s, http.MethodPut, imageID+version, fromDisk(blobSource)).refused(t, 409, "OperationNotAllowed", "failed state")
	if deletion := call(t, s, http.MethodDelete, imageID+version, ""); deletion.status != http.StatusAccepted {
		t.Errorf("deleting it: %d", deletion.status)
	}
	s.FastForward(arm.RecordedTick)
	if again := call(t, s, http.MethodPut, imageID+version, fromDisk(blobSource)); again.status != http.StatusCreated {
		t.Errorf("after the deletion: %d %s", again.status, again.text)
	}
}

func TestPutOverAnImage(t *testing.T) {
	s := prepared(t, arm.Options{})
	s.AddVM(compute+"virtualMachines/other", "westeurope")
	withTag := func(body, value string) string {
		return strings.Replace(body, "{", `{"tags":{"build":"`+value+`"},`, 1)
	}
	put := func(body string) reply { return call(t, s, http.MethodPut, imageID+version, body) }

	if got := put(withTag(fromVM(vmID), "one")); got.status != http.StatusCreated {
		t.Fatalf("%d %s", got.status, got.text)
	}
	put(withTag(fromVM(vmID), "one")).refused(t, 409, "Conflict", "conflict with a concurrent request")
	s.FastForward(arm.RecordedTick)

	equal := put(withTag(fromVM(vmID), "two"))
	if equal.status != http.StatusOK || equal.header.Get("Azure-AsyncOperation") != "" || equal.json(t)["tags"].(map[string]any)["build"] != "two" {
		t.Errorf("equal properties: %d %v %s", equal.status, equal.header, equal.text)
	}
	whole, _ := s.Image(imageID)
	if got := put(string(whole)); got.status != http.StatusOK {
		t.Errorf("what a GET answers: %d %s", got.status, got.text)
	}
	put(fromVM(compute+"virtualMachines/other")).refused(t, 409, "PropertyChangeNotAllowed", "Changing property 'sourceVirtualMachine' is not allowed.")
	put(fromDisk(blobSource)).refused(t, 409, "PropertyChangeNotAllowed", "Changing property 'sourceVirtualMachine' is not allowed.")
	put(strings.Replace(fromVM(vmID), `"properties":{`, `"properties":{"storageProfile":{"zoneResilient":true},`, 1)).
		refused(t, 409, "PropertyChangeNotAllowed", "Changing property 'zoneResilient' is not allowed.")
	put(strings.Replace(fromVM(vmID), "westeurope", "eastus", 1)).refused(t, 409, "InvalidResourceLocation", "already exists in location 'westeurope'")
	if s.Images() != 1 {
		t.Errorf("%d images", s.Images())
	}
}

func TestRequireGroups(t *testing.T) {
	s := arm.Start(t, arm.Options{RequireGroups: true, AnyBlob: true})
	put := func() reply { return call(t, s, http.MethodPut, imageID+version, fromDisk(blobSource)) }
	put().refused(t, 404, "ResourceGroupNotFound", "Resource group 'golden-rg' could not be found.")
	if got := call(t, s, http.MethodPut, scope+"?api-version=2021-04-01", `{"location":"West Europe"}`); got.status != http.StatusCreated {
		t.Fatalf("%d %s", got.status, got.text)
	}
	if got := call(t, s, http.MethodGet, strings.ToLower(scope)+"?api-version=2021-04-01", ""); got.json(t)["location"] != "westeurope" {
		t.Errorf("group %s", got.text)
	}
	if got := put(); got.status != http.StatusCreated {
		t.Errorf("%d %s", got.status, got.text)
	}
}

func TestPutOverAnImageFromDisks(t *testing.T) {
	s := prepared(t, arm.Options{})
	body := fromDisk(blobSource, data(`{"lun":1,`+blobSource+`}`))
	if got := call(t, s, http.MethodPut, imageID+version, body); got.status != http.StatusCreated {
		t.Fatalf("%d %s", got.status, got.text)
	}
	s.FastForward(2 * arm.RecordedTick)
	if got := call(t, s, http.MethodPut, imageID+version, body); got.status != http.StatusOK {
		t.Errorf("equal properties: %d %s", got.status, got.text)
	}
	for property, change := range map[string][2]string{
		"sourceVirtualMachine": {body, fromVM(vmID)},
		"hyperVGeneration":     {"V1", "V2"},
		"zoneResilient":        {`"properties":{"storageProfile":{`, `"properties":{"storageProfile":{"zoneResilient":true,`},
		"osDisk":               {`"osType":"Linux"`, `"osType":"Windows"`},
		"dataDisks":            {`"lun":1`, `"lun":2`},
	} {
		call(t, s, http.MethodPut, imageID+version, strings.Replace(body, change[0], change[1], 1)).
			refused(t, http.StatusConflict, "PropertyChangeNotAllowed", "Changing property '"+property+"' is not allowed.")
	}
	for name, changed := range map[string]string{
		"caching":        fromDisk(blobSource+`,"caching":"ReadWrite"`, data(`{"lun":1,`+blobSource+`}`)),
		"size":           fromDisk(blobSource+`,"diskSizeGB":99`, data(`{"lun":1,`+blobSource+`}`)),
		"account type":   fromDisk(blobSource+`,"storageAccountType":"Premium_LRS"`, data(`{"lun":1,`+blobSource+`}`)),
		"source":         fromDisk(`"snapshot":{"id":"`+snapshotID+`"}`, data(`{"lun":1,`+blobSource+`}`)),
		"one disk fewer": fromDisk(blobSource),
		"nothing":        `{"location":"westeurope","properties":{}}`,
	} {
		if got := call(t, s, http.MethodPut, imageID+version, changed); got.status != http.StatusConflict {
			t.Errorf("another %s: %d %s", name, got.status, got.text)
		}
	}
}

func TestRefusedOSDisks(t *testing.T) {
	s := prepared(t, arm.Options{})
	body := fromDisk(blobSource)
	for _, tt := range []struct{ had, has, message string }{
		{`"osType":"Linux",`, ``, "Required parameter 'osDisk.osType' is missing (null)."},
		{`"osType":"Linux"`, `"osType":"Plan9"`, "The value of parameter osDisk.osType is invalid."},
		{`"osState":"Generalized",`, ``, "Required parameter 'osDisk.osState' is missing (null)."},
		{`"osState":"Generalized"`, `"osState":"Tidy"`, "The value of parameter osDisk.osState is invalid."},
		{`"hyperVGeneration":"V1"`, `"hyperVGeneration":"V3"`, "The value of parameter hyperVGeneration is invalid."},
		{`"osState"`, `"diskSizeGB":40000,"osState"`, "The value of parameter osDisk.diskSizeGB is invalid."},
	} {
		call(t, s, http.MethodPut, imageID+version, strings.Replace(body, tt.had, tt.has, 1)).refused(t, http.StatusBadRequest, "InvalidParameter", tt.message)
	}
}

func TestGroups(t *testing.T) {
	s := arm.Start(t, arm.Options{})
	s.AddGroup(subscription, group, "West Europe")
	s.AddGroup(newSubscription, "another", "eastus")
	const v = "?api-version=2021-04-01"
	list := call(t, s, http.MethodGet, "/subscriptions/"+subscription+"/resourcegroups"+v, "").json(t)["value"].([]any)
	if len(list) != 1 || list[0].(map[string]any)["name"] != group {
		t.Errorf("list %v", list)
	}
	if got := call(t, s, http.MethodHead, scope+v, ""); got.status != http.StatusNoContent {
		t.Errorf("HEAD %d", got.status)
	}
	if got := call(t, s, http.MethodHead, scope+"-none"+v, ""); got.status != http.StatusNotFound {
		t.Errorf("HEAD of none %d", got.status)
	}
	if got := call(t, s, http.MethodPut, scope+v, `{"location":"westeurope","tags":{"a":"b"}}`); got.status != http.StatusOK || !strings.Contains(got.text, `"a":"b"`) {
		t.Errorf("PUT again %d %s", got.status, got.text)
	}
	call(t, s, http.MethodPut, scope+v, `{"location":"eastus"}`).refused(t, 409, "InvalidResourceGroupLocation", "")
	call(t, s, http.MethodPut, scope+"."+v, `{"location":"eastus"}`).refused(t, 400, "InvalidResourceGroup", "")
}

// TestIDsWithoutLeadingSlash: Azure takes them, and answers with the slash.
func TestIDsWithoutLeadingSlash(t *testing.T) {
	for want, body := range map[string]string{
		vmID:       fromVM(vmID[1:]),
		snapshotID: fromDisk(`"snapshot":{"id":"` + snapshotID[1:] + `"}`),
		diskID:     strings.Replace(fromDisk(`"managedDisk":{"id":"`+diskID[1:]+`"}`), "V1", "V2", 1),
	} {
		s := prepared(t, arm.Options{})
		got := call(t, s, http.MethodPut, imageID+version, body)
		if got.status != http.StatusCreated || !strings.Contains(got.text, `"id":"`+want+`"`) {
			t.Errorf("%d %s", got.status, got.text)
		}
	}
}

func TestDeletedGroupTakesAllWithIt(t *testing.T) {
	s := prepared(t, arm.Options{})
	startImage(t, s)
	const v = "?api-version=2021-04-01"
	got := call(t, s, http.MethodDelete, scope+v, "")
	if got.status != http.StatusAccepted || got.header.Get("Retry-After") != "15" || got.text != "" {
		t.Fatalf("%d %v %s", got.status, got.header, got.text)
	}
	location := got.header.Get("Location")
	if got := get(t, s, location); got.status != http.StatusAccepted {
		t.Errorf("meanwhile %d", got.status)
	}
	s.FastForward(time.Minute)
	if got := get(t, s, location); got.status != http.StatusOK {
		t.Errorf("at the end %d", got.status)
	}
	if s.Images() != 0 {
		t.Error("the image is still there")
	}
	call(t, s, http.MethodGet, scope+v, "").refused(t, 404, "ResourceGroupNotFound", "")
}

func TestSovereignRegions(t *testing.T) {
	for _, tt := range []struct {
		cloud  arm.Cloud
		region string
		status int
	}{
		{arm.ChinaCloud, "China North 3", 201},
		{arm.ChinaCloud, "westeurope", 400},
		{arm.USGovernmentCloud, "usgovvirginia", 201},
		{arm.PublicCloud, "usgovvirginia", 400},
	} {
		s := arm.Start(t, arm.Options{AnyBlob: true, Cloud: tt.cloud})
		if got := putNumbered(t, s, 1, tt.region); got.status != tt.status {
			t.Errorf("%s in %s: %d %s", tt.region, tt.cloud, got.status, got.text)
		}
	}
}
