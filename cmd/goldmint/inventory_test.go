package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"goldmint/cmd/goldmint/internal/retention"
	"goldmint/emulator/arm"
)

func (g *gallery) versions(t *testing.T, args ...string) string {
	t.Helper()
	out, errOut, status := g.command(t.Context(), append(append([]string{"versions"}, ofDefinition...), args...)...)
	if status != exitOK || errOut != "" {
		t.Fatalf("status %d %s", status, errOut)
	}
	return out
}

func TestVersions(t *testing.T) {
	g := filled(t, quickly)
	g.AddVM(computePath+"virtualMachines/web-vm", "westeurope", func(vm *arm.VM) { vm.ImageID = galleryPath + "/1.0.4" })
	g.AddScaleSet(computePath+"virtualMachineScaleSets/web-set", "westeurope", definition)
	const want = `NAME    STATE      BUILD       AGE  SOURCE   REGIONS                   GB  USED BY
1.0.12  Creating   web-1.0.12  3m   builder  West Europe               30  -
1.0.11  Succeeded  web-1.0.11  2d   builder  West Europe (not latest)  30  -
1.0.10  Succeeded  web-1.0.10  5d   builder  West Europe               30  scale set web-set
1.0.4   Succeeded  web-1.0.4   10d  builder  West Europe               30  VM web-vm
1.0.3   Succeeded  web-1.0.3   15d  builder  West Europe               30  -
1.0.2   Succeeded  web-1.0.2   20d  builder  West Europe               30  -
1.0.1   Succeeded  -           30d  builder  West Europe               30  -
1.0.0   Succeeded  web-1.0.0   40d  builder  West Europe               30  -
`
	out := g.versions(t, "--check-use")
	if diff := cmp.Diff(want, out); diff != "" {
		t.Error(diff)
	}
	showsInDocs(t, "versions", "goldmint versions -g rg-images --gallery corp --image web --check-use", out)
	if !strings.Contains(g.versions(t, "--check-use", "--output", "json"), `"usedBy":[]`) || strings.Contains(g.versions(t, "--output", "json"), "usedBy") {
		t.Error("JSON does not distinguish what is not in use from what nobody looked at")
	}
	if out := g.versions(t); strings.Contains(out, "USED BY") || !strings.Contains(out, "West Europe               30\n") {
		t.Errorf("without --check-use:\n%s", out)
	}
	rows := strings.Split(g.versions(t, "--check-use", "--output", "json"), "\n")
	var row recordJSON
	if err := json.Unmarshal([]byte(rows[3]), &row); err != nil || len(rows) != 9 {
		t.Fatalf("%v in %d rows", err, len(rows))
	}
	wanted := recordJSON{
		ID: galleryPath + "/1.0.4", Name: "1.0.4", State: "Succeeded", BuildID: "web-1.0.4", Created: row.Created, Location: "westeurope", SizeGB: 30,
		Source: computePath + "virtualMachines/builder", Regions: []regionJSON{{"West Europe", false}}, UsedBy: []string{"VM web-vm"},
	}
	if diff := cmp.Diff(wanted, row); diff != "" || g.Now().Sub(*row.Created).Round(day) != 10*day {
		t.Errorf("%s\n%s", diff, rows[3])
	}
}

// TestVersionsLatest: what a deployment would get, in each region; nothing where there is none.
func TestVersionsLatest(t *testing.T) {
	g := filled(t, quickly)
	g.put("1.0.5", func(v *arm.Version) {
		v.Regions = []arm.VersionRegion{{Name: "westeurope"}, {Name: "northeurope"}, {Name: "eastus", ExcludeFromLatest: true}}
	})
	for region, want := range map[string]string{"westeurope": "1.0.10", "West Europe": "1.0.10", "northeurope": "1.0.5", "eastus": "", "westus": ""} {
		if want != "" {
			want = galleryPath + "/" + want + "\n"
		}
		if got := g.versions(t, "--latest", region); got != want {
			t.Errorf("in %s: %q", region, got)
		}
	}
	if got := g.deployed(t); got != "1.0.10" {
		t.Errorf("Azure gives %s", got)
	}
}

func TestVersionsUsage(t *testing.T) {
	for args, want := range map[string]string{
		"versions -g rg-images":                                       "--gallery and --image are missing",
		"versions -g rg-images --gallery corp":                        "go together",
		"versions --gallery corp --image web":                         "--resource-group is",
		"images":                                                      "--resource-group is",
		"images -g rg-images --subscription x":                        "--subscription is",
		"versions -g rg --gallery corp --image web --output xml":      "use text or json",
		"versions -g rg --gallery corp --image web --arm-endpoint xy": "is not a URL",
	} {
		fields := append(strings.Fields(args), "--subscription=11111111-2222-3333-4444-555555555555")
		if strings.Contains(args, "--subscription") {
			fields = fields[:len(fields)-1]
		}
		var out, errOut strings.Builder
		if status := execute(t.Context(), fields, strings.NewReader(""), &out, &errOut); status == exitOK || !strings.Contains(errOut.String(), want) {
			t.Errorf("%s: status %d\n%s", args, status, errOut.String())
		}
	}
}

