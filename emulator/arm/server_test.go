package arm_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"goldmint/emulator/arm"
)

func TestTLS(t *testing.T) {
	s, err := arm.Listen(arm.Options{TLS: true})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(s.Endpoint(), "https://127.0.0.1:") {
		t.Errorf("endpoint %s", s.Endpoint())
	}
	s.AddVM(vmID, "westeurope")
	if _, err := clients(t, s).NewVirtualMachinesClient().Get(t.Context(), group, "build-vm", nil); err != nil {
		t.Error(err)
	}
	if _, err := http.DefaultClient.Do(newRequest(t, http.MethodGet, s.Endpoint()+vmID+version, "")); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("a client that does not know the CA: %v", err)
	}
	if got := call(t, s, http.MethodPut, imageID+version, fromVM(vmID)).header.Get("Azure-AsyncOperation"); !strings.HasPrefix(got, s.Endpoint()) {
		t.Errorf("over https the operation is at %s", got)
	}
	plain := send(t, s, newRequest(t, http.MethodDelete, s.PlainEndpoint()+imageID+version, ""))
	if got := plain.header.Get("Azure-AsyncOperation"); plain.status != http.StatusAccepted || !strings.HasPrefix(got, s.PlainEndpoint()) {
		t.Errorf("over http, on the same port: %d %s", plain.status, got)
	}
	file := s.CAFile()
	if text, err := os.ReadFile(file); err != nil || !strings.HasPrefix(string(text), "-----BEGIN CERTIFICATE-----") {
		t.Errorf("CA file: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(file); !os.IsNotExist(err) {
		t.Errorf("after Close the CA file is still there: %v", err)
	}
}

