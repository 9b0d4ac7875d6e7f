package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/creack/pty"
	"github.com/google/go-cmp/cmp"

	"goldmint/cmd/goldmint/internal/retention"
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

// TestPruneCalls: what it asks of Azure is the pages of the list, and a read and a DELETE for each version that goes.
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

// TestPruneLeavesWhatChangedMeanwhile: each is read again just before it is deleted.
func TestPruneLeavesWhatChangedMeanwhile(t *testing.T) {
	for name, tt := range map[string]struct {
		method string // before which it changes
		change func(g *gallery)
		want   string
	}{
		"tags":         {http.MethodGet, func(g *gallery) { g.put("1.0.0", tagged(retention.TagKeep, "")) }, "left     1.0.0  its tags have changed since the list"},
		"state":        {http.MethodGet, func(g *gallery) { g.put("1.0.0", inState("Updating")) }, "left     1.0.0  its state has become Updating"},
		"another":      {http.MethodGet, func(g *gallery) { g.put("1.0.0") }, "left     1.0.0  it was made anew since the list"},
		"gone":         {http.MethodGet, func(g *gallery) { g.remove("1.0.0") }, "deleted  1.0.0  by someone else"},
		"going":        {http.MethodDelete, func(g *gallery) { g.remove("1.0.0") }, "deleted  1.0.0\n"},
		"locked":       {http.MethodDelete, func(g *gallery) { g.Lock(firstVersion, arm.CanNotDelete) }, "left     1.0.0  it is locked"},
		"locked above": {http.MethodDelete, func(g *gallery) { g.Lock(definition, arm.ReadOnly) }, "left     1.0.0  it is locked"},
		"blocked": {http.MethodDelete, func(g *gallery) {
			g.put("1.0.0", func(v *arm.Version) { v.BlockDeletion, v.EndOfLife = true, g.Now().Add(day) })
		}, "left     1.0.0  it may not be deleted before its end of life"},
	} {
		t.Run(name, func(t *testing.T) {
			g := filled(t, quickly)
			var once sync.Once
			g.before = func(method, name string) http.Handler {
				if method == tt.method && name == "1.0.0" {
					once.Do(func() { tt.change(g) })
				}
				return nil
			}
			out, errOut, status := g.pruned(t.Context(), "--keep", "2", "--yes")
			if status != exitOK || !strings.Contains(out, tt.want) {
				t.Errorf("status %d %s, %q is not said:\n%s", status, errOut, tt.want, out)
			}
			if stays := strings.HasPrefix(tt.want, "left"); stays != strings.Contains(g.left(), "1.0.0 ") {
				t.Errorf("left: %s", g.left())
			}
		})
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

func TestPruneInterrupted(t *testing.T) {
	g := filled(t, arm.Options{})
	ctx, stop := context.WithCancel(t.Context())
	g.before = func(method, _ string) http.Handler {
		if method == http.MethodDelete {
			stop()
		}
		return nil
	}
	out, errOut, status := g.pruned(ctx, "--keep", "2", "--yes")
	if status != exitTimeout || g.counts()[http.MethodDelete] != 1 {
		t.Errorf("status %d, calls %v %s", status, g.counts(), errOut)
	}
	for _, want := range []string{
		"not tried  1.0.2  interrupted\n", "deleting  1.0.0  interrupted: Azure has taken its deletion on and continues\n",
		"0 deleted, 1 being deleted, 0 left after all, 1 not deleted, 6 stay\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not said:\n%s", want, out)
		}
	}
	if got := g.left(); got != "1.0.1 1.0.2 1.0.3 1.0.4 1.0.10 1.0.11 1.0.12" {
		t.Errorf("left: %s", got)
	}
}

// TestPruneInterruptedAtTheQuestion: Ctrl-C is an answer, too.
func TestPruneInterruptedAtTheQuestion(t *testing.T) {
	g := filled(t, quickly)
	keyboard, terminal, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = keyboard.Close() }()
	defer func() { _ = terminal.Close() }()
	ctx, stop := context.WithCancel(t.Context())
	var out, errOut bytes.Buffer
	asked := writer(func(text []byte) {
		errOut.Write(text)
		if bytes.Contains(text, []byte("[y/N]")) {
			stop()
		}
	})
	args := append([]string{"prune", "--keep", "2", "--arm-endpoint", g.Endpoint()}, ofDefinition...)
	if status := execute(ctx, args, terminal, &out, asked); status != exitTimeout || errOut.String() != "Delete 2 of them? [y/N] \nerror: interrupted\n" {
		t.Errorf("status %d %s", status, errOut.String())
	}
	if out.String() != decided || g.left() != allOfThem {
		t.Errorf("left %s\n%s", g.left(), out.String())
	}
}

// writer is told of what is written.
type writer func([]byte)

func (w writer) Write(text []byte) (int, error) {
	w(text)
	return len(text), nil
}

