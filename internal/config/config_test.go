package config

import (
	"slices"
	"strings"
	"testing"
	"time"

	"goldmint/internal/build"
)

func TestLoad(t *testing.T) {
	const client = "33333333-3333-3333-3333-333333333333"
	good := []string{
		"FUNCTIONS_CUSTOMHANDLER_PORT=4321", "ServiceBusConnection__fullyQualifiedNamespace=x.servicebus.windows.net",
		"ServiceBusConnection__credential=managedidentity", "ServiceBusConnection__clientId=" + client, "MAX_WAIT=PT36H",
		"ALLOWED_RESOURCE_GROUPS=a,b", "VM_EVENTS=all", "VM_ZONE_RESILIENT=true", "VM_COPY_TAGS=team,cost-center", "VM_RESOURCE_GROUP=images", "VM_GALLERY_IMAGE=corp/web-1",
	}
	c, err := Load(good)
	if err != nil {
		t.Fatal(err)
	}
	if c.Port != 4321 || c.ServiceBus.Namespace != "x.servicebus.windows.net" || c.ServiceBus.ClientID != client ||
		c.MaxWait != 36*time.Hour || c.InvocationTimeout != time.Minute || len(c.AllowedResourceGroups) != 2 ||
		len(c.LookAt) != 8 || c.LookAt[0] != 5400*time.Millisecond || c.Requests != "image-requests" || c.Builds != "image-builds" {
		t.Errorf("read %+v", c)
	}
	if p, d := c.Policy(), build.DefaultPolicy(); !slices.Equal(p.Images.At, d.Images.At) || p.MaxWait != 36*time.Hour || p.HandOver != time.Minute {
		t.Errorf("policy %+v", p)
	}
	if p := c.VMPolicy(); p.Mode != "all" || !p.ZoneResilient || len(p.CopyTags) != 2 || p.ResourceGroup != "images" || p.GalleryImage != "corp/web-1" || len(p.AllowedGroups) != 2 || p.MaxWait != 36*time.Hour {
		t.Errorf("policy of VM events %+v", p)
	}
}

// TestLoadTellsAllProblemsAtOnce: one start, one error, every problem in it, and no secret.
func TestLoadTellsAllProblemsAtOnce(t *testing.T) {
	_, err := Load([]string{
		"ServiceBusConnection=SharedAccessKey=c2VjcmV0", "ServiceBusConnection__fullyQualifiedNamespace=sb://x",
		"MAX_WAIT=24h", "INVOCATION_TIMEOUT=PT10M", "AZURE_SUBSCRIPTION_ID=mine", "ARM_ENDPOINT=http://10.0.0.1", "LOG_LEVEL=loud",
		"MAX_CONCURRENT=0", "ServiceBusConnection__credential=sas", "VM_EVENTS=some", "VM_RESOURCE_GROUP=../x",
	})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		"FUNCTIONS_CUSTOMHANDLER_PORT is missing", "both set", "not a connection string", "without sb://", `MAX_WAIT cannot be read: "24h"`,
		"INVOCATION_TIMEOUT is PT10M", "AZURE_SUBSCRIPTION_ID", "must be https", "LOG_LEVEL", "MAX_CONCURRENT", "only managedidentity", "VM_EVENTS is", "VM_RESOURCE_GROUP",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q:\n%v", want, err)
		}
	}
	if n := strings.Count(err.Error(), "MAX_WAIT"); n != 1 {
		t.Errorf("the error names MAX_WAIT %d times, want once:\n%v", n, err)
	}
	if strings.Contains(err.Error(), "c2VjcmV0") {
		t.Errorf("the error contains the secret:\n%v", err)
	}
}

func TestListsMayHoldSpaces(t *testing.T) {
	c, err := Load(append(enough(), "ALLOWED_RESOURCE_GROUPS=images, golden(eu) ,", "ALLOWED_SUBSCRIPTIONS= 11111111-1111-1111-1111-111111111111", "VM_COPY_TAGS=team, cost"))
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Join(c.AllowedResourceGroups, "|") + " " + strings.Join(c.AllowedSubscriptions, "|") + " " + strings.Join(c.VMCopyTags, "|")
	if got != "images|golden(eu) 11111111-1111-1111-1111-111111111111 team|cost" {
		t.Errorf("read %q", got)
	}
}

// enough is the required settings.
func enough() []string {
	return []string{"FUNCTIONS_CUSTOMHANDLER_PORT=4321", "ServiceBusConnection__fullyQualifiedNamespace=x.servicebus.windows.net"}
}

// TestBounds: with each of these the handler would start and then do harm.
func TestBounds(t *testing.T) {
	if c, err := Load(append(enough(), "ALLOWED_RESOURCE_GROUPS=", "ARM_AUDIENCE=")); err != nil || len(c.AllowedResourceGroups) > 0 {
		t.Fatalf("allowed %q, %v", c.AllowedResourceGroups, err)
	}
	for _, setting := range []string{
		"FUNCTIONS_CUSTOMHANDLER_PORT=0", "FUNCTIONS_CUSTOMHANDLER_PORT=65536",
		"LOOK_SHARE=NaN", "LOOK_SHARE=-0.1", "LOOK_SHARE=Inf",
		"LOOK_MIN=PT0S", "LOOK_MIN=PT1M", "LOOK_MAX=PT1S", "LOOK_AT=PT5S,PT5S", "LOOK_AT=PT0.01S", "LOOK_AT=soon",
		"MAX_WAIT=PT1S", "MAX_WAIT=P6D", "INVOCATION_TIMEOUT=PT1S", "INVOCATION_TIMEOUT=PT4M1S",
		"BUILD_ATTEMPTS=0", "BUILD_ATTEMPTS=11", "POISON_DELIVERY=1", "POISON_DELIVERY=51",
		"VM_GALLERY_IMAGE=corp", "VM_GALLERY_IMAGE=co-rp/web", "VM_GALLERY_IMAGE=corp/web/1.0.0", "VM_GALLERY_IMAGE=corp/../x", "ALLOWED_RESOURCE_GROUPS=a/b", "ALLOWED_RESOURCE_GROUPS=,", "ALLOWED_SUBSCRIPTIONS=mine", "ALLOWED_SUBSCRIPTIONS= , ",
		"EVENT_SOURCE=two words", "EVENT_SOURCE=http://[", "ARM_AUDIENCE=management", "BUILD_QUEUE=a b", "REQUEST_QUEUE=Image-Builds", "EVENT_TOPIC=/x",
		"ARM_ENDPOINT=https://management.azure.com/x", "ARM_ENDPOINT=http://localhost:1",
	} {
		name, _, _ := strings.Cut(setting, "=")
		if _, err := Load(append(enough(), setting)); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", setting, err)
		}
	}
}

// TestAttempts: a version's attempts may take hours each, so there are fewer of them, unless the
// setting says how many.
func TestAttempts(t *testing.T) {
	for setting, want := range map[string][2]int{"": {3, 2}, "BUILD_ATTEMPTS=": {3, 2}, "BUILD_ATTEMPTS=5": {5, 5}, "BUILD_ATTEMPTS=1": {1, 1}} {
		environ := enough()
		if setting != "" {
			environ = append(environ, setting)
		}
		c, err := Load(environ)
		if err != nil {
			t.Fatal(err)
		}
		if p := c.Policy(); p.Attempts != want[0] || p.VersionAttempts != want[1] {
			t.Errorf("%q: %d attempts of an image, %d of a version, want %v", setting, p.Attempts, p.VersionAttempts, want)
		}
	}
}
