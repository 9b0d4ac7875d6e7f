package azure

import (
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"goldmint/emulator/arm"
	"goldmint/internal/build"
	"goldmint/internal/docblock"
	"goldmint/internal/event"
	"goldmint/internal/request"
)

var update = flag.Bool("update", false, "write the table of docs/gallery-errors.md anew")

const (
	computeID    = "/subscriptions/" + subscription + "/resourceGroups/rg/providers/Microsoft.Compute/"
	galleryID    = computeID + "galleries/corp"
	definitionID = galleryID + "/images/web"
	managedID    = computeID + "images/base"
	diskID       = computeID + "disks/os"
	otherID      = definitionID + "/versions/0.9.0"
)

// galleryCase is one way in which Azure refuses a version or fails to make it, and what is expected
// of Goldmint.
type galleryCase struct {
	definition arm.Definition   // of its versions: generation V2 unless it says otherwise
	none       bool             // there is no gallery
	vm         func(*arm.VM)    // changes the source
	body       []string         // pairs that are replaced in the request's text
	options    arm.Options      //
	prepare    func(*tested)    // before the build
	put        func(*tested)    // happens just before Azure has the build's PUT
	puts       int              // how many times; 0: at each
	answer     http.HandlerFunc // Azure's to the PUT, where the local one has no such refusal
	leaves     string           // the state of the version in the end, "" for no version
	want       string           // the code, or "succeeded"
	words      string           // in the event, where not Azure's own of the list
	noCall     string           // why Goldmint cannot meet it
}

// tested is the local Azure of a case.
type tested struct {
	*testing.T
	*arm.Server
	id string // of the version
}

// region fails when the others are done.
func (c *tested) regionFails() { c.FailNextRegion(c.id, "North Europe") }

// create makes a version as another writer would.
func (c *tested) create(id, storage string) {
	c.Helper()
	body := `{"location":"westeurope","properties":{"storageProfile":` + storage + `}}`
	if status := c.call(http.MethodPut, id, body); status != http.StatusCreated {
		c.Fatalf("another writer's PUT: %d", status)
	}
}

