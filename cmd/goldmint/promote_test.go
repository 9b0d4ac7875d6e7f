package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"goldmint/emulator/arm"
)

const candidate = galleryPath + "/1.0.11"

func (g *gallery) promote(ctx context.Context, args ...string) (string, int) {
	out, errOut, status := g.command(ctx, append([]string{"promote", candidate}, args...)...)
	return out + errOut, status
}

// deployed is what a scale set gets that asks for the latest version.
func (g *gallery) deployed(t *testing.T) string {
	t.Helper()
	answer := g.send(t, http.MethodPut, computePath+"virtualMachineScaleSets/asks", object{
		"location": "westeurope", "properties": object{"virtualMachineProfile": object{"storageProfile": object{"imageReference": object{"id": definition}}}},
	})
	_, version, _ := strings.Cut(answer, `"exactVersion":"`)
	version, _, _ = strings.Cut(version, `"`)
	return version
}

func TestPromote(t *testing.T) {
	g := filled(t, quickly)
	if got := g.deployed(t); got != "1.0.10" {
		t.Errorf("before: %s", got)
	}
	out, status := g.promote(t.Context(), "--only-if-latest-is", galleryPath+"/1.0.4")
	if want := "error: the latest in westeurope is " + galleryPath + "/1.0.10, not " + galleryPath + "/1.0.4\nhint: another pipeline was faster"; status != exitFailed || !strings.HasPrefix(out, want) {
		t.Errorf("status %d\n%s", status, out)
	}
	if g.counts()[http.MethodPut] != 1 {
		t.Error("it was promoted all the same")
	}
	if out, status := g.promote(t.Context(), "--only-if-latest-is", strings.ToUpper(galleryPath)+"/1.0.10"); status != exitOK || out != candidate+"\n" {
		t.Errorf("status %d\n%s", status, out)
	}
	if got := g.deployed(t); got != "1.0.11" {
		t.Errorf("after: %s", got)
	}
	puts := g.counts()[http.MethodPut]
	if out, status := g.promote(t.Context(), "--only-if-latest-is", galleryPath+"/1.0.10"); status != exitOK || out != candidate+"\n" || g.counts()[http.MethodPut] != puts {
		t.Errorf("again: status %d\n%s", status, out)
	}
	if out, _, _ := g.pruned(t.Context(), "--keep", "1"); !strings.Contains(out, "1.0.11  2d   it is the latest in westeurope\n") {
		t.Errorf("prune does not see that it is the latest:\n%s", out)
	}
}

// TestPromoteChangesOneField: what it writes is what it read, without what is read-only and the
// sources, and with one flag turned.
func TestPromoteChangesOneField(t *testing.T) {
	g := filled(t, quickly)
	g.put("1.0.11", func(v *arm.Version) {
		v.ExcludeFromLatest, v.EndOfLife, v.BlockDeletion = true, g.Now().Add(90*day), true
		v.Regions = []arm.VersionRegion{{Name: "westeurope", ExcludeFromLatest: true}, {Name: "northeurope"}}
	})
	var read, written object
	if err := json.Unmarshal([]byte(g.send(t, http.MethodGet, candidate, nil)), &read); err != nil {
		t.Fatal(err)
	}
	var calls []string
	g.seen = func(method, _ string, body []byte) {
		calls = append(calls, method)
		if method == http.MethodPut && json.Unmarshal(body, &written) != nil {
			t.Errorf("not JSON: %s", body)
		}
	}
	if out, status := g.promote(t.Context()); status != exitOK {
		t.Fatalf("status %d\n%s", status, out)
	}
	if got := strings.Join(calls, " "); got != "GET PUT GET" {
		t.Errorf("calls: %s", got)
	}
	for _, name := range []string{"id", "name", "type"} {
		delete(read, name)
	}
	p := at(read, "properties")
	delete(p, "provisioningState")
	delete(p, "validationsProfile")
	delete(at(p, "publishingProfile"), "publishedDate")
	delete(at(p, "safetyProfile"), "reportedForPolicyViolation")
	delete(at(p, "storageProfile"), "source")
	delete(at(at(p, "storageProfile"), "osDiskImage"), "sizeInGB")
	delete(at(at(p, "storageProfile"), "osDiskImage"), "source")
	at(p, "publishingProfile")["excludeFromLatest"] = false
	regions, _ := at(p, "publishingProfile")["targetRegions"].([]any)
	for _, r := range regions {
		r.(object)["excludeFromLatest"] = false
	}
	// The SDK writes times in its own form.
	for _, o := range []object{read, written} {
		end, _ := at(at(o, "properties"), "publishingProfile")["endOfLifeDate"].(string)
		at(at(o, "properties"), "publishingProfile")["endOfLifeDate"] = strings.NewReplacer("+00:00", "Z").Replace(end)
	}
	if diff := cmp.Diff(read, written); diff != "" {
		t.Error(diff)
	}
}

