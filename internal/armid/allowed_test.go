package armid

import "testing"

func TestAllowed(t *testing.T) {
	for _, test := range []struct {
		list []string
		name string
		want bool
	}{
		{nil, "anything", true},
		{[]string{"kitchens", "images"}, "Kitchens", true},
		{[]string{"Größe"}, "GRÖßE", true},
		{[]string{"kitchens"}, "\u212aitchens", false}, // the Kelvin sign
		{[]string{"kitchens"}, "kitchen\u017f", false}, // the long s
		{[]string{"kitchens"}, "kitchen", false},
		{[]string{""}, "kitchens", false},
	} {
		if got := Allowed(test.list, test.name); got != test.want {
			t.Errorf("Allowed(%q, %q) = %v", test.list, test.name, got)
		}
	}
}