// makeImage makes a managed image of Goldmint's.
func (g *gallery) makeImage(t *testing.T, name string, tags object) {
	t.Helper()
	g.send(t, http.MethodPut, computePath+"images/"+name, object{
		"location": "westeurope", "tags": tags,
		"properties": object{"sourceVirtualMachine": object{"id": computePath + "virtualMachines/builder"}},
	})
	g.FastForward(time.Minute + 2*time.Second)
}

// imaged is a resource group with images of a few makers.
func imaged(t *testing.T) *gallery {
	t.Helper()
	signIn(t)
	g := newGallery(t, quickly)
	g.AddVM(computePath+"virtualMachines/builder", "westeurope", func(vm *arm.VM) { vm.DataDisks = []arm.VMDisk{{Lun: 1, SizeGB: 64}} })
	for _, name := range []string{"web-9", "web-10", "web-11", "web-12", "web-api-3", "web-old", "api-1"} {
		// The request of each waited for two days: what counts is when its image was made.
		g.makeImage(t, name, object{retention.TagBuildID: name, retention.TagRequestedAt: g.Now().Add(-2 * day).Format(time.RFC3339Nano)})
	}
	g.makeImage(t, "web-8", nil)
	return g
}

// TestPruneImages: the prefix and a number or date, and what differs is left alone and said to be.
func TestPruneImages(t *testing.T) {
	g := imaged(t)
	prune := func(args ...string) string {
		out, errOut, status := g.command(t.Context(), append([]string{"prune", "-g", "rg-images", "--name-prefix", "web-", "--keep", "1"}, args...)...)
		if status != exitOK {
			t.Fatalf("status %d %s%s", status, errOut, out)
		}
		return out
	}
	if out := prune("--yes"); !strings.Contains(out, "0 go, 7 stay") || !strings.Contains(out, "it is not older than 25h") {
		t.Errorf("something younger than a build may take goes:\n%s", out)
	}
	g.FastForward(3 * day)
	g.AddScaleSet(computePath+"virtualMachineScaleSets/web-set", "westeurope", computePath+"images/web-9")
	g.AddVM(computePath+"virtualMachines/web-vm", "westeurope", func(vm *arm.VM) { vm.ImageID = computePath + "images/web-11" })
	out := prune("--check-use")
	const want = `keep    web-12     3d  it is the newest
keep    web-11     3d  it is in use by VM web-vm
delete  web-10     3d  a newer one stays
keep    web-9      3d  it is in use by scale set web-set
keep    web-8      3d  Goldmint did not make it: no tag goldmint-build-id
keep    web-api-3  3d  what follows "web-" is not a number or date
keep    web-old    3d  what follows "web-" is not a number or date
1 go, 6 stay: nothing is deleted without --yes
`
	if diff := cmp.Diff(want, out); diff != "" {
		t.Error(diff)
	}
	showsInDocs(t, "prune-images", "goldmint prune -g rg-images --name-prefix web- --keep 1 --check-use", out)
	// Azure deletes what a scale set uses; the page says so.
	if out := prune("--yes"); !strings.Contains(out, "deleted  web-9\ndeleted  web-10\ndeleted  web-11\n3 deleted,") {
		t.Errorf("without --check-use:\n%s", out)
	}
	if g.Images() != 5 {
		t.Errorf("%d images are left", g.Images())
	}
}

func TestImages(t *testing.T) {
	g := imaged(t)
	g.AddScaleSet(computePath+"virtualMachineScaleSets/web-set", "westeurope", computePath+"images/web-9")
	out, errOut, status := g.command(t.Context(), "images", "-g", "rg-images", "--name-prefix", "web-", "--check-use")
	lines := strings.Split(out, "\n")
	if status != exitOK || len(lines) != 9 || lines[0] != "NAME       STATE      BUILD      AGE  SOURCE   REGIONS     GB  USED BY" {
		t.Fatalf("status %d %s\n%s", status, errOut, out)
	}
	if lines[1] != "web-12     Succeeded  web-12     5m   builder  westeurope  94  -" || lines[4] != "web-9      Succeeded  web-9      8m   builder  westeurope  94  scale set web-set" {
		t.Errorf("%s", out)
	}
	out, errOut, status = g.command(t.Context(), "images", "-g", "rg-images", "--output", "json")
	var row recordJSON
	if err := json.Unmarshal([]byte(out[:strings.IndexByte(out, '\n')]), &row); err != nil || status != exitOK || strings.Count(out, "\n") != 8 {
		t.Fatalf("%v, status %d %s\n%s", err, status, errOut, out)
	}
	if row.SizeGB != 94 || row.State != "Succeeded" || !strings.HasSuffix(row.Source, "/virtualMachines/builder") || row.UsedBy != nil || !strings.HasSuffix(fmt.Sprint(row.ID), "/images/"+row.Name) {
		t.Errorf("%+v", row)
	}
}
