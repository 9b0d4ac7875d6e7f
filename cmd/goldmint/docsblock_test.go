package main

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write what commands print into docs/retention.md and docs/doctor.md")

const retentionPage = "../../docs/retention.md"

// showsInDocs holds a command and what it printed against the block of that name in
// docs/retention.md, or writes it there.
func showsInDocs(t *testing.T, block, command, printed string) {
	t.Helper()
	holdBlock(t, retentionPage, block+": go test ./cmd/goldmint -run 'TestPrune|TestPromote|TestVersions' -update", "\n```console\n$ "+command+"\n"+printed+"```\n\n")
}

// holdBlock compares the block of a page that a marker begins, or writes it with -update.
func holdBlock(t *testing.T, pagePath, marker, want string) {
	t.Helper()
	page := text(t, pagePath)
	begin, end := "<!-- "+marker+" -->\n", "<!-- end -->"
	before, rest, ok := strings.Cut(page, begin)
	shown, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatalf("%s has no block %q; it would hold\n%s", pagePath, begin, want)
	}
	if shown == want {
		return
	}
	if !*update {
		t.Errorf("%s says otherwise: run this test with -update (-page +printed):\n%s", pagePath, cmp.Diff(shown, want))
		return
	}
	if err := os.WriteFile(pagePath, []byte(before+begin+want+end+after), 0o600); err != nil {
		t.Fatal(err)
	}
}