// call sends a request as another client.
func (c *tested) call(method, id, body string) int {
	c.Helper()
	r, err := http.NewRequestWithContext(c.Context(), method, c.Endpoint()+id+"?api-version=2026-03-03", strings.NewReader(body))
	if err != nil {
		c.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer other")
	r.Header.Set("Content-Type", "application/json")
	got, err := http.DefaultClient.Do(r)
	if err != nil {
		c.Fatal(err)
	}
	_ = got.Body.Close()
	return got.StatusCode
}

const fromDisk = `{"osDiskImage":{"source":{"id":"` + diskID + `"}}}`

// galleryCases are the recorded and documented errors, by the names in
// testdata/gallery-errors.json, and what the list lacks.
func galleryCases() map[string]galleryCase {
	vmSource := `"source":{"virtualMachineId":"` + vm + `"}`
	regions := `{"name":"westeurope"},{"name":"northeurope"}`
	otherWriter := func(storage string) func(*tested) {
		return func(c *tested) { c.create(c.id, storage) }
	}
	ended := func(c *tested) {
		otherWriter(fromDisk)(c)
		c.FastForward(20 * time.Minute)
	}
	fails := func(code, message string) func(*tested) {
		return func(c *tested) { c.FailNext(c.id, code, message) }
	}
	return map[string]galleryCase{
		"definition or gallery missing": {none: true, want: "ParentResourceNotFound"},
		"version name":                  {body: []string{`"name":"1.0.0"`, `"name":"1.0"`}, want: request.InvalidRequest},
		"no source":                     {body: []string{vmSource, ``}, want: request.InvalidRequest},
		"targetRegions lack the version's own region": {body: []string{regions, `{"name":"northeurope"}`}, want: request.InvalidRequest},
		"duplicate region":                                  {body: []string{regions, regions + `,{"name":"North Europe"}`}, want: request.InvalidRequest},
		"source missing or in another region":               {vm: func(v *arm.VM) { v.Location = "eastus" }, want: "NotFound"},
		"source missing":                                    {body: []string{vm, vm + "-none"}, want: "NotFound"},
		"source VM not generalized, definition Generalized": {vm: func(v *arm.VM) { v.Generalized = false }, want: "BadRequest"},
		"generation differs":                                {definition: arm.Definition{HyperVGeneration: "V1"}, want: "BadRequest"},
		"OS type differs":                                   {vm: func(v *arm.VM) { v.OSType = "Windows" }, want: "BadRequest"},
		"plan differs":                                      {answer: refusal(400, "BadRequest", "The resource with id "+vm+" has a different plan ['{...}'] than the parent gallery image plan ['null']"), want: "BadRequest"},
		"Trusted Launch VM into a TrustedLaunchSupported definition": {definition: arm.Definition{SecurityType: "TrustedLaunchSupported"}, vm: func(v *arm.VM) { v.SecurityType = "TrustedLaunch" }, want: "InvalidParameter"},
		"ephemeral OS disk": {vm: func(v *arm.VM) { v.EphemeralOSDisk = true }, want: "BadRequest"},
		"Ultra SSD":         {vm: func(v *arm.VM) { v.DataDisks = []arm.VMDisk{{SizeGB: 4, AccountType: "UltraSSD_LRS"}} }, want: "BadRequest"},
		"unmanaged disks":   {vm: func(v *arm.VM) { v.OSDisk.VHD = "https://golden.blob.core.windows.net/vhds/os.vhd" }, want: "BadRequest"},
		"source throttled":  {body: []string{vmSource, `"source":{"id":"` + managedID + `"}`}, prepare: func(c *tested) { c.create(otherID, `{"source":{"id":"`+managedID+`"}}`) }, leaves: "Succeeded", want: "succeeded"},
		"source changed on an existing version (2020)":            {answer: refusal(409, "PropertyChangeNotAllowed", "Changing property 'galleryImageVersion.properties.publishingProfile.source.managedImage.id' is not allowed."), put: ended, puts: 1, leaves: "Succeeded", want: "ImageExists"},
		"source changed on an existing version":                   {put: ended, puts: 1, leaves: "Succeeded", want: "ImageExists"},
		"a region failed (whole operation fails)":                 {put: func(c *tested) { c.regionFails() }, want: "InternalOperationError"},
		"source too large":                                        {put: fails("GallerySourceResourceExceedsMaxSize", "Replication failed in this region due to 'The GalleryImageVersion source resource size 2520 exceeds the max size 2048 supported.'"), want: "GallerySourceResourceExceedsMaxSize"},
		"operation failed inside, version left Failed":            {put: fails("InvalidBeginGetAccessForGalleryImageVersionSnapshotResponseFromPIR", "The response from pir.BeginGetAccessForGalleryImageVersionSnapshot is invalid."), want: "InvalidBeginGetAccessForGalleryImageVersionSnapshotResponseFromPIR"},
		"version is being deleted":                                {prepare: func(c *tested) { ended(c); c.call(http.MethodDelete, c.id, "") }, leaves: "Succeeded", want: "succeeded"},
		"delete before end of life":                               {body: []string{`"publishingProfile":{`, `"safetyProfile":{"blockDeletionBeforeEndOfLife":true},"publishingProfile":{"endOfLifeDate":"2099-01-01T00:00:00Z",`}, put: func(c *tested) { c.regionFails() }, puts: 1, leaves: "Failed", words: "could not be deleted: 409 DeleteGalleryImageVersionBlockedBeforeEndOfLife", want: "InternalOperationError"},
		"definition or gallery not empty":                         {noCall: "Goldmint deletes no definition and no gallery"},
		"end of life in the past":                                 {body: []string{`"publishingProfile":{`, `"publishingProfile":{"endOfLifeDate":"2020-01-01T00:00:00Z",`}, want: request.InvalidRequest},
		"no ZRS in the region":                                    {body: []string{`{"name":"northeurope"}`, `{"name":"westus","storageAccountType":"Standard_ZRS"}`}, want: "BadRequest"},
		"duplicate lun":                                           {body: []string{vmSource, twoDataDisks(0, 0, "disks/d1", "disks/d2")}, want: request.InvalidRequest},
		"duplicate source":                                        {body: []string{vmSource, twoDataDisks(0, 1, "disks/d1", "disks/d1")}, want: "BadRequest"},
		"VM: region has no replica":                               {noCall: "Azure reports it to the creator of a VM; the `succeeded` event names the regions"},
		"VM: no latest":                                           {noCall: "Azure reports it to the creator of a VM; the `succeeded` event says `excludeFromLatest`"},
		"10,000 versions":                                         {options: arm.Options{MaxVersions: 1}, prepare: func(c *tested) { c.AddVersion(otherID, "westeurope") }, words: "exceeding quota limits", want: "OperationNotAllowed"},
		"409 on a second PUT while Creating":                      {put: otherWriter(fromDisk), puts: 1, leaves: "Succeeded", want: "ImageExists"},
		"also: the version exists":                                {prepare: ended, leaves: "Succeeded", want: "ImageExists"},
		"also: the number is that of a soft-deleted version":      {prepare: softDeleted(ended), want: "OperationNotAllowed"},
		"also: no right on the source":                            {options: arm.Options{Role: []string{"Microsoft.Compute/galleries/*", "Microsoft.Compute/virtualMachines/read", "Microsoft.Compute/locations/*"}}, want: "LinkedAuthorizationFailed"},
		"also: a region failed once":                              {put: func(c *tested) { c.regionFails() }, puts: 1, leaves: "Succeeded", want: "succeeded"},
		"also: operation failed inside once":                      {put: fails("InvalidBeginGetAccessForGalleryImageVersionSnapshotResponseFromPIR", "The response is invalid."), puts: 1, leaves: "Succeeded", want: "succeeded"},
		"also: Trusted Launch VM into a definition without":       {vm: func(v *arm.VM) { v.SecurityType = "TrustedLaunch" }, want: "InvalidParameter"},
		"also: Trusted Launch VM into a TrustedLaunch definition": {definition: arm.Definition{SecurityType: "TrustedLaunch"}, vm: func(v *arm.VM) { v.SecurityType = "TrustedLaunch" }, leaves: "Succeeded", want: "succeeded"},
		"also: a region that the subscription does not have":      {body: []string{`{"name":"northeurope"}`, `{"name":"atlantis"}`}, want: "BadRequest"},
	}
}

func refusal(status int, code, message string) http.HandlerFunc {
	body, _ := json.Marshal(map[string]any{"error": map[string]string{"code": code, "message": message}})
	return answer(status, string(body))
}

// twoDataDisks is a storage profile with data disks under these luns from these sources.
func twoDataDisks(lun1, lun2 int, source1, source2 string) string {
	disk := func(lun int, source string) string {
		return fmt.Sprintf(`{"lun":%d,"source":{"id":%q}}`, lun, computeID+source)
	}
	return `"osDiskImage":{"source":{"id":"` + diskID + `"}},"dataDiskImages":[` + disk(lun1, source1) + `,` + disk(lun2, source2) + `]`
}

func softDeleted(make func(*tested)) func(*tested) {
	return func(c *tested) {
		c.call(http.MethodPut, galleryID, `{"location":"westeurope","properties":{"softDeletePolicy":{"isSoftDeleteEnabled":true}}}`)
		make(c)
		c.call(http.MethodDelete, c.id, "")
		c.FastForward(5 * time.Minute)
	}
}

// TestGalleryErrors plays every recorded and documented error of gallery image versions from the
// request to its end, with the real client on the local ARM: each build ends, with Azure's words
// and what to do, after the retries that may help, and leaves nothing incomplete behind.
// docs/gallery-errors.md is its table; -update writes it.
func TestGalleryErrors(t *testing.T) {
	text, err := os.ReadFile("testdata/gallery-errors.json")
	if err != nil {
		t.Fatal(err)
	}
	var recorded struct {
		Errors []struct {
			Case, Code, Message string
			Status              int    `json:"http_status"`
			Basis               string `json:"status_basis"`
		}
	}
	if err := json.Unmarshal(text, &recorded); err != nil {
		t.Fatal(err)
	}
	cases := galleryCases()
	var rows []string
	for _, e := range recorded.Errors {
		c, known := cases[e.Case]
		if !known {
			t.Errorf("%q is not played", e.Case)
		}
		delete(cases, e.Case)
		rows = append(rows, galleryRow(t, e.Case, c, e.Message))
	}
	if len(rows) != 32 {
		t.Errorf("%d cases", len(rows))
	}
	for _, name := range slices.Sorted(maps.Keys(cases)) {
		rows = append(rows, galleryRow(t, name, cases[name], ""))
	}
	const head = "| what is wrong | Azure's answer | what Goldmint does |\n| --- | --- | --- |\n"
	docblock.Hold(t, "../../docs/gallery-errors.md", "errors: go test ./internal/azure -run TestGalleryErrors -update",
		"\n"+head+strings.Join(rows, "\n")+"\n\n", *update)
}

// galleryRow runs a case and returns a table row with what Goldmint did.
func galleryRow(t *testing.T, name string, c galleryCase, words string) (row string) {
	t.Helper()
	if c.noCall != "" {
		return fmt.Sprintf("| %s | – | nothing: %s |", name, c.noCall)
	}
	t.Run(name, func(t *testing.T) {
		text := `{"id":"b","subscriptionId":"` + subscription + `","resourceGroup":"rg","galleryName":"corp","galleryImageName":"web","name":"1.0.0",
			"galleryImageVersion":{"location":"westeurope","properties":{"storageProfile":{"source":{"virtualMachineId":"` + vm + `"}},
			"publishingProfile":{"targetRegions":[{"name":"westeurope"},{"name":"northeurope"}]}}}}`
		for i := 0; i < len(c.body); i += 2 {
			if !strings.Contains(text, c.body[i]) {
				t.Fatalf("no %s in the request", c.body[i])
			}
			text = strings.Replace(text, c.body[i], c.body[i+1], 1)
		}
		r, err := request.Decode([]byte(text))
		var invalid *request.Invalid
		if errors.As(err, &invalid) {
			if c.want != invalid.Reason || len(invalid.Problems) == 0 {
				t.Errorf("%v, want %s", err, c.want)
			}
			p := invalid.Problems[0]
			row = fmt.Sprintf("| %s | not asked | rejected: `%s` %s |", name, p.Path, p.Message)
			return
		} else if err != nil {
			t.Fatal(err)
		}
		row = fmt.Sprintf("| %s | %s |", name, c.play(t, build.New(r, "", time.Now()), words))
	})
	return row
}

// play is what Azure said and what Goldmint did, as two columns.
func (c galleryCase) play(t *testing.T, b build.Build, words string) string {
	t.Helper()
	var at *tested
	busy, done := false, 0
	o := c.options
	o.Intercept = func(r *http.Request) http.Handler {
		if r.Method != http.MethodPut || r.Header.Get("Authorization") == "Bearer other" || busy || (c.puts > 0 && done == c.puts) {
			return nil
		}
		done++
		if c.put != nil {
			busy = true
			c.put(at)
			busy = false
		}
		if c.answer != nil {
			return c.answer
		}
		return nil
	}
	s, _ := start(t, o)
	heard := &putAnswers{path: b.ImageID()}
	a, err := NewARM(s.Endpoint(), "https://management.azure.com", token("secret"), &http.Client{Transport: heard})
	if err != nil {
		t.Fatal(err)
	}
	at = &tested{T: t, Server: s, id: b.ImageID()}
	s.AddVM(vm, "westeurope", func(v *arm.VM) { v.HyperVGeneration = "V2" }, func(v *arm.VM) {
		if c.vm != nil {
			c.vm(v)
		}
	})
	if !c.none {
		c.definition.ID, c.definition.Location = definitionID, "westeurope"
		s.AddDefinition(c.definition)
	}
	for _, d := range []string{diskID, computeID + "disks/d1", computeID + "disks/d2"} {
		s.PutDisk(arm.Disk{ID: d, Location: "westeurope"})
	}
	s.AddImage(managedID, "westeurope", "V2")
	if c.prepare != nil {
		c.prepare(at)
	}
	p := play(t, s, a, b)
	c.check(t, p, words)
	if left, err := a.Image(t.Context(), b.ImageID()); err != nil || left.State != c.leaves && (left.State != "Deleting" || c.leaves != "") {
		t.Errorf("it leaves a version in state %q, %v; want %q", left.State, err, c.leaves)
	}
	return strings.Join(summed(heard.all), ", ") + " | " + p.tell()
}

// putAnswers notes how the PUTs of a resource are answered.
type putAnswers struct {
	path string
	all  []string
}

func (p *putAnswers) RoundTrip(r *http.Request) (*http.Response, error) {
	got, err := http.DefaultTransport.RoundTrip(r)
	if err == nil && r.Method == http.MethodPut && r.URL.Path == p.path {
		p.all = append(p.all, strconv.Itoa(got.StatusCode))
	}
	return got, err
}

// check checks the end of a case: Azure's words, what to do, no more creations than the attempts.
func (c galleryCase) check(t *testing.T, p played, words string) {
	t.Helper()
	end := p.end()
	if c.want == "succeeded" {
		if end.Type != event.Succeeded {
			t.Fatalf("%+v, want success", end.Data.Error)
		}
		return
	}
	if end.Type != event.Failed || end.Data.Error.Code != c.want {
		t.Fatalf("%s %+v, want %s", end.Type, end.Data.Error, c.want)
	}
	e := end.Data.Error
	if said := cmp.Or(c.words, fixedWords(words)); c.want != "ImageExists" && !strings.Contains(e.Message, said) {
		t.Errorf("the event says %q, not Azure's %q", e.Message, said)
	}
	if e.Hint == "" && !strings.Contains(e.Message, "choose another number") {
		t.Errorf("nothing says what to do: %+v", e)
	}
	if end.Data.Attempts > build.DefaultPolicy().VersionAttempts {
		t.Errorf("%d attempts", end.Data.Attempts)
	}
}

// tell is the outcome of a case, for a table's cell.
func (p played) tell() string {
	end := p.end()
	took := "at once"
	if p.took >= 2*time.Minute {
		took = fmt.Sprintf("after %.0f minutes", p.took.Minutes())
	} else if p.took > time.Second {
		took = fmt.Sprintf("after %d seconds", int(p.took.Round(5*time.Second).Seconds()))
	}
	attempts := ""
	if n := end.Data.Attempts; n > 1 {
		attempts = fmt.Sprintf(", in %d attempts", n)
	}
	if end.Type == event.Succeeded {
		return "`succeeded` " + took + attempts
	}
	e := end.Data.Error
	text := fmt.Sprintf("`failed` with %s %s%s", e.Code, took, attempts)
	if r := end.Data.ReplicationStatus; r != nil {
		for _, region := range r.Summary {
			text += fmt.Sprintf("; %s %s", region.Region, region.State)
		}
	}
	if e.Hint != "" {
		return text + ". Hint: " + strings.ReplaceAll(e.Hint, "|", "\\|")
	}
	return text + ": " + e.Message
}

// summed is the list with repeated entries written as "3 × 404".
func summed(list []string) (all []string) {
	for i := 0; i < len(list); {
		n := 1
		for i+n < len(list) && list[i+n] == list[i] {
			n++
		}
		text := list[i]
		if n > 1 {
			text = fmt.Sprintf("%d × %s", n, text)
		}
		all = append(all, text)
		i += n
	}
	if len(list) == 0 {
		return []string{"not asked"}
	}
	return all
}

var variable = regexp.MustCompile(`<[^>]*>|'[^']*'|\[[^\]]*\]`)

// fixedWords is the longest part of Azure's message that names nothing.
func fixedWords(message string) (longest string) {
	for _, part := range variable.Split(message, -1) {
		if part = strings.Trim(part, " .'"); len(part) > len(longest) {
			longest = part
		}
	}
	return longest
}
