package blob

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// request is one to the server; what is left empty is sent as a good client sends it.
type request struct {
	method, path string // below the account
	header       map[string]string
	body         string
}

// good are the headers of a client with a token.
var good = map[string]string{"Authorization": "Bearer good", "x-ms-version": "2025-11-05", "x-ms-blob-type": "BlockBlob"}

func (r request) do(t *testing.T, s *Server) (*http.Response, string, error) {
	t.Helper()
	q, err := http.NewRequestWithContext(t.Context(), r.method, s.Endpoint()+r.path, strings.NewReader(r.body))
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range []map[string]string{good, r.header} {
		for k, v := range h {
			q.Header.Set(k, v)
			if v == "" {
				q.Header.Del(k)
			}
		}
	}
	a, err := http.DefaultClient.Do(q)
	if err != nil {
		return nil, "", err
	}
	defer func() { _ = a.Body.Close() }()
	body, err := io.ReadAll(a.Body)
	return a, string(body), err
}

func server(t *testing.T) *Server {
	t.Helper()
	s := Start(t, Options{Authorize: func(token string) bool { return token == "good" }})
	s.CreateContainer("c")
	return s
}

// TestOperations plays what a client of small documents does, one after another, and what Azure
// answers. ETAG stands for that of the last answer that had one.
func TestOperations(t *testing.T) {
	s, etag := server(t), ""
	for _, c := range []struct {
		what string
		request
		status int
		code   string // of the error, in x-ms-error-code and the body
		want   string // the body
	}{
		{"a blob that is not there", request{method: "GET", path: "/c/images/sub/r.json"}, 404, "BlobNotFound", ""},
		{"create", request{method: "PUT", path: "/c/images/sub/r.json", header: map[string]string{"If-None-Match": "*"}, body: "one"}, 201, "", ""},
		{"read", request{method: "GET", path: "/c/images/sub/r.json"}, 200, "", "one"},
		{"only its headers", request{method: "HEAD", path: "/c/images/sub/r.json"}, 200, "", ""},
		{"create what is there", request{method: "PUT", path: "/c/images/sub/r.json", header: map[string]string{"If-None-Match": "*"}, body: "x"}, 409, "BlobAlreadyExists", ""},
		{"replace", request{method: "PUT", path: "/c/images/sub/r.json", header: map[string]string{"If-Match": "ETAG"}, body: "two"}, 201, "", ""},
		{"replace an older one", request{method: "PUT", path: "/c/images/sub/r.json", header: map[string]string{"If-Match": `"0x1"`}, body: "x"}, 412, "ConditionNotMet", ""},
		{"replace what is not there", request{method: "PUT", path: "/c/other", header: map[string]string{"If-Match": "ETAG"}, body: "x"}, 412, "ConditionNotMet", ""},
		{"what was replaced", request{method: "GET", path: "/c/images/sub/r.json", header: map[string]string{"If-Match": "ETAG"}}, 200, "", "two"},
		{"whatever is there", request{method: "PUT", path: "/c/images/sub/r.json", body: "three"}, 201, "", ""},
		{"delete an older one", request{method: "DELETE", path: "/c/images/sub/r.json", header: map[string]string{"If-Match": `"0x1"`}}, 412, "ConditionNotMet", ""},
		{"delete", request{method: "DELETE", path: "/c/images/sub/r.json"}, 202, "", ""},
		{"delete what is not there", request{method: "DELETE", path: "/c/images/sub/r.json"}, 404, "BlobNotFound", ""},
		{"an empty blob", request{method: "PUT", path: "/c/empty"}, 201, "", ""},
		{"no kind of blob", request{method: "PUT", path: "/c/b", header: map[string]string{"x-ms-blob-type": ""}}, 400, "MissingRequiredHeader", ""},
		{"another kind of blob", request{method: "PUT", path: "/c/b", header: map[string]string{"x-ms-blob-type": "PageBlob"}}, 400, "InvalidHeaderValue", ""},
		{"a verb of no use", request{method: "PATCH", path: "/c/b"}, 405, "UnsupportedHttpVerb", ""},
		{"too large", request{method: "PUT", path: "/c/b", body: strings.Repeat("x", maxBody+1)}, 413, "RequestBodyTooLarge", ""},
		{"a container that is not there", request{method: "GET", path: "/d/b"}, 404, "ContainerNotFound", ""},
		{"is the container there", request{method: "HEAD", path: "/d?restype=container"}, 404, "ContainerNotFound", ""},
		{"create the container", request{method: "PUT", path: "/d?restype=container"}, 201, "", ""},
		{"create it again", request{method: "PUT", path: "/d?restype=container"}, 409, "ContainerAlreadyExists", ""},
		{"now it is there", request{method: "GET", path: "/d?restype=container"}, 200, "", ""},
		{"a verb of no use to containers", request{method: "POST", path: "/d?restype=container"}, 405, "UnsupportedHttpVerb", ""},
		{"no container", request{method: "GET", path: "/"}, 400, "InvalidUri", ""},
		{"no token", request{method: "GET", path: "/c/b", header: map[string]string{"Authorization": ""}}, 401, "NoAuthenticationInformation", ""},
		{"a bad token", request{method: "GET", path: "/c/b", header: map[string]string{"Authorization": "Bearer bad"}}, 401, "InvalidAuthenticationInfo", ""},
		{"a token without a version", request{method: "GET", path: "/c/b", header: map[string]string{"x-ms-version": ""}}, 400, "MissingRequiredHeader", ""},
	} {
		if c.header["If-Match"] == "ETAG" {
			c.header["If-Match"] = etag
		}
		a, body, err := c.do(t, s)
		if err != nil {
			t.Fatalf("%s: %v", c.what, err)
		}
		if a.StatusCode != c.status || a.Header.Get("x-ms-error-code") != c.code {
			t.Errorf("%s: %s %s %q, want %d %s", c.what, a.Status, a.Header.Get("x-ms-error-code"), body, c.status, c.code)
		}
		if c.code == "" && body != c.want || c.code != "" && c.method != http.MethodHead && !strings.Contains(body, "<Error><Code>"+c.code+"</Code><Message>") {
			t.Errorf("%s: the body is %q", c.what, body)
		}
		if date, err := http.ParseTime(a.Header.Get("Date")); err != nil || time.Since(date).Abs() > time.Minute {
			t.Errorf("%s: Date is %q", c.what, a.Header.Get("Date"))
		}
		if c.status == http.StatusUnauthorized && !strings.Contains(a.Header.Get("WWW-Authenticate"), "resource_id=https://storage.azure.com") {
			t.Errorf("%s: WWW-Authenticate is %q", c.what, a.Header.Get("WWW-Authenticate"))
		}
		if e := a.Header.Get("ETag"); e != "" {
			etag = e
		}
	}
}

