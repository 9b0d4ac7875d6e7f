package doctor_test

import (
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"goldmint/cmd/goldmint/internal/doctor"
)

// The doctor looks for the actions of the role that the Terraform gives, for each of them and no others.
func TestDoctorKnowsTheRole(t *testing.T) {
	text, err := os.ReadFile("../../../../infra/identity.tf")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile(`(?s)image_actions = \{(.*?)\n  \}`).FindSubmatch(text)
	if block == nil {
		t.Fatal("infra/identity.tf has no local image_actions")
	}
	var role, names []string
	for _, m := range regexp.MustCompile(`"(Microsoft\.[^"]+)"\s*=`).FindAllSubmatch(block[1], -1) {
		role = append(role, string(m[1]))
	}
	for _, a := range doctor.Actions() {
		names = append(names, a.Name)
	}
	slices.Sort(role)
	slices.Sort(names)
	if diff := cmp.Diff(role, names); diff != "" {
		t.Errorf("doctor.Actions (-role +doctor):\n%s", diff)
	}
}
