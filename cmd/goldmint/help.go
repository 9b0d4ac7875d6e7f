package main

import (
	"regexp"
	"strings"

	"github.com/spf13/cobra"
)

// helpWidth is a width that every terminal has.
const helpWidth = 80

// fitHelp makes the help of the command and of all below it fit a screen, however long the lines of
// its source are.
func fitHelp(c *cobra.Command) {
	c.Long = fill(c.Long, helpWidth)
	c.Example = continued(c.Example, helpWidth)
	for _, sub := range c.Commands() {
		fitHelp(sub)
	}
}

// usageTemplate is cobra's own, with flags that fit a screen.
func usageTemplate(c *cobra.Command) string {
	return strings.NewReplacer(
		".LocalFlags.FlagUsages", ".LocalFlags.FlagUsagesWrapped 80",
		" for more information about a command.", " says more about a command.",
		".InheritedFlags.FlagUsages", ".InheritedFlags.FlagUsagesWrapped 80",
	).Replace(c.UsageTemplate())
}

// fill wraps paragraphs to a width. A line that begins with blanks belongs to a table: it continues
// under the second column.
func fill(text string, width int) string {
	var lines []string
	open := false // the last line belongs to a paragraph that may continue
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		switch {
		case line == "":
			lines, open = append(lines, ""), false
		case line[0] == ' ':
			lines, open = append(lines, wrap(line, secondColumn(line), width)...), false
		case open:
			last := len(lines) - 1
			lines = append(lines[:last:last], wrap(lines[last]+" "+line, 0, width)...)
		default:
			lines, open = append(lines, wrap(line, 0, width)...), true
		}
	}
	return strings.Join(lines, "\n")
}

// continued breaks a shell command with backslashes.
func continued(text string, width int) string {
	var lines []string
	for line := range strings.Lines(text) {
		line = flagAndValue.ReplaceAllString(strings.TrimRight(line, "\n"), "$1\x00$2")
		parts := wrap(line, 4, width-len(` \`))
		lines = append(lines, strings.ReplaceAll(strings.Join(parts, " \\\n"), "\x00", " "))
	}
	return strings.Join(lines, "\n")
}

// flagAndValue stay together.
var flagAndValue = regexp.MustCompile(`( --?[a-z-]+) ([^-| ])`)

var column = regexp.MustCompile(`^ +\S+( \S+)*  +`)

func secondColumn(line string) int {
	if found := column.FindString(line); found != "" {
		return len(found)
	}
	return len(line) - len(strings.TrimLeft(line, " "))
}

// wrap breaks a line at blanks. Continuation lines are indented.
func wrap(line string, indent, width int) (lines []string) {
	for {
		end := strings.LastIndexByte(line[:min(len(line), width+1)], ' ')
		if len([]rune(line)) <= width || end <= indent {
			return append(lines, line)
		}
		lines = append(lines, strings.TrimRight(line[:end], " "))
		line = strings.Repeat(" ", indent) + line[end+1:]
	}
}
