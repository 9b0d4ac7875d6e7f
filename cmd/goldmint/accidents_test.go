package main

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"goldmint/cmd/goldmint/internal/retention"
	"goldmint/emulator/arm"
)

// build asks Azure for a version as the handler does.
func (g *gallery) build(t *testing.T, name string) (status int, answer string) {
	t.Helper()
	return g.call(t, http.MethodPut, galleryPath+"/"+name, object{
		"location": "westeurope", "tags": object{retention.TagBuildID: "web-" + name},
		"properties": object{"storageProfile": object{"source": object{"virtualMachineId": computePath + "virtualMachines/builder"}}},
	})
}

func withBuilder(t *testing.T, o arm.Options) *gallery {
	t.Helper()
	signIn(t)
	g := newGallery(t, o)
	g.AddVM(computePath+"virtualMachines/builder", "westeurope", func(vm *arm.VM) { vm.HyperVGeneration = "V2" })
	return g
}

// TestAccidentOfTheFullGallery: the versions reached the limit and every build failed; the cleaner
// that was written then deleted every version without its tag. Here prune makes room, and all that
// others made stays.
func TestAccidentOfTheFullGallery(t *testing.T) {
	const full = 60
	o := quickly
	o.MaxVersions = full
	g := withBuilder(t, o)
	for n := range full {
		if n%3 == 0 {
			g.put(fmt.Sprintf("1.0.%d", n), foreign)
		} else {
			g.put(fmt.Sprintf("1.0.%d", n))
		}
	}
	g.FastForward(2 * day)
	if status, answer := g.build(t, "1.1.0"); status != http.StatusConflict || !strings.Contains(answer, "exceeding quota limits") {
		t.Fatalf("the gallery is not full: %d %s", status, answer)
	}
	out, errOut, status := g.pruned(t.Context(), "--keep", "5", "--yes")
	if status != exitOK || !strings.Contains(out, "\n35 deleted, 0 left after all, 0 not deleted, 25 stay\n") {
		t.Errorf("status %d %s\n%s", status, errOut, out)
	}
	for n := 0; n < full; n += 3 {
		if _, ok := g.Version(fmt.Sprintf("%s/1.0.%d", galleryPath, n)); !ok {
			t.Errorf("1.0.%d is gone, which others made", n)
		}
	}
	if status, answer := g.build(t, "1.1.0"); status != http.StatusCreated {
		t.Errorf("there is no room yet: %d %s", status, answer)
	}
}

// TestAccidentOfTheParallelBuild: a cleaner deleted what another build was making. Here builds run
// before, while and after prune lists, one of them under a number below all others, and each ends
// well.
func TestAccidentOfTheParallelBuild(t *testing.T) {
	g := withBuilder(t, arm.Options{})
	for n := range 9 {
		g.put(fmt.Sprintf("1.0.%d", n+1))
	}
	g.FastForward(2 * day)
	begin := func(name string) {
		if status, answer := g.build(t, name); status != http.StatusCreated {
			t.Errorf("%s: %d %s", name, status, answer)
		}
	}
	begin("0.9.0")
	begin("1.1.0")
	var once sync.Once
	g.before = func(method, _ string) http.Handler {
		if method == http.MethodGet {
			once.Do(func() {
				begin("0.9.1")
				g.FastForward(10 * time.Minute) // 0.9.0 and 1.1.0 end
				begin("1.2.0")
			})
		}
		return nil
	}
	out, errOut, status := g.pruned(t.Context(), "--keep", "1", "--older-than", "0s", "--yes", "--wait", "0s")
	if status != exitOK || !strings.Contains(out, "\n0 deleted, 8 being deleted,") {
		t.Errorf("status %d %s\n%s", status, errOut, out)
	}
	g.FastForward(10 * time.Minute)
	for _, name := range []string{"0.9.0", "0.9.1", "1.0.9", "1.1.0", "1.2.0"} {
		if body, ok := g.Version(galleryPath + "/" + name); !ok || !strings.Contains(string(body), `"provisioningState":"Succeeded"`) {
			t.Errorf("%s: %s", name, body)
		}
	}
}
