package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"

	"goldmint/cmd/goldmint/internal/doctor"
	"goldmint/emulator/arm"
	"goldmint/emulator/identity"
	"goldmint/emulator/servicebus"
	"goldmint/internal/docblock"
	"goldmint/internal/localazure"
)

// deployment is what the doctor visits, and the means to break it.
type deployment struct {
	t        *testing.T
	settings map[string]string
	bus      *servicebus.Server
	manager  arm.Options
	azure    map[string]string // what the stub answers, by path
}

// change replaces a text in one of the stub's answers.
func (d *deployment) change(path, from, to string) {
	d.t.Helper()
	changed := strings.Replace(d.azure[path], from, to, 1)
	if changed == d.azure[path] {
		d.t.Fatalf("the answer to %s has no %q", path, from)
	}
	d.azure[path] = changed
}

// deployments are healthy deployments and broken ones. What the doctor says of each is in
// docs/doctor.md, word for word.
var deployments = []struct {
	name   string // the marker before the text
	status int
	app    bool // what Azure holds of the deployment is looked at too
	change func(*deployment)
}{
	{"healthy", exitOK, true, func(*deployment) {}},
	{"a setting that cannot be used", exitUsage, false, func(d *deployment) {
		d.settings["MAX_WAIT"] = "24h"
		d.settings["VM_EVENTS"] = "some"
	}},
	{"a key that is not current", exitFailed, false, func(d *deployment) {
		d.settings["ServiceBusConnection"] = strings.Replace(d.bus.ConnectionString(), "SharedAccessKey=", "SharedAccessKey=OLD", 1)
	}},
	{"a queue of another name", exitFailed, false, func(d *deployment) { d.settings["BUILD_QUEUE"] = "builds" }},
	{"no Service Bus", exitUnreachable, false, func(d *deployment) { _ = d.bus.Close() }},
	{"a role with too little in it", exitFailed, false, func(d *deployment) {
		d.manager.Role = []string{"*/read", "Microsoft.Compute/images/write"}
	}},
	{"an identity that is not assigned", exitFailed, false, func(d *deployment) {
		d.settings["AZURE_CLIENT_ID"] = "00000000-0000-0000-0000-00000000dead"
	}},
	{"a function is not listed", exitFailed, true, func(d *deployment) {
		d.change(docApp+"/functions", `, {"name": "func-goldmint-dev/build-image"}`, "")
	}},
	{"an empty AzureWebJobsStorage", exitFailed, true, func(d *deployment) { d.settings["AzureWebJobsStorage"] = "" }},
	{"no Data Owner on the builds", exitFailed, true, func(d *deployment) {
		d.change(docAssignments, "090c5cfd-751d-490a-894a-3ce6f1109419", "69a216fc-b8fb-44d8-bc22-1f3c2cd27a39")
	}},
	{"the role on another resource group", exitFailed, true, func(d *deployment) {
		d.change(docAssignments, docImages+`"`, docImages+`-old"`)
	}},
	{"no role on the gallery", exitFailed, true, func(d *deployment) { d.change(docAssignments, docGallery, docGallery+"2") }},
	{"no image definition", exitFailed, true, func(d *deployment) { d.change(docGallery+"/images", `, {"name": "web"}`, "") }},
	{"no gallery", exitFailed, true, func(d *deployment) { d.azure[docGallery] = missing }},
	{"a gallery that the settings alone name", exitOK, true, func(d *deployment) { d.settings["VM_GALLERY_IMAGE"] = "golden/web" }},
	{"dead letters", exitFailed, true, func(d *deployment) {
		d.change(docBus+"/queues/image-requests", `"deadLetterMessageCount": 0`, `"deadLetterMessageCount": 2`)
	}},
	{"a queue that is disabled", exitFailed, true, func(d *deployment) { d.change(docBus+"/queues/image-builds", "Active", "Disabled") }},
	{"no container for the rate limits", exitFailed, true, func(d *deployment) {
		d.azure[docStorage+"/blobServices/default/containers/ratelimit"] = missing
	}},
	{"no event subscription", exitFailed, true, func(d *deployment) { d.change(docTopic+"/eventSubscriptions", "image-requests", "image-builds") }},
	{"VM events that were not delivered", exitFailed, true, func(d *deployment) { d.change(docMetrics, `"total": 0`, `"total": 4`) }},
	{"a provider that is not registered", exitFailed, true, func(d *deployment) {
		d.change(docSubscription+"/providers/Microsoft.App", "Registered", "NotRegistered")
	}},
	{"an identity that may see less than Reader", exitOK, true, func(d *deployment) {
		d.azure[docAssignments], d.azure[docMetrics], d.azure[docGallery] = forbidden, forbidden, forbidden
		delete(d.settings, "AzureWebJobsStorage__accountName")
		d.azure[docGroup+"/providers/Microsoft.Storage/storageAccounts"] = forbidden
	}},
}