// TestSilentConnections neither hold up others nor Close: one that says nothing, and one that stops
// in TLS's first words.
func TestSilentConnections(t *testing.T) {
	s := arm.Start(t, arm.Options{TLS: true})
	for _, word := range []string{"", "\x16\x03"} {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(s.PlainEndpoint(), "http://"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		if _, err := conn.Write([]byte(word)); err != nil {
			t.Fatal(err)
		}
	}
	call(t, s, http.MethodGet, imageID+version, "").refused(t, http.StatusNotFound, "ResourceNotFound", "")
}

func TestTLSLostReply(t *testing.T) {
	s := arm.Start(t, arm.Options{TLS: true, AnyBlob: true, Faults: arm.Faults{LostReply: 1}})
	r := newRequest(t, http.MethodPut, s.Endpoint()+imageID+version, fromDisk(blobSource))
	if resp, err := s.Client().Do(r); err == nil {
		_ = resp.Body.Close()
		t.Errorf("answered %d", resp.StatusCode)
	}
	if s.Images() != 1 {
		t.Error("the request had no effect")
	}
}

func TestListenOnATakenAddress(t *testing.T) {
	s := arm.Start(t, arm.Options{})
	_, err := arm.Listen(arm.Options{Addr: strings.TrimPrefix(s.Endpoint(), "http://")})
	if err == nil || !strings.Contains(err.Error(), "listen on 127.0.0.1:") {
		t.Errorf("got %v", err)
	}
}

func TestCalls(t *testing.T) {
	s := prepared(t, arm.Options{})
	operation := startImage(t, s)
	get(t, s, operation)
	call(t, s, http.MethodGet, vmID+"/instanceView"+version, "")
	call(t, s, http.MethodPost, vmID+"/generalize"+version, "")
	call(t, s, http.MethodGet, "/nowhere"+version, "")
	var got []string
	for _, c := range s.Calls() {
		if strings.Contains(c.Path, "?") || c.Time.IsZero() || !strings.HasPrefix(c.Client, "Go-http-client") {
			t.Errorf("%+v", c)
		}
		got = append(got, c.Method+" "+c.Action+" "+http.StatusText(c.Status))
	}
	want := []string{
		"PUT Microsoft.Compute/images/write Created",
		"GET Microsoft.Compute/locations/operations/read OK",
		"GET Microsoft.Compute/virtualMachines/instanceView/read OK",
		"POST Microsoft.Compute/virtualMachines/generalize/action OK",
		"GET  Not Found",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
	if !slices.Contains(s.Actions(), "Microsoft.Compute/snapshots/read") {
		t.Errorf("actions %v", s.Actions())
	}
}

func TestLists(t *testing.T) {
	s := prepared(t, arm.Options{})
	startImage(t, s)
	other := strings.Replace(imageID, group, "other-rg", 1)
	call(t, s, http.MethodPut, other+version, fromVM(vmID))
	for list, want := range map[string][]string{
		compute + "images": {"/subscriptions/" + subscription + "/resourceGroups/GOLDEN-RG/providers/Microsoft.Compute/images/golden"},
		"/subscriptions/" + subscription + "/providers/Microsoft.Compute/images": {
			"/subscriptions/" + subscription + "/resourceGroups/GOLDEN-RG/providers/Microsoft.Compute/images/golden",
			"/subscriptions/" + subscription + "/resourceGroups/OTHER-RG/providers/Microsoft.Compute/images/golden",
		},
		"/subscriptions/" + newSubscription + "/providers/Microsoft.Compute/images": nil,
	} {
		var ids []string
		for _, v := range call(t, s, http.MethodGet, list+version, "").json(t)["value"].([]any) {
			ids = append(ids, v.(map[string]any)["id"].(string))
		}
		if !slices.Equal(ids, want) {
			t.Errorf("%s lists %v, want %v", list, ids, want)
		}
	}
	if vms := call(t, s, http.MethodGet, compute+"virtualMachines"+version, "").json(t)["value"].([]any); len(vms) != 1 {
		t.Errorf("VMs %v", vms)
	}
}

// TestPatchTags is an operation of a tick, and counts like a creation.
func TestPatchTags(t *testing.T) {
	s := prepared(t, arm.Options{Limits: arm.Windows(40, 200)})
	startImage(t, s)
	s.FastForward(arm.RecordedTick)
	patch := call(t, s, http.MethodPatch, imageID+version, `{"tags":{"a":"1"}}`)
	got := patch.json(t)
	if state := got["properties"].(map[string]any)["provisioningState"]; patch.status != http.StatusOK || state != "Updating" || patch.header.Get("Azure-AsyncOperation") == "" {
		t.Errorf("%d %v %v", patch.status, state, patch.header)
	}
	if left := patch.header.Get("x-ms-ratelimit-remaining-resource"); left != "Microsoft.Compute/CreateImages3Min;38,Microsoft.Compute/CreateImages30Min;198" {
		t.Errorf("after a creation and a change of tags remain %s", left)
	}
	if status := get(t, s, patch.header.Get("Azure-AsyncOperation")).json(t)["status"]; status != "InProgress" {
		t.Errorf("the operation is %v", status)
	}
	s.FastForward(arm.RecordedTick)
	if after := get(t, s, patch.header.Get("Azure-AsyncOperation")).json(t)["status"]; after != "Succeeded" {
		t.Errorf("after a tick the operation is %v", after)
	}
	if tags := got["tags"].(map[string]any); len(tags) != 1 || tags["a"] != "1" {
		t.Errorf("tags %v", tags)
	}
	call(t, s, http.MethodPatch, imageID+version, `{"properties":{"hyperVGeneration":"V2"}}`).
		refused(t, 409, "PropertyChangeNotAllowed", "Changing property 'hyperVGeneration' is not allowed.")
}

func TestSystemDataTellsTheTimeOfCreation(t *testing.T) {
	s := prepared(t, arm.Options{})
	before := s.Now().Truncate(time.Microsecond)
	startImage(t, s)
	system := call(t, s, http.MethodGet, imageID+version, "").json(t)["systemData"].(map[string]any)
	if at := when(t, system["createdAt"]); at.Before(before) || at.After(s.Now()) {
		t.Errorf("created at %s", at)
	}
	if old := call(t, s, http.MethodGet, imageID+"?api-version=2021-11-01", "").json(t); old["systemData"] != nil {
		t.Errorf("an api-version without systemData answers %v", old)
	}
}

func TestDateIsTheServersClock(t *testing.T) {
	s := arm.Start(t, arm.Options{})
	s.FastForward(1000 * time.Hour)
	date, err := http.ParseTime(call(t, s, http.MethodGet, imageID+version, "").header.Get("Date"))
	if err != nil || date.Before(s.Now().Add(-time.Hour)) {
		t.Errorf("Date %s, clock %s, %v", date, s.Now(), err)
	}
}

func TestIntercept(t *testing.T) {
	s := arm.Start(t, arm.Options{Intercept: func(r *http.Request) http.Handler {
		if r.Method == http.MethodDelete {
			return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
		}
		return nil
	}})
	if got := call(t, s, http.MethodDelete, imageID+version, ""); got.status != http.StatusTeapot {
		t.Errorf("%d", got.status)
	}
	call(t, s, http.MethodGet, imageID+version, "").refused(t, 404, "ResourceNotFound", "")
}

func TestBodyTooLarge(t *testing.T) {
	s := arm.Start(t, arm.Options{})
	r := httptest.NewRequest(http.MethodPut, imageID+version, strings.NewReader(strings.Repeat(" ", 5<<20)))
	r.Header.Set("Authorization", "Bearer a-token")
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	reply{w.Code, w.Header(), w.Body.String()}.refused(t, http.StatusRequestEntityTooLarge, "RequestContentTooLarge", "4194304")
}
