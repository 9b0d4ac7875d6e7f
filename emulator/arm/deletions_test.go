package arm_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"goldmint/emulator/arm"
)

// ids are those that a list shows, in all its pages, without what all of them begin with.
func ids(t *testing.T, s *arm.Server, path, prefix string) (all []string, pages int) {
	t.Helper()
	for next := s.Endpoint() + path; next != ""; pages++ {
		page := get(t, s, next).json(t)
		next, _ = page["nextLink"].(string)
		for _, v := range page["value"].([]any) {
			all = append(all, strings.TrimPrefix(v.(map[string]any)["id"].(string), prefix))
		}
	}
	return all, pages
}

const (
	versionLock = versionID + "/providers/Microsoft.Authorization/locks/keep"
	groupLock   = scope + "/providers/Microsoft.Authorization/locks/all"
	lockVersion = "?api-version=2016-09-01"
)

// TestLocks by their own API, with the bodies that az lock was recorded to get.
func TestLocks(t *testing.T) {
	s := galleried(t, arm.Options{})
	s.AddVersion(versionID, "westeurope")
	const want = `{"properties":{"level":"CanNotDelete"},"id":"` + versionLock + `","type":"Microsoft.Authorization/locks","name":"keep"}`
	if got := call(t, s, http.MethodPut, versionLock+lockVersion, `{"properties": {"level": "CanNotDelete"}}`); got.status != http.StatusCreated || got.text != want {
		t.Errorf("%d %s", got.status, got.text)
	}
	if got := call(t, s, http.MethodGet, strings.Replace(versionLock, "resourceGroups", "resourcegroups", 1)+lockVersion, ""); got.status != http.StatusOK || got.text != want {
		t.Errorf("%d %s", got.status, got.text)
	}
	call(t, s, http.MethodDelete, versionID+v2026, "").refused(t, 409, "ScopeLocked", "cannot perform delete operation because following scope(s) are locked: '"+strings.ToLower(versionID)+"'. Please")
	call(t, s, http.MethodDelete, scope+"?api-version=2021-04-01", "").refused(t, 409, "ScopeLocked", "/versions/1.0.0'")
	if got := call(t, s, http.MethodPut, versionLock+lockVersion, `{"properties":{"level":"ReadOnly","notes":"audit"}}`); got.status != http.StatusOK || !strings.Contains(got.text, `"notes":"audit"`) {
		t.Errorf("%d %s", got.status, got.text)
	}
	call(t, s, http.MethodPut, versionID+v2026, versionOf(`{}`, "")).refused(t, 409, "ScopeLocked", "cannot perform write operation")
	for _, want := range []int{http.StatusOK, http.StatusNoContent} {
		if got := call(t, s, http.MethodDelete, versionLock+lockVersion, ""); got.status != want {
			t.Errorf("%d %s", got.status, got.text)
		}
	}
	call(t, s, http.MethodGet, versionLock+lockVersion, "").refused(t, 404, "LockNotFound", "'keep'")
	call(t, s, http.MethodPut, versionLock+lockVersion, `{"properties":{"level":"Never"}}`).refused(t, 400, "InvalidRequestContent", "Never")
	if got := call(t, s, http.MethodDelete, versionID+v2026, ""); got.status != http.StatusAccepted {
		t.Errorf("without the lock: %d %s", got.status, got.text)
	}
}