func TestDoctor(t *testing.T) {
	// One for all, with an identity that no other run of the test has: the SDK keeps a process's
	// tokens for an identity, from any issuer.
	examined := uuid.NewString()
	msi := identity.Start(t, identity.Options{ClientIDs: []string{examined}})
	for _, p := range deployments {
		t.Run(p.name, func(t *testing.T) {
			got, status := visit(t, msi, examined, "text", p.app, p.change)
			if status != p.status {
				t.Errorf("exit status %d, want %d", status, p.status)
			}
			if p.name != "healthy" {
				got = broken(got)
			}
			docblock.Hold(t, "../../docs/doctor.md", "doctor: "+p.name, "```text\n"+got+"```\n", *update)
		})
		t.Run(p.name+" in JSON", func(t *testing.T) {
			text, status := visit(t, msi, examined, "json", p.app, p.change)
			var got struct {
				Healthy bool
				Checks  []doctor.Finding
			}
			if err := json.Unmarshal([]byte(text), &got); err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
			if got.Healthy != (status == exitOK) || status != p.status || len(got.Checks) == 0 || got.Checks[0].Check != "settings" {
				t.Errorf("exit status %d, %+v", status, got)
			}
			for _, f := range got.Checks {
				if strings.Contains(f.Hint, "\n") || (f.Result == doctor.Failed && f.Hint == "") {
					t.Errorf("the fix of %q is not one line: %q", f.Check, f.Hint)
				}
			}
		})
	}
}

// broken are the findings that are not ok, but for the last word, which is the same for every
// deployment.
func broken(text string) string {
	var kept strings.Builder
	keep := false
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, " ") {
			keep = !strings.HasPrefix(line, "ok ") && !strings.Contains(line, " the rest")
		}
		if keep {
			kept.WriteString(line)
		}
	}
	return kept.String()
}

// visit runs the doctor on a local deployment changed so, as the examined identity, and makes its
// addresses those of a real one.
func visit(t *testing.T, msi *identity.Server, examined, output string, app bool, change func(*deployment)) (text string, status int) {
	t.Helper()
	d := &deployment{t: t, bus: servicebus.Start(t, servicebus.Options{Config: localazure.Entities()}), azure: azureStub()}
	d.settings = map[string]string{
		"ServiceBusConnection": d.bus.ConnectionString(), "AZURE_CLIENT_ID": examined,
		"AZURE_SUBSCRIPTION_ID": localazure.SubscriptionID, "ALLOWED_RESOURCE_GROUPS": "rg-images,rg-galleries", "VM_GALLERY_IMAGE": "corp/web",
		"AzureWebJobsStorage__accountName": "stgoldmintdev",
		"IDENTITY_ENDPOINT":                msi.Endpoint(), "IDENTITY_HEADER": msi.Secret(),
	}
	d.manager = arm.Options{Authorize: func(token string) bool { return msi.Valid(token, "https://management.azure.com") }}
	arguments := []string{"--app", docApp, "--gallery", docGallery, "--gallery-source", docSources}
	if !app {
		arguments, d.settings["ALLOWED_RESOURCE_GROUPS"] = nil, "rg-images"
	}
	change(d)
	d.settings["ARM_ENDPOINT"] = startStub(t, d.azure, arm.Start(t, d.manager).Endpoint(), msi)
	t.Setenv("IDENTITY_ENDPOINT", "")
	t.Setenv("IDENTITY_HEADER", "")
	file := filepath.Join(t.TempDir(), "local.settings.json")
	content, err := json.Marshal(map[string]any{"Values": d.settings})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	root := newRoot()
	root.SetOut(&out)
	root.SetArgs(append([]string{"doctor", "--settings", file, "--output", output}, arguments...))
	status = exitOK
	if err := root.ExecuteContext(t.Context()); err != nil {
		var e *exitError
		if !errors.As(err, &e) {
			t.Fatal(err)
		}
		status = e.status
	}
	return strings.NewReplacer(
		d.bus.Addr(), "sb-goldmint-dev-1a2b3c.servicebus.windows.net", msi.Endpoint(), "http://127.0.0.1:8081/msi/token",
		"/namespaces/127/", "/namespaces/sb-goldmint-dev-1a2b3c/",
	).Replace(out.String()), status
}
