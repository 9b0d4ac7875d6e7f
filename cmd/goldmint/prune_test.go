package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/google/go-cmp/cmp"

	"goldmint/emulator/arm"
	"goldmint/internal/localazure"
)

const decided = `keep    1.0.12  3m   its state is Creating
keep    1.0.11  2d   it is the latest in westeurope (by the region's own flag)
keep    1.0.10  5d   it is the latest in westeurope
keep    1.0.4   10d  it is among the newest 2
keep    1.0.3   15d  it has the tag goldmint-keep
delete  1.0.2   20d  2 newer ones stay
keep    1.0.1   30d  Goldmint did not make it: no tag goldmint-build-id
delete  1.0.0   40d  2 newer ones stay
`

const (
	allOfThem = "1.0.0 1.0.1 1.0.2 1.0.3 1.0.4 1.0.10 1.0.11 1.0.12"
	theKept   = "1.0.1 1.0.3 1.0.4 1.0.10 1.0.11 1.0.12"
)

func TestPruneDeletesNothingUnasked(t *testing.T) {
	g := filled(t, quickly)
	out, errOut, status := g.pruned(t.Context(), "--keep", "2")
	want := decided + "2 go, 6 stay: nothing is deleted without --yes\n"
	if diff := cmp.Diff(want, out); diff != "" || status != exitOK || errOut != "" {
		t.Errorf("status %d %s\n%s", status, errOut, diff)
	}
	showsInDocs(t, "prune-dry-run", "goldmint prune -g rg-images --gallery corp --image web --keep 2", out)
	if calls := g.counts(); g.left() != allOfThem || calls["LIST"] != 1 || len(calls) != 1 {
		t.Errorf("left %s, calls %v", g.left(), calls)
	}
}

func TestPruneDeletesAndSaysWhat(t *testing.T) {
	g := filled(t, quickly)
	out, errOut, status := g.pruned(t.Context(), "--keep", "2", "--yes")
	want := decided + "deleted  1.0.0\ndeleted  1.0.2\n2 deleted, 0 left after all, 0 not deleted, 6 stay\n"
	if diff := cmp.Diff(want, out); diff != "" || status != exitOK {
		t.Errorf("status %d %s\n%s", status, errOut, diff)
	}
	showsInDocs(t, "prune-run", "goldmint prune -g rg-images --gallery corp --image web --keep 2 --yes", out)
	if got := g.left(); got != theKept {
		t.Errorf("left: %s", got)
	}
}

// TestPruneCalls: what it asks of Azure is the pages of the list, and a read and a DELETE for each
// version that goes.
func TestPruneCalls(t *testing.T) {
	signIn(t)
	g := newGallery(t, quickly)
	const many, keep = 250, 110
	for n := range many {
		g.put(fmt.Sprintf("1.0.%d", n))
	}
	g.FastForward(2 * day)
	out, errOut, status := g.pruned(t.Context(), "--keep", fmt.Sprint(keep), "--yes", "--wait", "0s")
	if want := fmt.Sprintf("\n0 deleted, %d being deleted, 0 left after all, 0 not deleted, %d stay\n", many-keep, keep); status != exitOK || !strings.HasSuffix(out, want) {
		t.Fatalf("status %d %s\n%s", status, errOut, out)
	}
	want := map[string]int{"LIST": 3, http.MethodGet: many - keep, http.MethodDelete: many - keep}
	if diff := cmp.Diff(want, g.counts()); diff != "" {
		t.Error(diff)
	}
}

// TestPruneOfAFullGallery: 10,000 versions are a hundred pages.
func TestPruneOfAFullGallery(t *testing.T) {
	signIn(t)
	g := newGallery(t, quickly)
	const full = 10_000
	for n := range full {
		g.put(fmt.Sprintf("1.%d.%d", n/100, n%100))
	}
	g.FastForward(2 * day)
	out, errOut, status := g.pruned(t.Context(), "--keep", "5")
	if status != exitOK || !strings.HasSuffix(out, "\n9995 go, 5 stay: nothing is deleted without --yes\n") || !strings.HasPrefix(out, "keep    1.99.99 ") {
		t.Errorf("status %d %s\n%.300s", status, errOut, out)
	}
	if diff := cmp.Diff(map[string]int{"LIST": 100}, g.counts()); diff != "" {
		t.Error(diff)
	}
}

