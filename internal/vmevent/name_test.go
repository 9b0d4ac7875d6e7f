package vmevent

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"goldmint/internal/armid"
)

const vmID = "4F3E9C1A-2B7D-4E0A-9C41-2A6D8E1B7F03"

var frozen = time.Date(2026, 11, 23, 9, 31, 1, 0, time.FixedZone("", 2*3600))

func TestImageName(t *testing.T) {
	long := strings.Repeat("a", 64)
	for _, test := range []struct{ template, vm, want, err string }{
		{"", "build-vm-01", "build-vm-01-4f3e9c1a2b7d", ""},
		{"{vm}_{date}T{time}", "web", "web_20261123T073101", ""},
		{"golden", "web", "golden", ""},
		{"golden/{vm} image!", "web", "golden-web-image", ""},
		{"-.{vm}..{id}-", "web", "web.4f3e9c1a2b7d", ""},
		{"größe {vm}", "web", "gr--e-web", ""},
		{"{vm}-{id}-{date}", long, long[:58] + "-4f3e9c1a2b7d-20261123", ""},
		{"{vm}{vm}-{id}", long, strings.Repeat("a", 66) + "-4f3e9c1a2b7d", ""},
		{"{host}", "web", "", "goldmint-name holds {host}: the placeholders are {date}, {day}, {id}, {month}, {time}, {vm}, {year}"},
		{"{}", "web", "", "goldmint-name holds {}: the placeholders are {date}, {day}, {id}, {month}, {time}, {vm}, {year}"},
		{"---", "web", "", "goldmint-name gives no name for an image: 1 to 80 letters, digits, '_', '.' or '-' are needed"},
		{"{vm", "web", "vm", ""},
		{strings.Repeat("b", 81), "web", "", "goldmint-name gives a name of 81 characters: an image's name has at most 80"},
		{strings.Repeat("b", 80) + "{vm}", "web", "", "goldmint-name gives a name of 81 characters: an image's name has at most 80"},
	} {
		got, err := imageName(test.template, test.vm, vmID, frozen)
		if got != test.want || text(err) != test.err {
			t.Errorf("%q of %q: %q, %v; want %q, %q", test.template, test.vm, got, err, test.want, test.err)
		}
	}
}

func TestVersionName(t *testing.T) {
	newYear := time.Date(2027, 1, 5, 0, 5, 0, 0, time.UTC)
	const none = "which is no version: three numbers up to 2147483647 are needed, as by the template {year}.{month}{day}.{time}"
	for _, test := range []struct {
		template  string
		at        time.Time
		want, err string
	}{
		{"", frozen, "2026.1123.73101", ""},
		{"", newYear, "2027.105.500", ""},
		{"", newYear.Add(-5 * time.Minute), "2027.105.0", ""},
		{"1.{date}.{time}", frozen, "1.20261123.73101", ""},
		{"2.0.1", frozen, "2.0.1", ""},
		{"{vm}.1.0", frozen, "", "goldmint-name holds {vm}: the placeholders are {date}, {day}, {month}, {time}, {year}"},
		{"web-{date}", frozen, "", `goldmint-name gives "web-20261123", ` + none},
		{"1.{date}", frozen, "", `goldmint-name gives "1.20261123", ` + none},
		{"1..{date}", frozen, "", `goldmint-name gives "1..20261123", ` + none},
		{"1.2.{date}{time}", frozen, "", `goldmint-name gives "1.2.20261123073101", ` + none},
		{"1.-2.3", frozen, "", `goldmint-name gives "1.-2.3", ` + none},
		{"1.2.3.4", frozen, "", `goldmint-name gives "1.2.3.4", ` + none},
	} {
		got, err := versionName(test.template, test.at)
		if got != test.want || text(err) != test.err {
			t.Errorf("%q: %q, %v; want %q, %q", test.template, got, err, test.want, test.err)
		}
	}
}

// A template with {id} makes different names for different VMs, even if they and the template are
// long or odd.
func TestImageNameKeepsTheID(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		template := rapid.StringMatching(`[-a-z{}./ é]{0,20}\{vm\}[-a-z./ é]{0,20}\{id\}[-a-z./ ]{0,20}`).Draw(t, "template")
		vm := rapid.StringMatching(`[A-Za-z0-9][A-Za-z0-9_.-]{0,62}[A-Za-z0-9_]`).Draw(t, "vm")
		name, err := imageName(template, vm, vmID, frozen)
		if err != nil {
			return // an unknown placeholder
		}
		if !armid.ValidName(name) || strings.Contains(name, "..") || !strings.Contains(name, "4f3e9c1a2b7d") {
			t.Fatalf("name %q", name)
		}
	})
}
