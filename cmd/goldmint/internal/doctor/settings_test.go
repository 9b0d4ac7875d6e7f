package doctor_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"goldmint/cmd/goldmint/internal/doctor"
	"goldmint/internal/config"
)

func TestParseSettings(t *testing.T) {
	want := map[string]string{"A": "1", "B": ""}
	for name, text := range map[string]string{
		"Core Tools": `{"IsEncrypted": false, "Values": {"A": "1", "B": ""}}`,
		"az":         `[{"name": "A", "slotSetting": false, "value": "1"}, {"name": "B", "value": null}]`,
	} {
		got, err := doctor.ParseSettings([]byte(text))
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v %s", name, err, diff)
		}
	}
	for _, text := range []string{"", "{}", "[]", `{"A": "1"}`, `[{"key": "A"}]`, "A=1"} {
		if got, err := doctor.ParseSettings([]byte(text)); err == nil {
			t.Errorf("%q was read as %v", text, got)
		}
	}
}

func TestReadSettings(t *testing.T) {
	c, f := doctor.ReadSettings(map[string]string{"ServiceBusConnection__fullyQualifiedNamespace": "sb.example.net"})
	if f.Result != doctor.OK || c.Builds != "image-builds" {
		t.Errorf("%+v %+v", f, c)
	}
	if _, f = doctor.ReadSettings(map[string]string{"MAX_WAIT": "soon"}); f.Result != doctor.Failed || !strings.Contains(f.Detail, "ServiceBusConnection is missing") || f.Hint == "" {
		t.Errorf("%+v", f)
	}
}

func TestGroups(t *testing.T) {
	for name, tt := range map[string]struct {
		c    config.Config
		want []string
	}{
		"one subscription":      {config.Config{AllowedSubscriptions: []string{"s"}, AllowedResourceGroups: []string{"b", "a"}}, []string{"/subscriptions/s/resourceGroups/a", "/subscriptions/s/resourceGroups/b"}},
		"the default one":       {config.Config{SubscriptionID: "d", AllowedResourceGroups: []string{"a"}}, []string{"/subscriptions/d/resourceGroups/a"}},
		"several: who knows":    {config.Config{AllowedSubscriptions: []string{"s", "t"}, AllowedResourceGroups: []string{"a"}}, nil},
		"all groups: who knows": {config.Config{SubscriptionID: "d"}, nil},
	} {
		if diff := cmp.Diff(tt.want, doctor.Groups(tt.c)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