// TestLocksHoldBelow: a lock of the group holds for all in it, and needs a right of its own.
func TestLocksHoldBelow(t *testing.T) {
	s := galleried(t, arm.Options{})
	s.AddVersion(versionID, "westeurope")
	s.Lock(scope, arm.CanNotDelete)
	s.Lock(definitionID, arm.CanNotDelete)
	call(t, s, http.MethodDelete, versionID+v2026, "").refused(t, 409, "ScopeLocked", "'"+strings.ToLower(scope)+"', '"+strings.ToLower(definitionID)+"'")
	if got := call(t, s, http.MethodPost, vmID+"/generalize"+version, ""); got.status != http.StatusOK {
		t.Errorf("an action under CanNotDelete: %d %s", got.status, got.text)
	}
	s.Lock(scope, arm.ReadOnly)
	call(t, s, http.MethodPost, vmID+"/generalize"+version, "").refused(t, 409, "ScopeLocked", "cannot perform write operation")
	for at, want := range map[string]int{scope: 2, definitionID: 2, vmID: 1, "/subscriptions/" + subscription: 2} {
		if got, _ := ids(t, s, at+"/providers/Microsoft.Authorization/locks"+lockVersion, ""); len(got) != want {
			t.Errorf("locks of %s: %q", at, got)
		}
	}
	if got, _ := ids(t, s, scope+"/providers/Microsoft.Authorization/locks"+lockVersion+"&$filter=atScope()", scope); !slices.Equal(got, []string{"/providers/Microsoft.Authorization/locks/lock"}) {
		t.Errorf("locks at the group: %q", got)
	}
	s = galleried(t, arm.Options{Role: []string{"Microsoft.Compute/*", "Microsoft.Authorization/locks/read"}})
	call(t, s, http.MethodPut, groupLock+lockVersion, `{"properties":{"level":"ReadOnly"}}`).refused(t, 403, "AuthorizationFailed", "Microsoft.Authorization/locks/write")
}

// recycled is a server whose gallery keeps what is deleted, and has a version.
func recycled(t *testing.T, policy string) *arm.Server {
	t.Helper()
	s := galleried(t, arm.Options{})
	call(t, s, http.MethodPut, compute+"galleries/corp"+v2026, `{"location":"westeurope","properties":{"softDeletePolicy":{"isSoftDeleteEnabled":true`+policy+`}}}`)
	s.AddVersion(versionID, "westeurope")
	return s
}

const softDeletedPath = compute + "galleries/corp/softDeletedArtifactTypes/Images/artifacts/web/versions"

func TestSoftDelete(t *testing.T) {
	s := recycled(t, `,"retentionPeriodInDays":3,"gracePeriodInDays":2`)
	call(t, s, http.MethodDelete, versionID+v2026, "")
	s.FastForward(3 * time.Minute)
	call(t, s, http.MethodGet, versionID+v2026, "").refused(t, 404, "ResourceNotFound", "")
	if live, _ := ids(t, s, definitionID+"/versions"+v2026, ""); len(live) != 0 {
		t.Errorf("listed: %q", live)
	}
	got := call(t, s, http.MethodGet, softDeletedPath+v2026, "").json(t)["value"].([]any)[0].(map[string]any)
	p := got["properties"].(map[string]any)
	if got["id"] != softDeletedPath+"/1.0.0" || p["resourceArmId"] != versionID {
		t.Errorf("%v", got)
	}
	if d := when(t, p["hardDeletionTargetTime"]).Sub(when(t, p["softDeletedTime"])); d != 5*24*time.Hour {
		t.Errorf("it is removed %s after its deletion", d)
	}
	call(t, s, http.MethodPut, versionID+v2026, versionOf(fromVMSource, "")).refused(t, 409, "OperationNotAllowed", "soft-deleted")
	call(t, s, http.MethodDelete, definitionID+v2026, "").refused(t, 409, "CannotDeleteResource", "")
	s.FastForward(5 * 24 * time.Hour)
	if left, _ := ids(t, s, softDeletedPath+v2026, ""); len(left) != 0 {
		t.Errorf("after its periods: %q", left)
	}
	putVersion(t, s, versionOf(fromVMSource, ""))
}

// TestSoftDeletedComesBack with a PUT of its location, and does not go when its first deletion
// would have ended it.
func TestSoftDeletedComesBack(t *testing.T) {
	for _, body := range []string{`{"location":"westeurope"}`, `{"location":"westeurope","properties":{"restore":true}}`} {
		s := recycled(t, "")
		call(t, s, http.MethodDelete, versionID+v2026, "")
		s.FastForward(3 * time.Minute)
		if got := call(t, s, http.MethodPut, versionID+v2026, body); got.status != http.StatusOK || strings.Contains(got.text, "restore") {
			t.Errorf("%d %s", got.status, got.text)
		}
		s.FastForward(30 * 24 * time.Hour)
		if state := stateOf(t, s); state != "Succeeded" {
			t.Errorf("it is %s", state)
		}
	}
}

