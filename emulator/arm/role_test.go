package arm_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"testing"

	"goldmint/emulator/arm"
)

// A role lets through what it names and nothing else, whatever the case and with stars.
func TestRole(t *testing.T) {
	for _, tt := range []struct {
		name string
		role []string
		want map[string]int // by method
	}{
		{"none given", nil, map[string]int{http.MethodGet: 404, http.MethodPut: 201, http.MethodDelete: 202}},
		{"empty", []string{}, map[string]int{http.MethodGet: 403, http.MethodPut: 403, http.MethodDelete: 403}},
		{"reader", []string{"*/read"}, map[string]int{http.MethodGet: 404, http.MethodPut: 403, http.MethodDelete: 403}},
		{"creator", []string{"microsoft.compute/IMAGES/write"}, map[string]int{http.MethodGet: 403, http.MethodPut: 201, http.MethodDelete: 403}},
		{"images", []string{"Microsoft.Compute/images/*"}, map[string]int{http.MethodGet: 404, http.MethodPut: 201, http.MethodDelete: 202}},
		{"another's", []string{"Microsoft.Compute/disks/*", "Microsoft.*/disks/write"}, map[string]int{http.MethodGet: 403, http.MethodPut: 403, http.MethodDelete: 403}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := arm.Start(t, arm.Options{AnyBlob: true, Role: tt.role})
			for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete} {
				body := ""
				if method == http.MethodPut {
					body = fromDisk(blobSource)
				}
				if got := statusOf(t, s, method, imageID, version, body); got != tt.want[method] {
					t.Errorf("%s: %d, want %d", method, got, tt.want[method])
				}
			}
		})
	}
}

// The caller may ask what it may do, if its role lets it.
func TestPermissions(t *testing.T) {
	const ask = scope + "/providers/Microsoft.Authorization/permissions"
	role := []string{"Microsoft.Authorization/permissions/read", "Microsoft.Compute/images/read"}
	s := arm.Start(t, arm.Options{Role: role})
	resp, err := s.Client().Do(newRequest(t, http.MethodGet, s.Endpoint()+ask+"?api-version=2022-04-01", ""))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var got struct{ Value []struct{ Actions []string } }
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil || len(got.Value) != 1 || !slices.Equal(got.Value[0].Actions, role) {
		t.Errorf("answered %d %+v, %v", resp.StatusCode, got, err)
	}
	if status := statusOf(t, arm.Start(t, arm.Options{Role: role[1:]}), http.MethodGet, ask, "?api-version=2022-04-01", ""); status != http.StatusForbidden {
		t.Errorf("without the action: %d, want 403", status)
	}
	if status := statusOf(t, s, http.MethodPut, ask, "?api-version=2022-04-01", "{}"); status != http.StatusNotFound {
		t.Errorf("PUT: %d, want 404", status)
	}
}

func statusOf(t *testing.T, s *arm.Server, method, path, query, body string) int {
	t.Helper()
	resp, err := s.Client().Do(newRequest(t, method, s.Endpoint()+path+query, body))
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}
