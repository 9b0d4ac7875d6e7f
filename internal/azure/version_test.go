package azure

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"goldmint/emulator/arm"
	"goldmint/internal/armerr"
	"goldmint/internal/build"
	"goldmint/internal/event"
	"goldmint/internal/request"
)

const versionID = "/subscriptions/" + subscription + "/resourceGroups/rg/providers/Microsoft.Compute/galleries/corp/images/web/versions/1.0.0"

func newVersion(t *testing.T) build.Build {
	t.Helper()
	r, err := request.Decode([]byte(`{"id":"b","subscriptionId":"` + subscription + `","resourceGroup":"rg","galleryName":"corp","galleryImageName":"web","name":"1.0.0",
		"galleryImageVersion":{"location":"westeurope","properties":{"storageProfile":{"source":{"virtualMachineId":"` + vm + `"}},
		"publishingProfile":{"targetRegions":[{"name":"westeurope"},{"name":"northeurope"}]}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	return build.New(r, "", time.Now())
}

// gallery answers as Azure was recorded to (Azure/azure-cli,
// test_image_version_create_for_diff_source, 2024): 201 with an operation below capsOperations and
// neither Location nor Retry-After; 202 with both URLs for DELETE.
type gallery struct {
	t *testing.T

	mu    sync.Mutex
	state string // of the version, or ""
	tags  json.RawMessage
	calls []string
}

func (g *gallery) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.calls = append(g.calls, r.Method+" "+r.URL.Path+"?"+r.URL.RawQuery)
	const operation = "/subscriptions/" + subscription + "/providers/Microsoft.Compute/locations/CentralUSEUAP/capsOperations/e68e23d1-bf1a-4d7b-b3af-36a96b5e7b96"
	say := func(status int, body string) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
	version := func() string {
		status := ""
		if r.URL.Query().Get("$expand") == "ReplicationStatus" {
			status = `,"replicationStatus":{"aggregatedState":"Completed","summary":[{"region":"westeurope","state":"Completed","details":"","progress":100},null]}`
		}
		return `{"id":"` + versionID + `","location":"westeurope","tags":` + string(g.tags) + `,"properties":{"provisioningState":"` + g.state +
			`","publishingProfile":{"publishedDate":"2024-08-26T09:35:57.1234567+00:00"}` + status + `}}`
	}
	switch {
	case r.URL.Path == operation:
		say(200, `{"startTime":"2024-08-26T09:35:58.0000000+00:00","status":"`+map[string]string{"Creating": "InProgress"}[g.state]+`","name":"e68e23d1"}`)
	case r.URL.Path == vm:
		say(200, `{"properties":{"vmId":"4f3e9c1a-2b7d-4e0a-9c41-2a6d8e1b7f03"}}`)
	case r.URL.Path != versionID:
		g.t.Errorf("%s %s: not a call for the version", r.Method, r.URL)
		say(404, `{"error":{"code":"NotFound","message":"no"}}`)
	case r.Method == http.MethodPut:
		var body struct{ Tags json.RawMessage }
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			g.t.Error(err)
		}
		g.state, g.tags = "Creating", body.Tags
		w.Header().Set("Azure-AsyncOperation", "http://"+r.Host+operation+"?api-version=2026-03-03&t=638602616953449526&c=x&s=y&h=z")
		say(201, version())
	case r.Method == http.MethodDelete:
		g.state = ""
		w.Header().Set("Azure-AsyncOperation", "http://"+r.Host+operation+"?api-version=2026-03-03")
		w.Header().Set("Location", "http://"+r.Host+operation+"?monitor=true&api-version=2026-03-03")
		say(202, "")
	case g.state == "":
		say(404, `{"error":{"code":"ResourceNotFound","message":"no"}}`)
	default:
		say(200, version())
	}
}

// TestVersion makes and deletes one version with the real client.
func TestVersion(t *testing.T) {
	g := &gallery{t: t}
	s := httptest.NewServer(g)
	defer s.Close()
	a, err := NewARM(s.URL, "https://management.azure.com", token("secret"), nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, b := t.Context(), newVersion(t)
	if b.ImageID() != versionID {
		t.Fatalf("the build makes %s", b.ImageID())
	}
	if i, err := a.Image(ctx, b.ImageID()); err != nil || i.Exists {
		t.Fatalf("before: %+v, %v", i, err)
	}
	accepted, err := a.Create(ctx, b)
	if err != nil || accepted.Token == "" {
		t.Fatalf("create: %+v, %v", accepted, err)
	}
	b.Attempt.Token = accepted.Token
	if op, err := a.Operation(ctx, b); err != nil || op.Status != "InProgress" || op.StartedAt.IsZero() {
		t.Fatalf("operation: %+v, %v", op, err)
	}
	g.state = "Succeeded"
	i, err := a.Image(ctx, b.ImageID())
	if err != nil || i.State != "Succeeded" || i.BuildTag != b.Tag() || i.Replication == nil || len(i.Replication.Summary) != 1 || i.Replication.Summary[0].Progress != 100 || i.CreatedAt.IsZero() {
		t.Fatalf("afterwards: %+v, %v", i, err)
	}
	if err := a.Delete(ctx, b.ImageID()); err != nil {
		t.Fatal(err)
	}
	if last := g.calls[len(g.calls)-1]; !strings.Contains(last, "bypassSoftDelete=true") {
		t.Errorf("%s: a failed version in the recycle bin may keep its number", last)
	}
	if len(g.calls) != 6 {
		t.Errorf("calls %q", g.calls)
	}
	if !strings.Contains(string(g.tags), `"goldmint-source-unique-id":"4f3e9c1a-2b7d-4e0a-9c41-2a6d8e1b7f03"`) {
		t.Errorf("tags %s do not say which VM it was", g.tags)
	}
}

// TestTokenFitsItsTarget: the token of an image resumes no version, nor the other way round, and
// neither reaches the operations of the other.
func TestTokenFitsItsTarget(t *testing.T) {
	g := &gallery{t: t, state: "Creating", tags: json.RawMessage(`{}`)}
	s := httptest.NewServer(g)
	defer s.Close()
	a, err := NewARM(s.URL, "https://management.azure.com", token("secret"), nil)
	if err != nil {
		t.Fatal(err)
	}
	version, image := newVersion(t), newBuild(t)
	resume := func(kind, operations string, b build.Build) string {
		const guid = "e68e23d1-bf1a-4d7b-b3af-36a96b5e7b96"
		return fmt.Sprintf(`{"type":%q,"token":{"asyncURL":"%s/subscriptions/%s/providers/Microsoft.Compute/locations/CentralUSEUAP/%s/%s?api-version=1","locURL":"","origURL":"%s%s","method":"PUT","finalState":"","state":"Creating"}}`,
			kind, s.URL, subscription, operations, guid, s.URL, b.ImageID())
	}
	const ofImage, ofVersion = "ImagesClientCreateOrUpdateResponse", "GalleryImageVersionsClientCreateOrUpdateResponse"
	version.Attempt.Token = resume(ofVersion, "capsOperations", version)
	if op, err := a.Operation(t.Context(), version); err != nil || op.Status != "InProgress" {
		t.Fatalf("a version's own token: %+v, %v", op, err)
	}
	calls := len(g.calls)
	for name, c := range map[string]struct {
		b                build.Build
		kind, operations string
		of               build.Build
	}{
		"a version with an image's type":          {version, ofImage, "capsOperations", version},
		"a version with an image's operations":    {version, ofVersion, "operations", version},
		"a version with an image's URL":           {version, ofVersion, "capsOperations", image},
		"an image with a version's type":          {image, ofVersion, "operations", image},
		"an image with a version's operations":    {image, ofImage, "capsOperations", image},
		"an image with a version's URL":           {image, ofImage, "operations", version},
		"an image with all that a version's has":  {image, ofVersion, "capsOperations", version},
		"a version with all that an image's has":  {version, ofImage, "operations", image},
		"a version with operations of no service": {version, ofVersion, "capsoperations/x/operations", version},
	} {
		c.b.Attempt.Token = resume(c.kind, c.operations, c.of)
		if op, err := a.Operation(t.Context(), c.b); err != nil || op.Status != "" {
			t.Errorf("%s: %+v, %v; want an operation that cannot be seen", name, op, err)
		}
	}
	if len(g.calls) != calls {
		t.Errorf("tokens that do not fit led to %q", g.calls[calls:])
	}
}

// TestVersionErrors: a missing definition is not a missing version, but it may be new.
func TestVersionErrors(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"error":{"code":"ParentResourceNotFound","message":"Parent resource <corp/web> not found"}}`)
	}))
	defer s.Close()
	a, err := NewARM(s.URL, "https://management.azure.com", token("secret"), nil)
	if err != nil {
		t.Fatal(err)
	}
	b := newVersion(t)
	if i, err := a.Image(t.Context(), b.ImageID()); err != nil || i.Exists {
		t.Errorf("look: %+v, %v; want no version", i, err)
	}
	var e *armerr.Error
	if _, err := a.Create(t.Context(), b); !errors.As(err, &e) || e.Class() != armerr.MayHeal {
		t.Errorf("create: %v", err)
	}
}

// TestRegionsCostNothing: a version costs the same executions of the function and the same looks
// however many regions it goes to, and between them no process waits. docs/figures.md has the
// table, which -v prints.
func TestRegionsCostNothing(t *testing.T) {
	all := []string{
		"westeurope", "northeurope", "eastus", "eastus2", "westus2", "westus3", "centralus", "uksouth", "francecentral", "swedencentral",
		"germanywestcentral", "norwayeast", "polandcentral", "italynorth", "spaincentral", "japaneast", "koreacentral", "australiaeast", "eastasia", "southeastasia",
	}
	var first played
	for _, n := range []int{1, 2, 5, 20} {
		var regions []string
		for _, name := range all[:n] {
			regions = append(regions, `{"name":"`+name+`"}`)
		}
		r, err := request.Decode([]byte(`{"id":"b","subscriptionId":"` + subscription + `","resourceGroup":"rg","galleryName":"corp","galleryImageName":"web","name":"1.0.0",
			"galleryImageVersion":{"location":"westeurope","properties":{"storageProfile":{"source":{"virtualMachineId":"` + vm + `"}},
			"publishingProfile":{"targetRegions":[` + strings.Join(regions, ",") + `]}}}}`))
		if err != nil {
			t.Fatal(err)
		}
		s, a := start(t, arm.Options{})
		s.AddDefinition(arm.Definition{ID: definitionID, Location: "westeurope"})
		p := play(t, s, a, build.New(r, "", time.Now()))
		if p.end().Type != event.Succeeded || p.end().Data.ReplicationStatus.Done() != n {
			t.Fatalf("%d regions: %+v", n, p.end().Data)
		}
		progress, calls := len(p.events)-2, len(s.Calls())
		t.Logf("| %d | %.0f s | %d | %d | %d | %d |", n, p.took.Seconds(), p.executions, p.looks, calls, progress)
		if n == 1 {
			first = p
		}
		if p.executions != first.executions || p.looks != first.looks {
			t.Errorf("%d regions: %d executions with %d looks, want %d with %d as for one region", n, p.executions, p.looks, first.executions, first.looks)
		}
		if progress < 1 || progress > n {
			t.Errorf("%d regions: %d events of progress", n, progress)
		}
	}
}