func TestSoftDeletedIsRemovedForGood(t *testing.T) {
	s := recycled(t, "")
	call(t, s, http.MethodDelete, versionID+v2026, "")
	s.FastForward(3 * time.Minute)
	if got := call(t, s, http.MethodDelete, softDeletedPath+"/1.0.0"+v2026, ""); got.status != http.StatusAccepted {
		t.Errorf("%d %s", got.status, got.text)
	}
	s.FastForward(3 * time.Minute)
	if got := call(t, s, http.MethodDelete, softDeletedPath+"/1.0.0"+v2026, ""); got.status != http.StatusNoContent {
		t.Errorf("again: %d %s", got.status, got.text)
	}
	putVersion(t, s, versionOf(fromVMSource, ""))
	s.FastForward(10 * time.Minute)
	call(t, s, http.MethodDelete, versionID+v2026+"&bypassSoftDelete=true", "")
	s.FastForward(3 * time.Minute)
	putVersion(t, s, versionOf(fromVMSource, ""))
}

// TestFailedVersionIsNotRecycled: Microsoft's page says that soft delete has to be turned off for
// it.
func TestFailedVersionIsNotRecycled(t *testing.T) {
	s := recycled(t, "")
	const failed = definitionID + "/versions/1.0.1"
	s.AddVersion(failed, "westeurope", func(v *arm.Version) { v.State = "Failed" })
	call(t, s, http.MethodDelete, failed+v2026, "").refused(t, 409, "OperationNotAllowed", "failed state")
	if got := call(t, s, http.MethodDelete, failed+v2026+"&bypassSoftDelete=true", ""); got.status != http.StatusAccepted {
		t.Errorf("%d %s", got.status, got.text)
	}
}

func TestDeletionBeforeEndOfLife(t *testing.T) {
	s := galleried(t, arm.Options{})
	s.AddVersion(versionID, "westeurope", func(v *arm.Version) { v.BlockDeletion, v.EndOfLife = true, s.Now().Add(time.Hour) })
	call(t, s, http.MethodDelete, versionID+v2026, "").refused(t, 409, "DeleteGalleryImageVersionBlockedBeforeEndOfLife", "endOfLifeDate has not reached yet")
	s.FastForward(time.Hour)
	if got := call(t, s, http.MethodDelete, versionID+v2026, ""); got.status != http.StatusAccepted {
		t.Errorf("%d %s", got.status, got.text)
	}
}

// TestDeletionsAreLimited to 150 in three minutes, the first header saying 149, and take 90 to 150
// s each.
func TestDeletionsAreLimited(t *testing.T) {
	s := galleried(t, arm.Options{Limits: arm.Windows(40, 200)})
	const many = 160
	name := func(n int) string { return fmt.Sprintf("%s/versions/2.0.%d", definitionID, n) }
	for n := range many {
		s.AddVersion(name(n), "westeurope")
	}
	begun := s.Now()
	for n := range 150 {
		got := call(t, s, http.MethodDelete, name(n)+v2026, "")
		want := fmt.Sprintf("Microsoft.Compute/DeleteGalleryImageVersion3Min;%d,Microsoft.Compute/DeleteGalleryImageVersion30Min;%d", 149-n, 999-n)
		if left := got.header.Get("x-ms-ratelimit-remaining-resource"); got.status != http.StatusAccepted || left != want {
			t.Fatalf("%d %q, want %q", got.status, left, want)
		}
	}
	throttled(t, call(t, s, http.MethodDelete, name(150)+v2026, ""), "DeleteGalleryImageVersion3Min", 1, 180)
	turned := time.Duration(0) // without the time that the calls take
	for left := many; left > many-150; {
		s.FastForward(time.Second)
		turned += time.Second
		now, _ := ids(t, s, definitionID+"/versions"+v2026, "")
		if gone := left - len(now); gone > 0 && (s.Now().Sub(begun) < 90*time.Second || turned > 151*time.Second) {
			t.Errorf("%d were gone after %s", gone, turned)
		}
		left = len(now)
	}
}

