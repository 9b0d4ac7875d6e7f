package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"goldmint/cmd/goldmint/internal/catalog"
	"goldmint/cmd/goldmint/internal/retention"
	"goldmint/emulator/arm"
	"goldmint/internal/localazure"
)

// filled is a gallery with a version of each kind.
func filled(t *testing.T) *gallery {
	t.Helper()
	signIn(t)
	g := newGallery(t)
	g.fill()
	return g
}

func (g *gallery) fill() {
	g.put("1.0.0", 40)
	g.put("1.0.1", 30, func(v, _ object) { v["tags"] = object{} })
	g.put("1.0.2", 20)
	g.put("1.0.3", 15, func(v, _ object) { part(v, "tags")[retention.TagKeep] = "audit" })
	g.put("1.0.4", 10)
	g.put("1.0.10", 5)
	g.put("1.0.11", 2, func(_, p object) { p["excludeFromLatest"] = true })
	g.put("1.0.12", 0, func(v, _ object) { part(v, "properties")["provisioningState"] = "Creating" })
}

// pruned runs `goldmint prune` on it.
func pruned(ctx context.Context, g *gallery, args ...string) (out, errOut string, status int) {
	var o, e bytes.Buffer
	all := append([]string{"prune", "--arm-endpoint", g.url, "-g", "rg-images", "--gallery", "corp", "--image", "web"}, args...)
	status = execute(ctx, all, strings.NewReader(""), &o, &e)
	return o.String(), e.String(), status
}

const decided = `keep    1.0.12  0s   its state is Creating
keep    1.0.11  2d   it is the latest in westeurope (by the region's own flag)
keep    1.0.10  5d   it is the latest in westeurope
keep    1.0.4   10d  it is among the newest 2
keep    1.0.3   15d  it has the tag goldmint-keep
delete  1.0.2   20d  2 newer ones stay
keep    1.0.1   30d  Goldmint did not make it: it lacks the tag goldmint-build-id
delete  1.0.0   40d  2 newer ones stay
`

// showsInDocs holds a text against docs/retention.md.
func showsInDocs(t *testing.T, shown string) {
	t.Helper()
	if !strings.Contains(text(t, "../../docs/retention.md"), shown) {
		t.Errorf("docs/retention.md does not show:\n%s", shown)
	}
}

func TestPruneDeletesNothingUnasked(t *testing.T) {
	g := filled(t)
	before := g.names()
	out, errOut, status := pruned(t.Context(), g, "--keep", "2")
	want := decided + "2 go, 6 stay: nothing is deleted without --yes\n"
	if diff := cmp.Diff(want, out); diff != "" || status != exitOK || errOut != "" {
		t.Errorf("status %d %s\n%s", status, errOut, diff)
	}
	showsInDocs(t, out)
	if g.names() != before || g.calls[http.MethodDelete]+g.calls[http.MethodGet] != 0 {
		t.Errorf("left %s, calls %v", g.names(), g.calls)
	}
}

func TestPruneDeletesAndSaysWhat(t *testing.T) {
	g := filled(t)
	out, errOut, status := pruned(t.Context(), g, "--keep", "2", "--yes")
	want := decided + "deleted  1.0.0\ndeleted  1.0.2\n2 deleted, 0 left after all, 0 not deleted, 6 stay\n"
	if diff := cmp.Diff(want, out); diff != "" || status != exitOK {
		t.Errorf("status %d %s\n%s", status, errOut, diff)
	}
	showsInDocs(t, "deleted  1.0.0\ndeleted  1.0.2\n2 deleted, 0 left after all, 0 not deleted, 6 stay\n")
	if got := g.names(); got != "1.0.1 1.0.10 1.0.11 1.0.12 1.0.3 1.0.4" {
		t.Errorf("left: %s", got)
	}
	if g.calls[http.MethodGet] != 2 || g.calls[http.MethodDelete] != 2 || g.calls["LIST"] != 2 {
		t.Errorf("calls: %v", g.calls)
	}
}

