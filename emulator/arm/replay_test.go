package arm_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"goldmint/emulator/arm"

	"github.com/google/go-cmp/cmp"
)

// recording is what a test session asked of Azure, in order, and what Azure answered.
type recording struct {
	Origin    string
	Exchanges []exchange
}

type exchange struct {
	Method, URI string
	Request     json.RawMessage // null where the session did not record it
	Status      int
	Headers     map[string]string
	Body        json.RawMessage
}

func readRecording(t *testing.T, file string) (r recording) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// TestReplay asks again for all that the recordings asked, of a server that has what they found
// there. Where its answer is not Azure's (ids, times and hosts do not count),
// testdata/differences.txt says what differs and why.
func TestReplay(t *testing.T) {
	files, err := filepath.Glob("testdata/recordings/*.json")
	if err != nil || len(files) != 20 {
		t.Fatalf("%d recordings, %v", len(files), err)
	}
	var got []string
	exchanges := 0
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		r := readRecording(t, file)
		exchanges += len(r.Exchanges)
		for _, d := range replay(t, r, name == "errors-real-http") {
			got = append(got, name+": "+d)
		}
	}
	slices.Sort(got)
	got = slices.Compact(got)
	t.Logf("%d exchanges of %d recordings, %d differences", exchanges, len(files), len(got))
	listed := listedDifferences(t)
	for _, d := range got {
		if !slices.Contains(listed, d) {
			t.Errorf("testdata/differences.txt does not have, with a reason:\n%s", d)
		}
	}
	for _, d := range listed {
		if !slices.Contains(got, d) {
			t.Errorf("no longer found, though in testdata/differences.txt:\n%s", d)
		}
	}
}

// listedDifferences are the lines of differences.txt that are no reasons.
func listedDifferences(t *testing.T) (all []string) {
	t.Helper()
	text, err := os.ReadFile("testdata/differences.txt")
	if err != nil {
		t.Fatal(err)
	}
	reason := false
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\n")
		switch {
		case strings.HasPrefix(line, "#"):
			reason = true
		case line == "":
			reason = false
		case !reason:
			t.Errorf("no reason is given for %q", line)
		default:
			all = append(all, line)
		}
	}
	slices.Sort(all)
	return all
}

// player plays one recording.
type player struct {
	t          *testing.T
	s          *arm.Server
	operations map[string]string // by the id that Azure gave them: where ours are
	found      []string
}

// replay returns the differences. Exchanges that were taken from many sessions get a server each.
func replay(t *testing.T, r recording, apart bool) []string {
	t.Helper()
	all := []recording{r}
	if apart {
		all = nil
		for _, e := range r.Exchanges {
			all = append(all, recording{Exchanges: []exchange{e}})
		}
	}
	var found []string
	for n, one := range all {
		p := &player{t: t, s: arm.Start(t, arm.Options{Limits: arm.Windows(40, 200), Faults: faultsOf(one)}), operations: map[string]string{}}
		p.prepare(one)
		for _, e := range one.Exchanges {
			before := len(p.found)
			p.play(e)
			if apart {
				for j := range p.found[before:] {
					p.found[before+j] = fmt.Sprintf("%d %s", n+1, p.found[before+j])
				}
			}
		}
		found = append(found, p.found...)
	}
	return found
}

// faultsOf lets a gateway break where Azure's did, in the same one of two ways.
func faultsOf(r recording) arm.Faults {
	switch r.Exchanges[0].Status {
	case http.StatusInternalServerError:
		return arm.Faults{Seed: 2, ServerError: 1}
	case http.StatusGatewayTimeout:
		return arm.Faults{Seed: 7, ServerError: 1}
	}
	return arm.Faults{}
}

var operationID = regexp.MustCompile(`(?i)/(?:caps|disk)?operations/([0-9a-f-]{36})`)