func TestPruneSaysWhatItCouldNotDelete(t *testing.T) {
	const read, remove = "Microsoft.Compute/galleries/images/versions/read", "Microsoft.Compute/galleries/images/versions/delete"
	for _, tt := range []struct {
		name          string
		role          []string
		args          string
		want, wantErr string
		status        int
	}{
		{"without the right to delete", []string{read}, "--image web", "failed   1.0.0  Azure answered 403 AuthorizationFailed\nnot tried  1.0.2  the one before was refused for want of rights\n0 deleted, 0 left after all, 2 not deleted", "2 of 2 that should go did not", exitFailed},
		{"without the right to list", []string{remove}, "--image web", "", "hint: docs/retention.md", exitUnreachable},
		{"without the right to see who uses it", []string{read, remove}, "--image web --check-use", "", "list the VMs: Azure answered 403", exitUnreachable},
		{"a gallery that is not there", nil, "--gallery other --image web", "", "hint: check --subscription", exitUsage},
		{"a definition that is not there", nil, "--image other", "", "list the versions of corp/other: Azure answered 404 ParentResourceNotFound\nhint: check", exitUsage},
		{"an empty definition", nil, "--image empty", "0 go, 0 stay\n", "", exitOK},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := quickly
			o.Role = tt.role
			g := filled(t, o)
			g.AddDefinition(arm.Definition{ID: computePath + "galleries/corp/images/empty", Location: "westeurope"})
			args := append([]string{"prune", "-g", "rg-images", "--gallery", "corp", "--keep", "2", "--yes"}, strings.Fields(tt.args)...)
			out, errOut, status := g.command(t.Context(), args...)
			if status != tt.status || !strings.Contains(out, tt.want) || !strings.Contains(errOut, tt.wantErr) {
				t.Errorf("status %d %s\n%s", status, errOut, out)
			}
			if tt.status != exitOK && g.left() != allOfThem {
				t.Errorf("left: %s", g.left())
			}
		})
	}
}

// TestExplain: what an error of Resource Manager's means to a person.
func TestExplain(t *testing.T) {
	m := manager{endpoint: "https://management.example"}
	for _, tt := range []struct {
		err    error
		status int
		want   string
	}{
		{fmt.Errorf("list: %w", &net.OpError{Op: "dial", Err: errors.New("connection refused")}), exitUnreachable, "cannot reach https://management.example"},
		{fmt.Errorf("list: %w", context.Canceled), exitTimeout, "interrupted"},
		{fmt.Errorf("list the VMs: %w", &azcore.ResponseError{StatusCode: http.StatusBadGateway}), exitUnreachable, "list the VMs: Azure answered 502"},
		{errors.New("no credential"), exitUnreachable, "no credential"},
	} {
		var got *exitError
		if !errors.As(m.explain(tt.err), &got) || got.status != tt.status || got.Error() != tt.want {
			t.Errorf("%v: %v", tt.err, got)
		}
	}
}

func TestPruneForPrograms(t *testing.T) {
	g := filled(t, quickly)
	for _, run := range []struct{ yes, result string }{{"--yes=false", ""}, {"--yes", "deleted"}} {
		out, errOut, status := g.pruned(t.Context(), "--keep", "2", run.yes, "--output", "json")
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
			if i.ID != galleryPath+"/"+i.Name || i.Detail == "" {
				t.Errorf("%+v", i)
			}
		}
		want := map[string]string{
			"1.0.0": "delete Old " + run.result, "1.0.1": "keep Foreign ", "1.0.2": "delete Old " + run.result, "1.0.3": "keep KeepTag ", "1.0.4": "keep Newest ",
			"1.0.10": "keep Latest ", "1.0.11": "keep Latest ", "1.0.12": "keep UnderWay ",
		}
		if diff := cmp.Diff(want, said); diff != "" || got.DryRun != (run.result == "") {
			t.Errorf("dry run: %t\n%s", got.DryRun, diff)
		}
	}
}

