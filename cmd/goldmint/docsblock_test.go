package main

import (
	"flag"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write what commands print into docs/retention.md")

const retentionPage = "../../docs/retention.md"

// showsInDocs holds a command and what it printed against the block of that name in docs/retention.md, or writes it there.
func showsInDocs(t *testing.T, block, command, printed string) {
	t.Helper()
	page := text(t, retentionPage)
	begin, end := "<!-- "+block+": go test ./cmd/goldmint -run 'TestPrune|TestPromote|TestVersions' -update -->\n", "<!-- end -->"
	before, rest, ok := strings.Cut(page, begin)
	shown, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatalf("%s has no block %q", retentionPage, begin)
	}
	want := "\n```console\n$ " + command + "\n" + printed + "```\n\n"
	if shown == want {
		return
	}
	if !*update {
		t.Errorf("%s shows another output of %s: run this test with -update", retentionPage, command)
		return
	}
	if err := os.WriteFile(retentionPage, []byte(before+begin+want+end+after), 0o600); err != nil {
		t.Fatal(err)
	}
}