// TestImagesInUse: a scale set and a VM do not keep an image, one that is being created from it
// does.
func TestImagesInUse(t *testing.T) {
	s := prepared(t, arm.Options{})
	s.AddImage(imageID, "westeurope", "V1")
	const set = compute + "virtualMachineScaleSets/web"
	reference := `"storageProfile":{"imageReference":{"id":"` + imageID + `"}}`
	if got := call(t, s, http.MethodPut, set+version, `{"location":"westeurope","properties":{"virtualMachineProfile":{`+reference+`}}}`); got.status != http.StatusCreated {
		t.Fatalf("%d %s", got.status, got.text)
	}
	call(t, s, http.MethodPut, compute+"virtualMachines/web-1"+version, `{"location":"westeurope","properties":{`+reference+`}}`)
	operation := call(t, s, http.MethodDelete, imageID+version, "").header.Get("Azure-AsyncOperation")
	s.FastForward(time.Minute)
	if got := get(t, s, operation).text; !strings.Contains(got, `"OperationNotAllowed"`) || !strings.Contains(got, "'web-1' are being provisioned using the Image 'golden'") {
		t.Error(got)
	}
	call(t, s, http.MethodDelete, imageID+version, "")
	s.FastForward(time.Minute)
	call(t, s, http.MethodGet, imageID+version, "").refused(t, 404, "NotFound", "")
	if sets, _ := ids(t, s, "/subscriptions/"+subscription+"/providers/Microsoft.Compute/virtualMachineScaleSets"+version, ""); !slices.Equal(sets, []string{set}) {
		t.Errorf("scale sets: %q", sets)
	}
	if got := call(t, s, http.MethodDelete, set+version, ""); got.status != http.StatusOK {
		t.Errorf("%d %s", got.status, got.text)
	}
}

// TestLatest: a scale set that names a definition gets the highest version that nothing hides, in
// its region.
func TestLatest(t *testing.T) {
	s := galleried(t, arm.Options{})
	for name, change := range map[string]func(*arm.Version){
		"1.9.0": func(*arm.Version) {}, "1.10.0": func(*arm.Version) {},
		"1.11.0": func(v *arm.Version) { v.ExcludeFromLatest = true },
		"1.12.0": func(v *arm.Version) {
			v.Regions = []arm.VersionRegion{{Name: "westeurope", ExcludeFromLatest: true}, {Name: "eastus"}}
		},
		"1.13.0": func(v *arm.Version) { v.State = "Creating" },
	} {
		s.AddVersion(definitionID+"/versions/"+name, "westeurope", change)
	}
	for location, want := range map[string]string{"westeurope": "1.10.0", "eastus": "1.12.0"} {
		got := call(t, s, http.MethodPut, compute+"virtualMachineScaleSets/web-"+location+version,
			`{"location":"`+location+`","properties":{"virtualMachineProfile":{"storageProfile":{"imageReference":{"id":"`+definitionID+`"}}}}}`)
		if !strings.Contains(got.text, `"exactVersion":"`+want+`"`) {
			t.Errorf("in %s: %d %s", location, got.status, got.text)
		}
	}
	call(t, s, http.MethodPut, compute+"virtualMachines/web"+version, `{"location":"westus","properties":{"storageProfile":{"imageReference":{"id":"`+definitionID+`"}}}}`).
		refused(t, 404, "GalleryImageNotFound", "westus")
}

// TestPages of images and VMs, in a group and in the subscription.
func TestPages(t *testing.T) {
	const many = 130
	s := arm.Start(t, arm.Options{})
	for n := range many {
		s.AddImage(fmt.Sprintf("%simages/golden-%d", compute, n), "westeurope", "V1")
		s.AddVM(fmt.Sprintf("%svirtualMachines/vm-%d", compute, n), "westeurope")
	}
	s.AddImage(strings.Replace(compute, group, "other", 1)+"images/golden", "westeurope", "V1")
	wide := "/subscriptions/" + subscription + "/providers/Microsoft.Compute/"
	for path, want := range map[string]int{compute + "images": many, wide + "images": many + 1, compute + "virtualMachines": many, wide + "virtualMachines": many} {
		all, pages := ids(t, s, path+version, "")
		slices.Sort(all)
		if all = slices.Compact(all); len(all) != want || pages != 2 {
			t.Errorf("%s: %d in %d pages, want %d", path, len(all), pages, want)
		}
	}
}
