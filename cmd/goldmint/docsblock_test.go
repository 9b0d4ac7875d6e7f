package main

import (
	"flag"
	"testing"

	"goldmint/internal/docblock"
)

var update = flag.Bool("update", false, "write what commands print into docs/retention.md and docs/doctor.md")

const retentionPage = "../../docs/retention.md"

// showsInDocs holds a command and what it printed against the block of that name in
// docs/retention.md, or writes it there.
func showsInDocs(t *testing.T, block, command, printed string) {
	t.Helper()
	name := block + ": go test ./cmd/goldmint -run 'TestPrune|TestPromote|TestVersions' -update"
	docblock.Hold(t, retentionPage, name, "\n```console\n$ "+command+"\n"+printed+"```\n\n", *update)
}