// TestOnlyOneOfManyWrites: of writers that read the same version, one succeeds.
func TestOnlyOneOfManyWrites(t *testing.T) {
	s := server(t)
	s.Put("c", "b", []byte("0"))
	a, _, err := request{method: "GET", path: "/c/b"}.do(t, s)
	if err != nil {
		t.Fatal(err)
	}
	answers := make(chan int)
	for n := range 8 {
		go func() {
			r := request{method: "PUT", path: "/c/b", header: map[string]string{"If-Match": a.Header.Get("ETag")}, body: fmt.Sprint(n)}
			if w, _, err := r.do(t, s); err == nil {
				answers <- w.StatusCode
			} else {
				answers <- 0
			}
		}()
	}
	got := map[int]int{}
	for range 8 {
		got[<-answers]++
	}
	if got[http.StatusCreated] != 1 || got[http.StatusPreconditionFailed] != 7 {
		t.Errorf("statuses and how many: %v, want one 201 and seven 412", got)
	}
}

// TestFaults holds that each does what its name says, and nothing once it is taken back.
func TestFaults(t *testing.T) {
	get, put := request{method: "GET", path: "/c/b"}, request{method: "PUT", path: "/c/b", body: "new"}
	for name, c := range map[string]struct {
		faults Faults
		check  func(t *testing.T, s *Server)
	}{
		"unreachable": {Faults{Unreachable: true}, func(t *testing.T, s *Server) {
			t.Helper()
			if a, _, err := get.do(t, s); err == nil {
				t.Errorf("answered %s", a.Status)
			}
		}},
		"denied": {Faults{Denied: true}, func(t *testing.T, s *Server) {
			t.Helper()
			if a, _, err := put.do(t, s); err != nil || a.StatusCode != http.StatusForbidden || a.Header.Get("x-ms-error-code") != "AuthorizationPermissionMismatch" {
				t.Errorf("%+v, %v", a, err)
			}
			if body, _ := s.Blob("c", "b"); string(body) != "old" {
				t.Errorf("it was written: %q", body)
			}
		}},
		"slow": {Faults{Delay: 50 * time.Millisecond}, func(t *testing.T, s *Server) {
			t.Helper()
			begun := time.Now()
			if _, _, err := get.do(t, s); err != nil || time.Since(begun) < 50*time.Millisecond {
				t.Errorf("answered after %s, %v", time.Since(begun), err)
			}
		}},
		"lost": {Faults{Lost: 1}, func(t *testing.T, s *Server) {
			t.Helper()
			if a, _, err := put.do(t, s); err == nil {
				t.Errorf("answered %s", a.Status)
			}
			if body, _ := s.Blob("c", "b"); string(body) != "new" {
				t.Errorf("it was not written: %q", body)
			}
		}},
		"stale": {Faults{Stale: 1}, func(t *testing.T, s *Server) {
			t.Helper()
			s.Put("c", "b", []byte("new"))
			a, body, err := get.do(t, s)
			if err != nil || body != "old" {
				t.Fatalf("read %q, %v, want what was there before", body, err)
			}
			r := put
			r.header = map[string]string{"If-Match": a.Header.Get("ETag")}
			if a, _, err := r.do(t, s); err != nil || a.StatusCode != http.StatusPreconditionFailed {
				t.Errorf("a write on what is stale: %+v, %v", a, err)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s := server(t)
			s.Put("c", "b", []byte("old"))
			s.SetFaults(c.faults)
			c.check(t, s)
			s.SetFaults(Faults{})
			if a, _, err := get.do(t, s); err != nil || a.StatusCode != http.StatusOK {
				t.Errorf("without faults: %+v, %v", a, err)
			}
		})
	}
}

// TestContainersStay: one that is there keeps its blobs, and a blob can be deleted behind a
// client's back.
func TestContainersStay(t *testing.T) {
	s := server(t)
	s.Put("c", "b", []byte("x"))
	if url := s.CreateContainer("c"); url != s.Endpoint()+"/c" {
		t.Errorf("the container is at %s", url)
	}
	if _, found := s.Blob("c", "b"); !found {
		t.Error("its blob is gone")
	}
	s.Delete("c", "b")
	if _, found := s.Blob("c", "b"); found {
		t.Error("the blob is still there")
	}
	if _, err := Listen(Options{Addr: "127.0.0.1:none"}); err == nil || !strings.Contains(err.Error(), "listen for blob storage") {
		t.Errorf("an address that cannot be: %v", err)
	}
}