// play asks once, and compares. Time goes on to an operation's end where the recording has reached
// it.
func (p *player) play(e exchange) {
	p.t.Helper()
	uri := rest(p.t, e.URI)
	if id, _, _ := strings.Cut(uri, "?"); strings.Contains(id, "/disks/") || strings.Contains(id, "/snapshots/") {
		p.disk(id, e) // made, or changed, before it is read
	}
	if id := operationID.FindStringSubmatch(e.URI); id != nil {
		if strings.Contains(string(e.Body), "endTime") {
			p.s.FastForward(20 * time.Minute)
		}
		ours := p.operations[id[1]]
		if ours == "" && e.Status == http.StatusOK {
			ours = p.failedOperation(e)
		}
		if ours != "" {
			uri = strings.TrimPrefix(ours, p.s.Endpoint())
		}
		if strings.Contains(e.URI, "monitor=true") {
			uri = strings.Replace(p.operations["monitor "+id[1]], p.s.Endpoint(), "", 1)
		}
	}
	got := call(p.t, p.s, e.Method, uri, e.sent(p.t))
	if id := operationID.FindStringSubmatch(e.Headers["azure-asyncoperation"]); id != nil {
		p.operations[id[1]] = got.header.Get("Azure-AsyncOperation")
		p.operations["monitor "+id[1]] = got.header.Get("Location")
	}
	where := fmt.Sprintf("%s %s", e.Method, shortPath(e.URI))
	for _, d := range differences(p.t, e, got) {
		p.found = append(p.found, where+": "+d)
	}
}

// shortPath is the end of a path, without the names.
func shortPath(uri string) string {
	u, _ := url.Parse(uri)
	_, resource, _ := strings.Cut(u.Path, "/providers/")
	parts := strings.Split(resource, "/")
	var kept []string
	for i := 1; i < len(parts); i += 2 {
		kept = append(kept, parts[i])
	}
	return path.Join(kept...)
}

// sent is the request's body. Where it is not recorded it is what the answer implies.
func (e exchange) sent(t *testing.T) string {
	t.Helper()
	switch {
	case len(e.Request) > 0 && string(e.Request) != "null":
		return string(e.Request)
	case e.Method == http.MethodPatch:
		return `{}`
	case e.Method != http.MethodPut:
		return ""
	case strings.Contains(string(e.Body), "adminUsername"):
		return `{"location":"westus","properties":{"osProfile":{"computerName":"vm"}}}`
	case strings.Contains(string(e.Body), "sourceVault"):
		return `{"location":"westus","properties":{"osProfile":{"adminUsername":"vm","secrets":[{"sourceVault":{"id":"vm13245"}}]}}}`
	case e.Status >= http.StatusBadRequest:
		return `{"location":"westus","properties":{}}`
	}
	var answer map[string]any
	if err := json.Unmarshal(e.Body, &answer); err != nil {
		t.Fatal(err)
	}
	properties := answer["properties"].(map[string]any)
	delete(properties, "provisioningState")
	if properties["sourceVirtualMachine"] != nil {
		delete(properties, "storageProfile")
	}
	return encode(t, answer)
}

func encode(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func rest(t *testing.T, uri string) string {
	t.Helper()
	u, err := url.Parse(uri)
	if err != nil {
		t.Fatal(err)
	}
	return u.RequestURI()
}

var (
	guid        = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	instant     = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,7})?[+-]\d\d:\d\d`)
	compactTime = regexp.MustCompile(`\d{8}T\d{6}Z`)
	uniqueName  = regexp.MustCompile(`"uniqueName": *"[^"]*"`)
	sourceIDs   = regexp.MustCompile(`"/subscriptions/[^"]*/(virtualMachines|images|snapshots)/[^"/]*"`)
	count       = regexp.MustCompile(`;\d+`)
)

