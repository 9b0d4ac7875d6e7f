package goldmint_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestSecurityNamesItsTests: each line of a table in the threat model names what holds it, and all
// that is named exists.
func TestSecurityNamesItsTests(t *testing.T) {
	page, err := os.ReadFile("docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	there := testsOfTheModule(t)
	named := regexp.MustCompile("`((?:Test|Fuzz)[A-Za-z0-9]+)`")
	lines := 0
	for row := range strings.Lines(string(page)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(row), "|"), "|")
		if !strings.HasPrefix(row, "| ") || len(cells) != 3 || !strings.Contains(row, "`Test") && !strings.Contains(row, "`Fuzz") {
			continue
		}
		lines++
		for _, m := range named.FindAllStringSubmatch(row, -1) {
			if !there[m[1]] {
				t.Errorf("%s does not exist; it should hold:%s", m[1], cells[0])
			}
		}
	}
	if lines < 30 {
		t.Errorf("%d lines of the threat model name a test", lines)
	}
	for _, m := range regexp.MustCompile(`(?m)^\| (?:a sender|.*mistake).*\n\| ---.*\n((?:\|.*\n)+)`).FindAllStringSubmatch(string(page), -1) {
		for row := range strings.Lines(m[1]) {
			if !named.MatchString(row) {
				t.Errorf("no test is named by: %s", row)
			}
		}
	}
}

// testsOfTheModule are the names of all tests and fuzz targets.
func testsOfTheModule(t *testing.T) map[string]bool {
	t.Helper()
	declared := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)[A-Za-z0-9]+)\(`)
	there := map[string]bool{}
	err := filepath.WalkDir(".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, m := range declared.FindAllStringSubmatch(string(text), -1) {
			there[m[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return there
}
