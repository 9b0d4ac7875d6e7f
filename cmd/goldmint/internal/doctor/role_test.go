package doctor_test

import (
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"goldmint/cmd/goldmint/internal/doctor"
)

// The doctor looks for the actions of the roles that the Terraform assigns, for each of them and no
// others.
func TestDoctorKnowsTheRoles(t *testing.T) {
	var images []string
	for _, a := range doctor.Actions() {
		images = append(images, a.Name)
	}
	for _, role := range []struct {
		file, local string
		actions     []string
	}{
		{"identity.tf", "image_actions", images},
		{"gallery.tf", "gallery_actions", doctor.GalleryActions()},
		{"gallery.tf", "gallery_source_actions", doctor.SourceActions()},
	} {
		compareNames(t, role.local, quoted(t, role.file, `(?ms)`+role.local+` = \{\n(.*?)^  \}`, `(?m)^ +"(Microsoft\.[^"]+)"\s*=`), role.actions)
	}
}

func TestDoctorKnowsTheProviders(t *testing.T) {
	registered := quoted(t, "versions.tf", `(?s)resource_providers_to_register = \[(.*?)\]`, `"(Microsoft\.[^"]+)"`)
	compareNames(t, "providers", registered, append(doctor.Providers(), "Microsoft.Network"))
}

// quoted are the names that a pattern finds in a block of one of infra's files.
func quoted(t *testing.T, file, block, name string) []string {
	t.Helper()
	text, err := os.ReadFile("../../../../infra/" + file)
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(block).FindSubmatch(text)
	if found == nil {
		t.Fatalf("infra/%s has nothing like %s", file, block)
	}
	var names []string
	for _, m := range regexp.MustCompile(name).FindAllSubmatch(found[1], -1) {
		names = append(names, string(m[1]))
	}
	return names
}

func compareNames(t *testing.T, what string, infra, doctors []string) {
	t.Helper()
	if diff := cmp.Diff(slices.Sorted(slices.Values(infra)), slices.Sorted(slices.Values(doctors))); diff != "" {
		t.Errorf("%s (-infra +doctor):\n%s", what, diff)
	}
}