// comparedHeaders are those that clients act on. Some of them were left out of some recordings:
// true where they say something by not being there.
var comparedHeaders = map[string]bool{
	"azure-asyncoperation": true, "location": true, "retry-after": true, "x-ms-failure-cause": true,
	"azure-asyncnotification": false, "x-ms-ratelimit-remaining-resource": false, "content-type": false,
}

// differences are what of an answer is not Azure's.
func differences(t *testing.T, want exchange, got reply) (all []string) {
	t.Helper()
	if got.status != want.Status {
		var refusal struct{ Error struct{ Code string } }
		_ = json.Unmarshal([]byte(got.text), &refusal)
		was := strings.TrimSpace(fmt.Sprintf("%d %s", want.Status, codeIn(want.Body)))
		return []string{fmt.Sprintf("status %s, here %s", was, strings.TrimSpace(fmt.Sprintf("%d %s", got.status, refusal.Error.Code)))}
	}
	for name, always := range comparedHeaders {
		if !always && want.Headers[name] == "" || name == "content-type" && want.Status == http.StatusAccepted {
			continue
		}
		if was, is := normalHeader(want.Headers[name]), normalHeader(got.header.Get(name)); was != is {
			all = append(all, fmt.Sprintf("header %s %s, here %s", name, orNothing(was), orNothing(is)))
		}
	}
	return append(all, differ("", normal(t, string(want.Body)), normal(t, got.text))...)
}

// compare fails the test where an answer is not Azure's.
func compare(t *testing.T, want exchange, got reply) {
	t.Helper()
	for _, d := range differences(t, want, got) {
		t.Errorf("%s %s: %s", want.Method, want.URI, d)
	}
}

func codeIn(body []byte) string {
	var refusal struct{ Error struct{ Code string } }
	_ = json.Unmarshal(body, &refusal)
	return refusal.Error.Code
}

func orNothing(text string) string {
	if text == "" {
		return "nothing"
	}
	if len(text) > 80 {
		return text[:80] + "…"
	}
	return text
}

// differ walks two JSON values and names the places where they are not the same.
func differ(at string, was, is any) (all []string) {
	if w, ok := was.(map[string]any); ok {
		if i, ok := is.(map[string]any); ok {
			for _, key := range slices.Compact(slices.Sorted(slices.Values(append(slices.Collect(maps.Keys(w)), slices.Collect(maps.Keys(i))...)))) {
				all = append(all, differ(strings.TrimPrefix(at+"."+key, "."), w[key], i[key])...)
			}
			return all
		}
	}
	if w, ok := was.([]any); ok {
		if i, ok := is.([]any); ok && len(i) == len(w) {
			for n := range w {
				all = append(all, differ(at+"[]", w[n], i[n])...)
			}
			return slices.Compact(all)
		}
	}
	if cmp.Equal(was, is) {
		return nil
	}
	return []string{fmt.Sprintf("%s %s, here %s", at, shown(was), shown(is))}
}

func shown(v any) string {
	if v == nil {
		return "nothing"
	}
	text, _ := json.Marshal(v)
	return orNothing(string(text))
}

// normal is a JSON body without its ids and times; null and nothing are one.
func normal(t *testing.T, body string) any {
	t.Helper()
	if body == "" {
		return nil
	}
	body = compactTime.ReplaceAllString(body, "TIME")
	body = guid.ReplaceAllString(instant.ReplaceAllString(body, "TIME"), "GUID")
	body = uniqueName.ReplaceAllString(body, `"uniqueName":"NAME"`)
	var v any
	if err := json.Unmarshal([]byte(body), &v); err != nil {
		t.Fatalf("%v in %q", err, body)
	}
	return v
}

// normalHeader leaves out of a header what differs from run to run: hosts, queries, ids, and how
// much remains of limits that others had used before.
func normalHeader(v string) string {
	if u, err := url.Parse(v); err == nil && u.Host != "" {
		v = u.Path
	}
	return count.ReplaceAllString(guid.ReplaceAllString(v, "GUID"), ";N")
}
