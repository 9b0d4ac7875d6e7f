// Package docblock lets tests write the blocks of documents that show what the code prints.
//
// A block stands between the lines <!-- NAME --> and <!-- end -->.
package docblock

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Hold compares the block of that name with what the code prints, or writes it where update is set.
func Hold(tb testing.TB, page, name, want string, update bool) {
	tb.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		tb.Fatal(err)
	}
	begin, end := "<!-- "+name+" -->\n", "<!-- end -->"
	before, rest, ok := strings.Cut(string(text), begin)
	shown, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		tb.Fatalf("%s has no block %q; it would hold\n%s", page, begin, want)
	}
	if shown == want {
		return
	}
	if !update {
		tb.Errorf("%s says otherwise: run this test with -update (-page +printed):\n%s", page, cmp.Diff(shown, want))
		return
	}
	if err := os.WriteFile(page, []byte(before+begin+want+end+after), 0o600); err != nil { //nolint:gosec // the page that a test names
		tb.Fatal(err)
	}
}