// TestPruneStoppedByASignal: the process is interrupted while Azure takes the first deletion on.
func TestPruneStoppedByASignal(t *testing.T) {
	g := filled(t, arm.Options{})
	c := exec.CommandContext(t.Context(), "goldmint", append([]string{"prune", "--arm-endpoint", g.Endpoint(), "--keep", "2", "--yes"}, ofDefinition...)...)
	process := make(chan *os.Process, 1)
	g.mu.Lock()
	g.before = func(method, _ string) http.Handler {
		if method == http.MethodDelete {
			p := <-process
			if err := p.Signal(os.Interrupt); err != nil {
				t.Error(err)
			}
			process <- p
		}
		return nil
	}
	g.mu.Unlock()
	var stdout bytes.Buffer
	c.Stdout = &stdout
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	process <- c.Process
	_ = c.Wait() // its exit status says all
	out := stdout.String()
	if c.ProcessState.ExitCode() != exitTimeout {
		t.Errorf("exit status %d", c.ProcessState.ExitCode())
	}
	for _, name := range []string{"1.0.0", "1.0.2"} { // how many it has begun depends on when the signal arrives
		begun := strings.Contains(out, "deleting  "+name+"  interrupted: Azure has taken its deletion on and continues\n")
		tried := !strings.Contains(out, "not tried  "+name+"  interrupted\n")
		if body, _ := g.Version(galleryPath + "/" + name); begun != tried || begun != bytes.Contains(body, []byte(`"Deleting"`)) {
			t.Errorf("%s is %s, but the command says\n%s", name, body, out)
		}
	}
}

// TestPruneTwiceAtOnce: two prunes delete nothing that one would not, and neither fails.
func TestPruneTwiceAtOnce(t *testing.T) {
	g := filled(t, quickly)
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			if out, errOut, status := g.pruned(t.Context(), "--keep", "2", "--yes"); status != exitOK {
				t.Errorf("status %d %s\n%s", status, errOut, out)
			}
		})
	}
	both.Wait()
	if got := g.left(); got != theKept {
		t.Errorf("left: %s", got)
	}
}

// TestPruneWhileBuildsEnd: what was under way when it listed stays, and so does what came later.
func TestPruneWhileBuildsEnd(t *testing.T) {
	g := filled(t, quickly)
	g.put("1.0.5", inState("Creating")) // a slow build with an old number
	var once sync.Once
	g.before = func(method, _ string) http.Handler {
		if method != "LIST" {
			once.Do(func() {
				g.put("1.0.5")
				g.put("1.0.6")
				g.put("1.0.12")
			})
		}
		return nil
	}
	out, errOut, status := g.pruned(t.Context(), "--keep", "1", "--older-than", "0s", "--yes")
	if status != exitOK || !strings.Contains(out, "keep    1.0.5   0s   its state is Creating\n") {
		t.Errorf("status %d %s\n%s", status, errOut, out)
	}
	for _, name := range []string{"1.0.5", "1.0.6", "1.0.12"} {
		if _, ok := g.Version(galleryPath + "/" + name); !ok {
			t.Errorf("%s is gone:\n%s", name, out)
		}
	}
}

// TestPruneGoesByAzuresClock: this machine's is a month ahead, so that all looks old.
func TestPruneGoesByAzuresClock(t *testing.T) {
	signIn(t)
	g := newGallery(t, quickly)
	g.FastForward(-30 * day)
	for _, name := range []string{"1.0.0", "1.0.1", "1.0.2"} {
		g.put(name)
	}
	g.FastForward(190 * time.Second)
	out, errOut, status := g.pruned(t.Context(), "--keep", "1", "--yes")
	if status != exitOK || !strings.Contains(out, "keep  1.0.0  3m  it is not older than 25h\n") || !strings.HasSuffix(out, "0 go, 3 stay\n") {
		t.Errorf("status %d %s\n%s", status, errOut, out)
	}
}

// TestPruneWaitsForTheLimit that other callers have used up, and says so.
func TestPruneWaitsForTheLimit(t *testing.T) {
	g := filled(t, quickly)
	var once sync.Once
	g.before = func(method, _ string) (answer http.Handler) {
		if method == http.MethodDelete {
			once.Do(func() {
				answer = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("Retry-After", "1")
					w.WriteHeader(http.StatusTooManyRequests)
					_, _ = io.WriteString(w, `{"code":"OperationNotAllowed","message":"too many requests"}`)
				})
			})
		}
		return answer
	}
	out, errOut, status := g.pruned(t.Context(), "--keep", "2", "--yes")
	if status != exitOK || errOut != "Azure limits deletions: the next in 1s\n" || !strings.HasSuffix(out, "2 deleted, 0 left after all, 0 not deleted, 6 stay\n") {
		t.Errorf("status %d %s\n%s", status, errOut, out)
	}
}

// TestPruneRecycles: a gallery's soft delete stays in force.
func TestPruneRecycles(t *testing.T) {
	g := filled(t, arm.Options{Speed: 1000}) // seven days are ten minutes
	g.send(t, http.MethodPut, computePath+"galleries/corp", object{"location": "westeurope", "properties": object{"softDeletePolicy": object{"isSoftDeleteEnabled": true}}})
	out, errOut, status := g.pruned(t.Context(), "--keep", "2", "--yes")
	if status != exitOK || !strings.Contains(out, "2 deleted") || errOut != "Azure is deleting 2, which takes it a minute or two; Ctrl-C stops the wait\n" {
		t.Errorf("status %d %s\n%s", status, errOut, out)
	}
	bin := g.send(t, http.MethodGet, computePath+"galleries/corp/softDeletedArtifactTypes/Images/artifacts/web/versions", nil)
	if !strings.Contains(bin, `"name":"1.0.0"`) || !strings.Contains(bin, `"name":"1.0.2"`) {
		t.Errorf("the recycle bin: %s", bin)
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

// TestPruneKeepsWhatIsInUse: a VM names the version, a scale set the definition whose latest it was.
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

// TestPruneByEndOfLife: --expired takes only what is past it, and what is blocked until then stays without it, too.
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
