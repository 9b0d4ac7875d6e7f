// Package emulator_test holds the table of what the emulators do to the tests that show it.
package emulator_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	section = regexp.MustCompile(`^## .*\(([a-z/]+)\)$`)
	cited   = regexp.MustCompile("`((?:Test|Fuzz)[A-Za-z0-9]+)`(?: \\(([a-z./]+)\\))?")
)

// TestEveryFactHasItsTest: a line of facts.md names tests that are there, or says why it has none.
func TestEveryFactHasItsTest(t *testing.T) {
	text, err := os.ReadFile("facts.md")
	if err != nil {
		t.Fatal(err)
	}
	dir, rows := "", 0
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if m := section.FindStringSubmatch(line); m != nil {
			dir = m[1]
		}
		cells := strings.Split(strings.Trim(line, "|"), " | ")
		if dir == "" || !strings.HasPrefix(line, "|") || strings.HasPrefix(line, "| ---") || len(cells) == 2 && strings.HasPrefix(cells[1], "held by") {
			continue
		}
		rows++
		if len(cells) != 2 {
			t.Errorf("%d columns, want a fact and its tests: %s", len(cells), line)
			continue
		}
		tests := cited.FindAllStringSubmatch(cells[1], -1)
		if len(tests) == 0 && !strings.HasPrefix(cells[1], "not shown: ") {
			t.Errorf("neither a test nor a reason: %s", line)
		}
		for _, c := range tests {
			in := dir
			if c[2] != "" {
				in = c[2]
			}
			if !testsOf(t, in)[c[1]] {
				t.Errorf("%s has no %s: %s", in, c[1], line)
			}
		}
	}
	if rows < 60 {
		t.Errorf("read %d lines, the table has more", rows)
	}
}

var declared = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)[A-Za-z0-9]+)\(`)

func testsOf(t *testing.T, dir string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range declared.FindAllStringSubmatch(string(source), -1) {
			names[m[1]] = true
		}
	}
	return names
}