func TestPruneLeavesWhatChangedMeanwhile(t *testing.T) {
	g := filled(t)
	g.locked["1.0.0"] = true
	g.before = func(kind, name string) {
		if kind == http.MethodGet && name == "1.0.2" {
			g.put("1.0.2", 20, func(v, _ object) { part(v, "tags")[retention.TagKeep] = "" })
		}
	}
	out, errOut, status := pruned(t.Context(), g, "--keep", "2", "--yes")
	if status != exitOK || !strings.Contains(out, "left     1.0.0  it is locked\nleft     1.0.2  its tags have changed since the list\n0 deleted, 2 left") {
		t.Errorf("status %d %s\n%s", status, errOut, out)
	}
	if !strings.Contains(g.names(), "1.0.0 ") || !strings.Contains(g.names(), "1.0.2 ") {
		t.Errorf("left: %s", g.names())
	}
}

func TestPruneSaysWhatItCouldNotDelete(t *testing.T) {
	for _, tt := range []struct {
		name, want, wantErr string
		code                string
		code1               int
		kind                string
		status              int
	}{
		{"without the right to delete", "failed   1.0.0  Azure answered 403 AuthorizationFailed\nnot tried  1.0.2  the one before", "2 of 2 that should go did not", "AuthorizationFailed", http.StatusForbidden, http.MethodDelete, exitFailed},
		{"without the right to list", "", "hint: docs/retention.md", "AuthorizationFailed", http.StatusForbidden, "LIST", exitUnreachable},
		{"a gallery that is not there", "", "hint: check --subscription", "ParentResourceNotFound", http.StatusNotFound, "LIST", exitUsage},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := filled(t)
			g.refuse = func(kind, _ string) (int, string) {
				if kind == tt.kind {
					return tt.code1, tt.code
				}
				return 0, ""
			}
			out, errOut, status := pruned(t.Context(), g, "--keep", "2", "--yes")
			if status != tt.status || !strings.Contains(out, tt.want) || !strings.Contains(errOut, tt.wantErr) {
				t.Errorf("status %d %s\n%s", status, errOut, out)
			}
		})
	}
}

func TestPruneInterrupted(t *testing.T) {
	g := filled(t)
	ctx, stop := context.WithCancel(t.Context())
	g.before = func(kind, _ string) {
		if kind == http.MethodDelete {
			stop()
		}
	}
	out, errOut, status := pruned(ctx, g, "--keep", "2", "--yes")
	if status != exitTimeout || g.calls[http.MethodDelete] != 1 {
		t.Errorf("status %d, calls %v %s", status, g.calls, errOut)
	}
	for _, want := range []string{"not tried  1.0.2  interrupted\n", "1.0.0  interrupted: Azure has taken its deletion on and continues\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not said:\n%s", want, out)
		}
	}
}

// TestPruneTwiceAtOnce: two prunes delete nothing that one would not.
func TestPruneTwiceAtOnce(t *testing.T) {
	g := filled(t)
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			if out, errOut, status := pruned(t.Context(), g, "--keep", "2", "--yes"); status != exitOK {
				t.Errorf("status %d %s\n%s", status, errOut, out)
			}
		})
	}
	both.Wait()
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, name := range []string{"1.0.1", "1.0.10", "1.0.11", "1.0.12", "1.0.3", "1.0.4"} {
		if g.versions[name] == nil || part(g.versions[name], "properties")["provisioningState"] == "Deleting" {
			t.Errorf("%s is gone", name)
		}
	}
}

