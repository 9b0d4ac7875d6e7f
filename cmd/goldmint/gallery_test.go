package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"goldmint/cmd/goldmint/internal/retention"
	"goldmint/emulator/identity"
	"goldmint/internal/localazure"
)

// object is a JSON object.
type object = map[string]any

const galleryPath = "/subscriptions/" + localazure.SubscriptionID + "/resourceGroups/rg-images/providers/Microsoft.Compute/galleries/corp/images/web/versions"

// gallery stands in for a gallery of Azure's: pages with a nextLink, deletions that are taken on and end later, locks.
type gallery struct {
	url      string
	group    string                                  // of the gallery
	lingers  int                                     // so many lists show a version after its DELETE
	refuse   func(method, name string) (int, string) // status and code, or 0
	before   func(method, name string)               // a call is answered
	users    map[string]object                       // by kind: a VM and a scale set
	mu       sync.Mutex
	versions map[string]object
	locked   map[string]bool
	dying    map[string]int
	calls    map[string]int
}

const pageSize = 100

// newGallery serves until the test ends, and signs the command in as an identity of this machine.
func newGallery(tb testing.TB) *gallery {
	tb.Helper()
	g := &gallery{group: "rg-images", versions: map[string]object{}, locked: map[string]bool{}, dying: map[string]int{}, calls: map[string]int{}}
	server := httptest.NewServer(g)
	tb.Cleanup(server.Close)
	g.url = server.URL
	return g
}

// signIn gives the command an identity.
func signIn(t *testing.T) {
	t.Helper()
	msi := identity.Start(t, identity.Options{ClientIDs: []string{localazure.ClientID}})
	for name, value := range map[string]string{
		"IDENTITY_ENDPOINT": msi.Endpoint(), "IDENTITY_HEADER": msi.Secret(), "AZURE_CLIENT_ID": localazure.ClientID,
		"AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential", "AZURE_SUBSCRIPTION_ID": localazure.SubscriptionID,
	} {
		t.Setenv(name, value)
	}
}

// put makes a version of Goldmint's in West Europe, so many days old.
func (g *gallery) put(name string, days int, change ...func(v, publishing object)) {
	publishing := object{
		"publishedDate": time.Now().AddDate(0, 0, -days).UTC().Format(time.RFC3339), "excludeFromLatest": false,
		"targetRegions": []any{object{"name": "West Europe", "regionalReplicaCount": 1}},
	}
	v := object{
		"id": g.path() + "/" + name, "name": name, "location": "westeurope", "tags": object{retention.TagBuildID: "web-" + name},
		"properties": object{
			"provisioningState": "Succeeded", "publishingProfile": publishing,
			"storageProfile": object{"source": object{"virtualMachineId": "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/web"}, "osDiskImage": object{"sizeInGB": 30}},
		},
	}
	for _, c := range change {
		c(v, publishing)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.versions[name] = v
}

func (g *gallery) path() string { return strings.Replace(galleryPath, "rg-images", g.group, 1) }

func (g *gallery) names() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return strings.Join(slices.Sorted(maps.Keys(g.versions)), " ")
}

func (g *gallery) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, ok := strings.CutPrefix(r.URL.Path, g.path())
	name = strings.TrimPrefix(name, "/")
	kind := r.Method
	if name == "" {
		kind = "LIST"
	}
	if g.before != nil {
		g.before(kind, name)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.calls[kind]++
	status, code := 0, ""
	if g.refuse != nil {
		status, code = g.refuse(kind, name)
	}
	switch {
	case strings.Contains(r.URL.Path, "/operations/"):
		answer(w, http.StatusOK, object{"status": "Succeeded"})
	case status != 0:
		answer(w, status, object{"error": object{"code": code, "message": "no"}})
	case g.users[lastPart(r)] != nil:
		answer(w, http.StatusOK, object{"value": []any{g.users[lastPart(r)]}})
	case !ok:
		answer(w, http.StatusNotFound, object{"error": object{"code": "ResourceNotFound", "message": "The Resource was not found."}})
	case kind == "LIST":
		g.list(w, r)
	case g.versions[name] == nil:
		answer(w, http.StatusNotFound, object{"error": object{"code": "ResourceNotFound", "message": "The Resource was not found."}})
	default:
		g.one(w, r, name)
	}
}

func (g *gallery) one(w http.ResponseWriter, r *http.Request, name string) {
	operation := g.url + "/operations/1?api-version=2026-03-03"
	switch r.Method {
	case http.MethodDelete:
		if g.locked[name] {
			answer(w, http.StatusConflict, object{"error": object{"code": "ScopeLocked", "message": "The scope is locked."}})
			return
		}
		g.dying[name] = g.lingers
		part(g.versions[name], "properties")["provisioningState"] = "Deleting"
		w.Header().Set("Azure-AsyncOperation", operation)
		w.WriteHeader(http.StatusAccepted)
	case http.MethodPut:
		var sent object
		_ = json.NewDecoder(r.Body).Decode(&sent)
		publishing := part(part(g.versions[name], "properties"), "publishingProfile")
		maps.Copy(publishing, part(part(sent, "properties"), "publishingProfile"))
		w.Header().Set("Azure-AsyncOperation", operation)
		answer(w, http.StatusOK, g.versions[name])
	default:
		answer(w, http.StatusOK, g.versions[name])
	}
}

func (g *gallery) list(w http.ResponseWriter, r *http.Request) {
	skip := 0
	_, _ = fmt.Sscan(r.URL.Query().Get("$skiptoken"), &skip)
	if skip == 0 {
		for name, left := range g.dying {
			if g.dying[name]--; left <= 0 {
				delete(g.dying, name)
				delete(g.versions, name)
			}
		}
	}
	names := slices.Sorted(maps.Keys(g.versions))
	page := object{}
	if rest := names[min(skip, len(names)):]; len(rest) > pageSize {
		names = rest[:pageSize]
		page["nextLink"] = fmt.Sprintf("%s%s?api-version=2026-03-03&$skiptoken=%d", g.url, g.path(), skip+pageSize)
	} else {
		names = rest
	}
	value := make([]any, len(names))
	for i, n := range names {
		value[i] = g.versions[n]
	}
	page["value"] = value
	answer(w, http.StatusOK, page)
}

// lastPart is the last part of the path.
func lastPart(r *http.Request) string { return r.URL.Path[strings.LastIndexByte(r.URL.Path, '/'):] }

func part(o object, name string) object {
	p, _ := o[name].(object)
	return p
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
