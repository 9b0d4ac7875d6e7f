package deploy_test

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"goldmint/internal/worker"
)

// loggedEvents are the events that the handler logs, with the fields that a query may ask of each.
func loggedEvents() map[string][]string {
	all := map[string][]string{}
	for _, e := range worker.LogEvents() {
		all[e.Name] = append(worker.LogFields(), e.Fields...)
	}
	return all
}

const prelude = "events" // queries/events.kql, which the others are appended to

var (
	kqlComment = regexp.MustCompile(`(?m)^\s*//.*$`)
	eventTest  = regexp.MustCompile(`event (?:==|in) (\([^)]*\)|"[^"]*")`)
	quoted     = regexp.MustCompile(`"([^"]*)"`)
	fieldUse   = regexp.MustCompile(`\bfields\.(\w+)`)
)

func TestQueriesNameLoggedEventsAndFields(t *testing.T) {
	logged := loggedEvents()
	for name, query := range readQueries(t) {
		if name == prelude {
			continue
		}
		events, fields := named(query)
		if len(events) == 0 {
			t.Errorf("%s.kql names no event", name)
		}
		for _, event := range events {
			if logged[event] == nil {
				t.Errorf("%s.kql asks for the event %q, which nobody logs", name, event)
			}
			for _, field := range fields {
				if !slices.Contains(logged[event], field) {
					t.Errorf("%s.kql asks for %q, which %q does not carry", name, field, event)
				}
			}
		}
	}
}

// named is what a query uses: names of events, names of their fields.
func named(query string) (events, fields []string) {
	query = kqlComment.ReplaceAllString(query, "")
	for _, test := range eventTest.FindAllStringSubmatch(query, -1) {
		for _, name := range quoted.FindAllStringSubmatch(test[1], -1) {
			events = append(events, name[1])
		}
	}
	for _, use := range fieldUse.FindAllStringSubmatch(query, -1) {
		fields = append(fields, use[1])
	}
	return events, fields
}

func TestNamed(t *testing.T) {
	events, fields := named("// event == \"not\"\nevents\n| where event in (\"a\", \"b\") and x\n| where event == \"c\" | extend d = tostring(fields.d), fields.e")
	if diff := cmp.Diff([]string{"a", "b", "c"}, events); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"d", "e"}, fields); diff != "" {
		t.Error(diff)
	}
}

// A query file that nothing uses is dead; one that is used and missing stops the deployment.
func TestEveryQueryIsUsed(t *testing.T) {
	m := readModule(t)
	used := map[string]bool{prelude: true}
	for alert := range m.local(t, "log_alerts").AsValueMap() {
		used[alert] = true
	}
	for _, chart := range m.local(t, "workbook_charts").AsValueSlice() {
		used[chart.GetAttr("query").AsString()] = true
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(used)), slices.Sorted(maps.Keys(readQueries(t)))); diff != "" {
		t.Errorf("queries (-used in monitoring.tf +in queries/):\n%s", diff)
	}
}

// The page for operators has the name of each alert.
func TestAlertsAreExplained(t *testing.T) {
	page, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, alerts := range []string{"metric_alerts", "log_alerts"} {
		for name := range readModule(t).local(t, alerts).AsValueMap() {
			if !strings.Contains(string(page), "`"+name+"`") {
				t.Errorf("docs/operations.md does not say what the alert %s means", name)
			}
		}
	}
}

// Every event is used by some query.
func TestEveryEventIsSeen(t *testing.T) {
	seen := map[string]bool{}
	for _, query := range readQueries(t) {
		events, _ := named(query)
		for _, event := range events {
			seen[event] = true
		}
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(loggedEvents())), slices.Sorted(maps.Keys(seen))); diff != "" {
		t.Errorf("events (-logged +queried):\n%s", diff)
	}
}

func readQueries(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("queries/*.kql")
	if err != nil {
		t.Fatal(err)
	}
	queries := map[string]string{}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		queries[strings.TrimSuffix(filepath.Base(name), ".kql")] = string(text)
	}
	return queries
}