func TestPruneForPrograms(t *testing.T) {
	g := filled(t)
	out, errOut, status := pruned(t.Context(), g, "--keep", "2", "--yes", "--output", "json")
	var got struct {
		DryRun bool
		Items  []decisionJSON
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil || status != exitOK {
		t.Fatalf("%v, status %d %s\n%s", err, status, errOut, out)
	}
	said := map[string]string{}
	for _, i := range got.Items {
		said[i.Name] = fmt.Sprintf("%s %s %s", i.Decision, i.Reason, i.Result)
	}
	want := map[string]string{
		"1.0.0": "delete Old deleted", "1.0.1": "keep Foreign ", "1.0.2": "delete Old deleted", "1.0.3": "keep KeepTag ", "1.0.4": "keep Newest ",
		"1.0.10": "keep Latest ", "1.0.11": "keep Latest ", "1.0.12": "keep UnderWay ",
	}
	if diff := cmp.Diff(want, said); diff != "" || got.DryRun {
		t.Error(diff)
	}
}

// TestPruneImages: managed images, on the local Resource Manager.
func TestPruneImages(t *testing.T) {
	signIn(t)
	manager := arm.Start(t, arm.Options{AnyBlob: true, ImageDuration: 10 * time.Millisecond, Limits: arm.Off()})
	for _, name := range []string{"web-9", "web-10", "web-11", "web-api-3"} {
		makeImage(t, manager, name)
	}
	prune := func(args ...string) string {
		var out, errOut bytes.Buffer
		all := append([]string{"prune", "--arm-endpoint", manager.Endpoint(), "-g", "golden", "--name-prefix", "web-", "--keep", "1"}, args...)
		if status := execute(t.Context(), all, strings.NewReader(""), &out, &errOut); status != exitOK {
			t.Fatalf("status %d %s%s", status, errOut.String(), out.String())
		}
		return out.String()
	}
	manager.FastForward(time.Minute)
	if out := prune("--yes"); !strings.Contains(out, "0 go, 4 stay") {
		t.Errorf("something younger than an hour goes:\n%s", out)
	}
	out := prune("--older-than", "0s", "--yes")
	for _, want := range []string{"deleted  web-9\ndeleted  web-10\n", `what follows "web-" is not a number or date`} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not said:\n%s", want, out)
		}
	}
	if out := prune("--older-than", "0s"); !strings.HasSuffix(out, "0 go, 2 stay\n") || !strings.Contains(out, "keep  web-11") {
		t.Errorf("left:\n%s", out)
	}
}

