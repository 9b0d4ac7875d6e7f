package main

import (
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/spf13/cobra"

	"goldmint/internal/request"
)

const repository = "../.."

// page is a document for people, split into its prose and its code.
type page struct {
	path  string   // from the repository's root
	prose string   // without fenced blocks
	code  []string // lines that a reader may run, and inline code
	json  []string // fenced blocks of JSON
}

// What the pages link to exists, and the commands that they show can be run.
func TestDocs(t *testing.T) {
	makefile := text(t, filepath.Join(repository, "Makefile"))
	for _, p := range pages(t) {
		t.Run(p.path, func(t *testing.T) {
			checkLinks(t, p)
			checkPaths(t, p)
			for _, line := range p.code {
				checkMake(t, line, makefile)
				checkGoTest(t, line)
				for _, words := range goldmintLines(line) {
					checkCommand(t, words)
				}
			}
			checkRequests(t, p)
		})
	}
}

func TestDocsAreRead(t *testing.T) {
	p := readPage("x.md", "See `make a` and [b](c.md).\n```console\n$ goldmint wait web-1 | cat\n✓ done\n```\n```\npicture\n```\n")
	if want := []string{"make a", "goldmint wait web-1 | cat"}; !slices.Equal(p.code, want) {
		t.Errorf("code %q, want %q", p.code, want)
	}
	for line, want := range map[string]string{
		`image=$(goldmint submit web.yaml --set name=web-$(date +%Y%m%d) --wait)`: "submit web.yaml --set name=web-X --wait",
		`az x -o json | bin/goldmint doctor --settings -`:                         "doctor --settings -",
		`goldmint new vm > web.yaml   # a comment`:                                "new vm",
	} {
		if got := goldmintLines(line); len(got) != 1 || strings.Join(got[0], " ") != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
	if got, want := anchor("## Where this `goldmint` differs: a, b"), "where-this-goldmint-differs-a-b"; got != want {
		t.Errorf("anchor %q, want %q", got, want)
	}
}

// Each line of the path that docs/design.md begins with names functions, and links the file that
// declares them.
func TestDocsPathOfAMessage(t *testing.T) {
	_, rest, _ := strings.Cut(text(t, filepath.Join(repository, "docs/design.md")), "## The path of a message\n")
	path, _, _ := strings.Cut(rest, "\n## ")
	lines := regexp.MustCompile(`(?m)^\d+\. .*$`).FindAllString(path, -1)
	if len(lines) != 10 {
		t.Fatalf("%d lines, want 10", len(lines))
	}
	for _, line := range lines {
		var source string
		for _, m := range link.FindAllStringSubmatch(line, -1) {
			if strings.HasSuffix(m[1], ".go") {
				source += text(t, filepath.Join(repository, "docs", m[1]))
			}
		}
		names := inlineCode.FindAllStringSubmatch(line, -1)
		if len(names) == 0 {
			t.Errorf("no function is named: %s", line)
		}
		for _, name := range names {
			if !regexp.MustCompile(`(?m)^func (\([^)]*\) )?` + regexp.QuoteMeta(name[1]) + `[\[(]`).MatchString(source) {
				t.Errorf("%s is not declared in the linked file: %s", name[1], line)
			}
		}
	}
}

// pages are the README, its neighbours, and what docs/, examples/ and emulator/ hold for people.
func pages(t *testing.T) []page {
	t.Helper()
	var all []page
	for _, root := range []string{"README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "docs", "examples", "emulator"} {
		err := filepath.WalkDir(filepath.Join(repository, root), func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.Name() == "node_modules" {
				return fs.SkipDir
			}
			if err != nil || filepath.Ext(path) != ".md" {
				return err
			}
			from, err := filepath.Rel(repository, path)
			all = append(all, readPage(from, text(t, path)))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(all) < 10 {
		t.Fatalf("only %d pages", len(all))
	}
	return all
}

var (
	fence      = regexp.MustCompile("(?ms)^ *```([a-z]*)\n(.*?)^ *```$")
	inlineCode = regexp.MustCompile("`([^`\n]+)`")
)

func readPage(path, markdown string) page {
	p := page{path: path, prose: fence.ReplaceAllString(markdown, "")}
	for _, m := range inlineCode.FindAllStringSubmatch(p.prose, -1) {
		p.code = append(p.code, m[1])
	}
	for _, m := range fence.FindAllStringSubmatch(markdown, -1) {
		if m[1] == "json" {
			p.json = append(p.json, m[2])
		}
		for line := range strings.Lines(m[2]) {
			command, prompt := strings.CutPrefix(strings.TrimSpace(line), "$ ")
			if prompt || m[1] == "sh" {
				p.code = append(p.code, command)
			}
		}
	}
	return p
}

var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

func checkLinks(t *testing.T, p page) {
	t.Helper()
	for _, m := range link.FindAllStringSubmatch(p.prose, -1) {
		to, err := url.Parse(m[1])
		if err != nil || to.Scheme != "" {
			continue // elsewhere
		}
		target := filepath.Join(filepath.Dir(p.path), to.Path)
		if to.Path == "" {
			target = p.path
		}
		if _, err := os.Stat(filepath.Join(repository, target)); err != nil {
			t.Errorf("%s leads nowhere", m[1])
		} else if to.Fragment != "" && !slices.Contains(anchors(t, target), to.Fragment) {
			t.Errorf("%s: %s has no such heading", m[1], target)
		}
	}
}

var heading = regexp.MustCompile(`(?m)^#+ .*$`)

func anchors(t *testing.T, path string) []string {
	t.Helper()
	var all []string
	for _, h := range heading.FindAllString(fence.ReplaceAllString(text(t, filepath.Join(repository, path)), ""), -1) {
		all = append(all, anchor(h))
	}
	return all
}

// anchor is GitHub's name for a heading.
func anchor(heading string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
			return unicode.ToLower(r)
		}
		return -1
	}, strings.TrimSpace(strings.TrimLeft(heading, "#")))
}

