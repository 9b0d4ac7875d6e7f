package main

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"goldmint/cmd/goldmint/internal/screen"
)

// The help of every command fits a terminal of 80 columns and shows how the command is used.
func TestHelpFits(t *testing.T) {
	var check func(c *cobra.Command)
	check = func(c *cobra.Command) {
		var out, errOut strings.Builder
		args := append([]string{"help"}, strings.Fields(c.CommandPath())[1:]...)
		if status := execute(t.Context(), args, nil, &out, &errOut); status != exitOK || errOut.Len() > 0 {
			t.Errorf("%v: exit status %d, %s", args, status, errOut.String())
		}
		for line := range strings.Lines(out.String()) {
			if line = strings.TrimRight(line, "\n"); screen.Width(line) > helpWidth {
				t.Errorf("%s: %d columns: %s", c.CommandPath(), screen.Width(line), line)
			}
		}
		if strings.Contains(out.String(), "Usage:") && c.Runnable() && c.HasFlags() && !c.HasSubCommands() && c.HasParent() && c.Example == "" && c.Name() != "help" {
			t.Errorf("%s has flags and no example", c.CommandPath())
		}
		for _, sub := range c.Commands() {
			if sub.Name() != "completion" { // cobra's own
				check(sub)
			}
		}
	}
	check(newRoot())
}

func TestFill(t *testing.T) {
	text := `One sentence that is
longer than a line.
  a     table of
  bb b  two columns, each

The next.`
	want := `One sentence that
is longer than a
line.
  a     table of
  bb b  two
        columns,
        each

The next.`
	if diff := cmp.Diff(want, fill(text, 18)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// The list of make's targets and the requests to start from fit 80 columns, but for long ids.
func TestFirstScreensFit(t *testing.T) {
	for _, m := range regexp.MustCompile(`(?m)^[a-z-]+:.*## (.*)$`).FindAllStringSubmatch(text(t, filepath.Join(repository, "Makefile")), -1) {
		if width := len("  make ") + 13 + 1 + screen.Width(m[1]); width > 80 {
			t.Errorf("%d columns: %s", width, m[1])
		}
	}
	files, err := templates.ReadDir("templates")
	if err != nil || len(files) < 5 {
		t.Fatalf("%d templates: %v", len(files), err)
	}
	for _, file := range files {
		for line := range strings.Lines(text(t, filepath.Join("templates", file.Name()))) {
			_, last, _ := strings.Cut(strings.TrimLeft(line, " #"), " ")
			if width := screen.Width(strings.TrimRight(line, "\n")); width > 80 && strings.Contains(last, " ") {
				t.Errorf("%s: %d columns: %s", file.Name(), width, line)
			}
		}
	}
}
