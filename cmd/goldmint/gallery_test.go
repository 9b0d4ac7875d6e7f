package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"goldmint/cmd/goldmint/internal/retention"
	"goldmint/emulator/arm"
	"goldmint/emulator/identity"
	"goldmint/internal/localazure"
)

// object is a JSON object.
type object = map[string]any

const (
	imagesGroup  = "/subscriptions/" + localazure.SubscriptionID + "/resourceGroups/rg-images"
	computePath  = imagesGroup + "/providers/Microsoft.Compute/"
	definition   = computePath + "galleries/corp/images/web"
	galleryPath  = definition + "/versions"
	firstVersion = galleryPath + "/1.0.0"
)

// gallery is a local Resource Manager with an image definition in it.
type gallery struct {
	*arm.Server
	mu     sync.Mutex                             // for those that set the others while a process of its own calls
	before func(method, name string) http.Handler // of a command's call about a version: a handler answers in Azure's place
	seen   func(method, name string, body []byte) // of the same
}

const day = 24 * time.Hour

// quickly is an Azure in which what takes minutes takes microseconds, and nothing is limited.
var quickly = arm.Options{Speed: 10_000_000}

// newGallery serves until the test ends.
func newGallery(tb testing.TB, o arm.Options) *gallery {
	tb.Helper()
	g, err := listenGallery(o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = g.Close() })
	return g
}

func listenGallery(o arm.Options) (*gallery, error) {
	g := &gallery{}
	o.Intercept = func(r *http.Request) http.Handler {
		ours := strings.HasPrefix(r.UserAgent(), "goldmint-command")
		name, ok := strings.CutPrefix(r.URL.Path, galleryPath)
		method, name := methodOf(r.Method, r.URL.Path), strings.TrimPrefix(name, "/")
		g.mu.Lock()
		seen, before := g.seen, g.before
		g.mu.Unlock()
		if ok && ours && seen != nil {
			seen(method, name, bodyOf(r))
		}
		if ok && ours && before != nil {
			return before(method, name)
		}
		return nil
	}
	server, err := arm.Listen(o)
	if err != nil {
		return nil, err
	}
	g.Server = server
	g.AddDefinition(arm.Definition{ID: definition, Location: "westeurope"})
	return g, nil
}

// methodOf is a call's method, or LIST.
func methodOf(method, path string) string {
	switch path[strings.LastIndexByte(path, '/')+1:] {
	case "versions", "images", "virtualMachines", "virtualMachineScaleSets":
		return "LIST"
	}
	return method
}

// signIn sets the command's identity.
func signIn(t *testing.T) {
	t.Helper()
	for name, value := range identityOf(identity.Start(t, identity.Options{ClientIDs: []string{localazure.ClientID}})) {
		t.Setenv(name, value)
	}
}

// identityOf is the environment of a command that signs in with a managed identity.
func identityOf(msi *identity.Server) map[string]string {
	return map[string]string{
		"IDENTITY_ENDPOINT": msi.Endpoint(), "IDENTITY_HEADER": msi.Secret(), "AZURE_CLIENT_ID": localazure.ClientID,
		"AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential", "AZURE_SUBSCRIPTION_ID": localazure.SubscriptionID,
	}
}

// put makes a version of Goldmint's in West Europe.
func (g *gallery) put(name string, change ...func(*arm.Version)) {
	ours := func(v *arm.Version) {
		v.Tags = map[string]string{retention.TagBuildID: "web-" + name}
		v.VirtualMachineID = computePath + "virtualMachines/builder"
	}
	g.AddVersion(galleryPath+"/"+name, "westeurope", append([]func(*arm.Version){ours}, change...)...)
}

// The changes that tests make to a version.
func tagged(name, value string) func(*arm.Version) {
	return func(v *arm.Version) { v.Tags[name] = value }
}
func foreign(v *arm.Version)  { v.Tags = nil }
func excluded(v *arm.Version) { v.ExcludeFromLatest = true }
func inState(state string) func(*arm.Version) {
	return func(v *arm.Version) { v.State = state }
}

// filled is a gallery with a version of each kind. Its clock is forty days ahead of this machine's.
func filled(t *testing.T, o arm.Options) *gallery {
	t.Helper()
	signIn(t)
	g := newGallery(t, o)
	g.fill(nil)
	return g
}

// fill makes versions over forty days and reports each.
func (g *gallery) fill(made func(name string)) {
	for _, v := range []struct {
		name string
		then time.Duration // how long until the next
		is   func(*arm.Version)
	}{
		{"1.0.0", 10 * day, nil},
		{"1.0.1", 10 * day, foreign},
		{"1.0.2", 5 * day, nil},
		{"1.0.3", 5 * day, tagged(retention.TagKeep, "audit")},
		{"1.0.4", 5 * day, nil},
		{"1.0.10", 3 * day, nil},
		{"1.0.11", 2 * day, excluded},
		{"1.0.12", 190 * time.Second, inState("Creating")},
	} {
		if v.is == nil {
			v.is = func(*arm.Version) {}
		}
		g.put(v.name, v.is)
		if made != nil {
			made(v.name)
		}
		g.FastForward(v.then)
	}
}

// remove is what someone else has done: the version is gone.
func (g *gallery) remove(name string) { g.RemoveVersion(galleryPath + "/" + name) }

// left are the versions that are neither gone nor going, in order.
func (g *gallery) left() string {
	var names []string
	for _, name := range []string{"1.0.0", "1.0.1", "1.0.2", "1.0.3", "1.0.4", "1.0.10", "1.0.11", "1.0.12"} {
		if body, ok := g.Version(galleryPath + "/" + name); ok && !bytes.Contains(body, []byte(`"Deleting"`)) {
			names = append(names, name)
		}
	}
	return strings.Join(names, " ")
}

// counts are the calls so far, by method.
func (g *gallery) counts() map[string]int {
	counts := map[string]int{}
	for _, c := range g.Calls() {
		counts[methodOf(c.Method, c.Path)]++
	}
	return counts
}

// command runs goldmint on it.
func (g *gallery) command(ctx context.Context, args ...string) (out, errOut string, status int) {
	var o, e bytes.Buffer
	status = execute(ctx, append(args, "--arm-endpoint", g.Endpoint()), strings.NewReader(""), &o, &e)
	return o.String(), e.String(), status
}

var ofDefinition = []string{"-g", "rg-images", "--gallery", "corp", "--image", "web"}

// pruned runs `goldmint prune` on it.
func (g *gallery) pruned(ctx context.Context, args ...string) (out, errOut string, status int) {
	return g.command(ctx, append(append([]string{"prune"}, ofDefinition...), args...)...)
}

// call calls Azure as someone else does.
func (g *gallery) call(t *testing.T, method, path string, body object) (status int, answer string) {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), method, g.Endpoint()+path+"?api-version=2026-03-03", bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer any")
	response, err := g.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	all, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(all)
}

// send is a call that Azure takes.
func (g *gallery) send(t *testing.T, method, path string, body object) string {
	t.Helper()
	status, answer := g.call(t, method, path, body)
	if status >= http.StatusBadRequest {
		t.Fatalf("%s %s: %d %s", method, path, status, answer)
	}
	return answer
}