// TestPruneKeepsWhatIsInUse: a VM names the version, a scale set the definition whose latest it
// was.
func TestPruneKeepsWhatIsInUse(t *testing.T) {
	signIn(t)
	g := newGallery(t, quickly)
	g.fill(func(name string) {
		if name == "1.0.2" {
			g.AddScaleSet(computePath+"virtualMachineScaleSets/web-set", "westeurope", definition)
		}
	})
	g.AddVM(computePath+"virtualMachines/web-vm", "westeurope", func(vm *arm.VM) { vm.ImageID = strings.ToUpper(firstVersion) })
	out, errOut, status := g.pruned(t.Context(), "--keep", "2", "--check-use", "--yes")
	for _, want := range []string{"1.0.0   40d  it is in use by VM web-vm\n", "1.0.2   20d  it is in use by scale set web-set\n", "0 go, 8 stay\n"} {
		if status != exitOK || !strings.Contains(out, want) {
			t.Errorf("status %d %s, %q is not said:\n%s", status, errOut, want, out)
		}
	}
}

// TestPruneByEndOfLife: --expired takes only what is past it, and what is blocked until then stays
// without it, too.
func TestPruneByEndOfLife(t *testing.T) {
	signIn(t)
	g := newGallery(t, quickly)
	ends := func(after time.Duration, blocked bool) func(*arm.Version) {
		return func(v *arm.Version) { v.EndOfLife, v.BlockDeletion = g.Now().Add(after), blocked }
	}
	g.put("1.0.0", ends(day, true))
	g.put("1.0.1", ends(90*day, true))
	g.put("1.0.2", ends(90*day, false))
	g.put("1.0.3")
	g.put("1.0.4")
	g.FastForward(30*day + time.Minute)
	blocked := "1.0.1  30d  it may not be deleted before " + g.Now().Add(60*day).Format("2006-01-02")
	for _, tt := range []struct {
		args, left string
		want       []string
	}{
		{"--expired", "1.0.0 1.0.1 1.0.2 1.0.3 1.0.4", []string{"delete  1.0.0", "keep    1.0.1  30d  its end of life has not come\n", "keep    1.0.2", "keep    1.0.3", "1 go, 4 stay"}},
		{"--yes", "1.0.1 1.0.4", []string{"delete  1.0.0", blocked, "delete  1.0.2", "delete  1.0.3", "3 deleted, 0 left"}},
	} {
		out, errOut, status := g.pruned(t.Context(), "--keep", "1", tt.args)
		for _, want := range tt.want {
			if status != exitOK || !strings.Contains(out, want) {
				t.Errorf("%s: status %d %s, %q is not said:\n%s", tt.args, status, errOut, want, out)
			}
		}
		if got := g.left(); got != tt.left {
			t.Errorf("%s leaves %s", tt.args, got)
		}
	}
}

func TestPruneUsage(t *testing.T) {
	for _, tt := range []struct{ args, want string }{
		{"--gallery corp --image web", "--keep is missing"},
		{"--gallery corp --image web --keep 0", "at least 1"},
		{"--gallery corp --image web --keep -1", "at least 1"},
		{"--keep 1", "give either --gallery and --image, or --name-prefix"},
		{"--gallery corp --image web --name-prefix web- --keep 1", "give either --gallery and --image, or --name-prefix"},
		{"--gallery corp --keep 1", "go together"},
		{"--gallery ../x --image web --keep 1", "--gallery is"},
		{"--gallery x --image a/b --keep 1", "--image is"},
		{"--name-prefix web- --expired --keep 1", "no end of life"},
		{"--name-prefix web- --keep 1 --older-than soon", "such as 30d"},
		{"--name-prefix web- --keep 1 --older-than -1h", "such as 30d"},
	} {
		var out, errOut bytes.Buffer
		args := append([]string{"prune", "--subscription", localazure.SubscriptionID, "-g", "rg"}, strings.Fields(tt.args)...)
		if status := execute(t.Context(), args, strings.NewReader(""), &out, &errOut); status != exitUsage || !strings.Contains(errOut.String(), tt.want) {
			t.Errorf("%s: status %d\n%s", tt.args, status, errOut.String())
		}
	}
}