var ownPath = regexp.MustCompile(`^(?:cmd|docs|emulator|examples|handler|infra|internal|schema)/[\w./*-]*$`)

// checkPaths holds that files and folders of the repository that a page names are there.
func checkPaths(t *testing.T, p page) {
	t.Helper()
	for _, m := range inlineCode.FindAllStringSubmatch(p.prose, -1) {
		if !ownPath.MatchString(m[1]) || strings.HasPrefix(m[1], "infra/terraform.tfstate") || m[1] == "infra/dev.tfvars" {
			continue // not ours, or the reader's own
		}
		if found, err := filepath.Glob(filepath.Join(repository, m[1])); err != nil || len(found) == 0 {
			t.Errorf("%s is not in the repository", m[1])
		}
	}
}

var makeTargets = regexp.MustCompile(`(?:^|&& )make((?: [a-z][a-z-]*)+)`)

func checkMake(t *testing.T, line, makefile string) {
	t.Helper()
	for _, m := range makeTargets.FindAllStringSubmatch(line, -1) {
		for _, target := range strings.Fields(m[1]) {
			if !strings.Contains(makefile, "\n"+target+":") {
				t.Errorf("%s: the Makefile has no %s", line, target)
			}
		}
	}
}

var goTest = regexp.MustCompile(`^go test \./(\S+)(?: -run (\w+))?`)

func checkGoTest(t *testing.T, line string) {
	t.Helper()
	m := goTest.FindStringSubmatch(line)
	if m == nil {
		return
	}
	files, err := filepath.Glob(filepath.Join(repository, m[1], "*_test.go"))
	if err != nil || len(files) == 0 {
		t.Errorf("%s: no tests there", line)
	}
	named := regexp.MustCompile(`func \w*` + m[2]) // -run takes a part of a name
	if !slices.ContainsFunc(files, func(f string) bool { return named.MatchString(text(t, f)) }) {
		t.Errorf("%s: no such test", line)
	}
}

var (
	substitution = regexp.MustCompile(`\$\([^()]*\)`)
	invocation   = regexp.MustCompile(`(?:^|[\s(/])goldmint ([a-z][^|;&)#>]*)`)
)

// goldmintLines are the arguments of each goldmint command of a shell line.
func goldmintLines(line string) [][]string {
	line = substitution.ReplaceAllStringFunc(line, func(inner string) string {
		if strings.Contains(inner, "goldmint ") {
			return inner
		}
		return "X"
	})
	var all [][]string
	for _, m := range invocation.FindAllStringSubmatch(line, -1) {
		all = append(all, strings.Fields(m[1]))
	}
	return all
}

// checkCommand holds that a command and its flags exist. Words that are no flags are not looked at.
func checkCommand(t *testing.T, words []string) {
	t.Helper()
	root := newRoot()
	root.InitDefaultHelpCmd()
	command, rest, err := root.Find(words)
	if err != nil {
		t.Errorf("goldmint %s: %v", strings.Join(words, " "), err)
		return
	}
	command.InitDefaultHelpFlag()
	if command.Name() == "help" {
		if topic, _, err := root.Find(rest); err != nil || topic == root {
			t.Errorf("goldmint help %s: no such topic", strings.Join(rest, " "))
		}
		return
	}
	if command.HasSubCommands() && len(rest) > 0 && !strings.HasPrefix(rest[0], "-") {
		t.Errorf("goldmint %s: %s has no %s", strings.Join(words, " "), command.CommandPath(), rest[0])
	}
	for _, word := range rest {
		if !hasFlag(command, strings.Trim(word, `"'[]`)) {
			t.Errorf("goldmint %s: %s has no flag %s", strings.Join(words, " "), command.CommandPath(), word)
		}
	}
}

// hasFlag is whether a word is one of the command's flags, or no flag at all.
func hasFlag(command *cobra.Command, word string) bool {
	if long, ok := strings.CutPrefix(word, "--"); ok {
		name, _, _ := strings.Cut(long, "=")
		return command.Flag(name) != nil
	}
	if short, ok := strings.CutPrefix(word, "-"); ok && len(short) == 1 {
		return command.Flags().ShorthandLookup(short) != nil || command.InheritedFlags().ShorthandLookup(short) != nil
	}
	return true
}

// checkRequests holds that requests which a page shows are accepted.
func checkRequests(t *testing.T, p page) {
	t.Helper()
	for _, body := range p.json {
		if strings.Contains(body, `"specversion"`) {
			continue // an event
		}
		if _, err := request.Decode([]byte(body)); err != nil {
			t.Errorf("%v\n%s", err, body)
		}
	}
}