func at(o object, name string) object {
	inner, _ := o[name].(object)
	return inner
}

// TestPromoteMeetsOthers: what others do meanwhile is an error, not a success.
func TestPromoteMeetsOthers(t *testing.T) {
	hidden := func(v *arm.Version) { v.ExcludeFromLatest = true }
	for name, tt := range map[string]struct {
		reads  int // before this GET
		change func(*gallery)
		want   string
	}{
		"a region more": {2, func(g *gallery) {
			g.put("1.0.11", func(v *arm.Version) { v.Regions = []arm.VersionRegion{{Name: "westeurope"}, {Name: "eastus"}} })
		}, "was in westeurope and is in eastus, westeurope: someone else changed its regions"},
		"hidden again": {2, func(g *gallery) { g.put("1.0.11", hidden) }, "is still hidden from latest: someone else"},
		"deleted":      {2, func(g *gallery) { g.remove("1.0.11") }, "was deleted while it was promoted"},
		"not finished": {1, func(g *gallery) { g.put("1.0.11", hidden, inState("Updating")) }, "is Updating: only one that is Succeeded can be promoted"},
		"not there":    {1, func(g *gallery) { g.remove("1.0.11") }, "read version 1.0.11: Azure answered 404"},
		"read-only":    {1, func(g *gallery) { g.Lock(definition, arm.ReadOnly) }, "promote version 1.0.11: Azure answered 409 ScopeLocked"},
	} {
		t.Run(name, func(t *testing.T) {
			g := filled(t, quickly)
			reads := 0
			g.before = func(method, _ string) http.Handler {
				if method == http.MethodGet {
					if reads++; reads == tt.reads {
						tt.change(g)
					}
				}
				return nil
			}
			if out, status := g.promote(t.Context()); status == exitOK || !strings.Contains(out, tt.want) {
				t.Errorf("status %d, %q is not said:\n%s", status, tt.want, out)
			}
		})
	}
}

// TestPromoteTwiceAtOnce: of two pipelines that began with the same latest, one after the other,
// the second is refused.
func TestPromoteTwiceAtOnce(t *testing.T) {
	g := filled(t, quickly)
	g.put("1.0.13", func(v *arm.Version) { v.ExcludeFromLatest = true })
	status := map[string]int{}
	for _, name := range []string{"1.0.13", "1.0.11"} {
		_, _, status[name] = g.command(t.Context(), "promote", galleryPath+"/"+name, "--only-if-latest-is", galleryPath+"/1.0.10")
	}
	if status["1.0.13"] != exitOK || status["1.0.11"] != exitFailed || g.deployed(t) != "1.0.13" {
		t.Errorf("%v, latest is %s", status, g.deployed(t))
	}
}

// TestPromoteInterrupted says that Azure goes on.
func TestPromoteInterrupted(t *testing.T) {
	g := filled(t, arm.Options{})
	ctx, stop := context.WithCancel(t.Context())
	var once sync.Once
	g.before = func(method, _ string) http.Handler {
		if method == http.MethodPut {
			once.Do(stop)
		}
		return nil
	}
	out, status := g.promote(ctx)
	if status != exitTimeout || out != "error: interrupted: Azure has taken the change on and continues\nhint: `goldmint versions` shows when it is done\n" {
		t.Errorf("status %d\n%s", status, out)
	}
	g.FastForward(5 * day)
	if got := g.deployed(t); got != "1.0.11" {
		t.Errorf("the latest is %s", got)
	}
}

func TestPromoteWithoutRights(t *testing.T) {
	g := filled(t, arm.Options{Role: []string{"*/read"}})
	if out, status := g.promote(t.Context()); status != exitUnreachable || !strings.Contains(out, "promote version 1.0.11: Azure answered 403 AuthorizationFailed\nhint: docs/retention.md") {
		t.Errorf("status %d\n%s", status, out)
	}
}

func TestPromoteUsage(t *testing.T) {
	g := &gallery{Server: arm.Start(t, arm.Options{})}
	for args, want := range map[string]string{
		"promote":                             "an argument is missing",
		"promote 1.0.0":                       `"1.0.0" is not the id of an image version`,
		"promote " + galleryPath + "/1.0":     "is not the id of an image version",
		"promote " + galleryPath + "/../../x": "is not the id of an image version",
		"promote " + candidate + " --only-if-latest-is 1.0.0": "give the id of an image version",
	} {
		if out, errOut, status := g.command(t.Context(), strings.Fields(args)...); status != exitUsage || !strings.Contains(errOut, want) {
			t.Errorf("%s: status %d\n%s%s", args, status, out, errOut)
		}
	}
}

// bodyOf reads a request's body and leaves it to be read again.
func bodyOf(r *http.Request) []byte {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil
	}
	r.Body = io.NopCloser(strings.NewReader(string(body)))
	return body
}