// makeImage makes an image of Goldmint's from a blob.
func makeImage(t *testing.T, manager *arm.Server, name string) {
	t.Helper()
	body, err := json.Marshal(object{
		"location": "westeurope", "tags": object{retention.TagBuildID: name, retention.TagRequestedAt: time.Now().UTC().Format(time.RFC3339)},
		"properties": object{"hyperVGeneration": "V1", "storageProfile": object{"osDisk": object{
			"osType": "Linux", "osState": "Generalized", "blobUri": "https://store.blob.core.windows.net/vhds/web.vhd",
		}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	url := manager.Endpoint() + "/subscriptions/" + localazure.SubscriptionID + "/resourceGroups/golden/providers/Microsoft.Compute/images/" + name + "?api-version=2021-11-01"
	request, err := http.NewRequest(http.MethodPut, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer any")
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusCreated {
		t.Fatalf("%s: %s", name, response.Status)
	}
}

// TestPruneKeepsWhatIsInUse: a VM names the version, a scale set the definition that was resolved to a version.
func TestPruneKeepsWhatIsInUse(t *testing.T) {
	g := filled(t)
	g.users = map[string]object{
		"/virtualMachines":         {"name": "web-vm", "properties": object{"storageProfile": object{"imageReference": object{"id": strings.ToUpper(galleryPath) + "/1.0.0"}}}},
		"/virtualMachineScaleSets": {"name": "web-set", "properties": object{"virtualMachineProfile": object{"storageProfile": object{"imageReference": object{"id": strings.TrimSuffix(galleryPath, "/versions"), "exactVersion": "1.0.2"}}}}},
	}
	out, errOut, status := pruned(t.Context(), g, "--keep", "2", "--check-use", "--yes")
	for _, want := range []string{"1.0.0   40d  it is in use by VM web-vm\n", "1.0.2   20d  it is in use by scale set web-set\n", "0 go, 8 stay\n"} {
		if status != exitOK || !strings.Contains(out, want) {
			t.Errorf("status %d %s, %q is not said:\n%s", status, errOut, want, out)
		}
	}
}

func TestPruneUsage(t *testing.T) {
	for _, tt := range []struct{ args, want string }{
		{"--gallery corp --image web", "--keep is missing"},
		{"--gallery corp --image web --keep 0", "at least 1"},
		{"--keep 1", "give either --gallery and --image, or --name-prefix"},
		{"--gallery corp --keep 1", "go together"},
		{"--gallery ../x --image web --keep 1", "--gallery is"},
		{"--name-prefix web- --expired --keep 1", "no end of life"},
		{"--name-prefix web- --keep 1 --older-than soon", "such as 30d"},
	} {
		var out, errOut bytes.Buffer
		args := append([]string{"prune", "--subscription", localazure.SubscriptionID, "-g", "rg"}, strings.Fields(tt.args)...)
		if status := execute(t.Context(), args, strings.NewReader(""), &out, &errOut); status != exitUsage || !strings.Contains(errOut.String(), tt.want) {
			t.Errorf("%s: status %d\n%s", tt.args, status, errOut.String())
		}
	}
}

func TestPromote(t *testing.T) {
	g := filled(t)
	promote := func(args ...string) (string, int) {
		var out, errOut bytes.Buffer
		status := execute(t.Context(), append([]string{"promote", galleryPath + "/1.0.11", "--arm-endpoint", g.url}, args...), strings.NewReader(""), &out, &errOut)
		return out.String() + errOut.String(), status
	}
	if out, status := promote("--only-if-latest-is", galleryPath+"/1.0.4"); status != exitFailed || !strings.Contains(out, "the latest in westeurope is "+galleryPath+"/1.0.10") {
		t.Errorf("status %d\n%s", status, out)
	}
	if g.calls[http.MethodPut] != 0 {
		t.Error("it was promoted all the same")
	}
	if out, status := promote("--only-if-latest-is", galleryPath+"/1.0.10"); status != exitOK || out != galleryPath+"/1.0.11\n" {
		t.Errorf("status %d\n%s", status, out)
	}
	if out, _, _ := pruned(t.Context(), g, "--keep", "1"); !strings.Contains(out, "1.0.11  2d   it is the latest in westeurope") {
		t.Errorf("it is not the latest:\n%s", out)
	}
}

func TestVersions(t *testing.T) {
	g := filled(t)
	var out, errOut bytes.Buffer
	args := []string{"versions", "--arm-endpoint", g.url, "-g", "rg-images", "--gallery", "corp", "--image", "web"}
	if status := execute(t.Context(), args, strings.NewReader(""), &out, &errOut); status != exitOK {
		t.Fatal(errOut.String())
	}
	lines := strings.Split(out.String(), "\n")
	if want := "1.0.11  Succeeded  web-1.0.11  2d   web     West Europe (not latest)  30"; len(lines) != 10 || lines[2] != want {
		t.Errorf("%s", out.String())
	}
}

// BenchmarkPrune10000 lists a full definition and decides; it prints the calls and what memory it took at most.
func BenchmarkPrune10000(b *testing.B) {
	g := newGallery(b)
	const full = 10_000
	for i := range full {
		g.put(fmt.Sprintf("1.0.%d", i), 2+(full-i)/100)
	}
	azure, err := catalog.New(localazure.SubscriptionID, g.url, publicARM, nil)
	if err != nil {
		b.Fatal(err)
	}
	o := pruneOptions{keep: 5, olderThan: span(time.Hour)}
	shelf := azure.Versions("rg-images", "corp", "web")
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for b.Loop() {
		decisions, err := o.decide(b.Context(), azure, shelf)
		if err != nil || countGoing(decisions) != full-5 {
			b.Fatal(err, countGoing(decisions))
		}
		runtime.ReadMemStats(&after)
	}
	b.ReportMetric(float64(after.HeapInuse-before.HeapInuse)/1e6, "MB-more")
	b.ReportMetric(float64(g.calls["LIST"])/float64(b.N), "calls/op")
}
