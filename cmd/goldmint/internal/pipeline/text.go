package pipeline

import (
	"fmt"
	"html"
	"io"
	"strings"
	"time"

	"goldmint/internal/event"
)

// data is a text as a command's value: nothing in it ends the command or starts another one.
func (r *Reporter) data(s string) string {
	return r.escape(s, "##", "# #")
}

// property is a text as one of a command's properties.
func (r *Reporter) property(s string) string {
	return r.escape(s, ":", "%3A", ",", "%2C", ";", "%3B", "]", "%5D")
}

// escape knows that Azure DevOps writes the percent sign in its own way.
func (r *Reporter) escape(s string, more ...string) string {
	percent := "%25"
	if r.system == azureDevOps {
		percent = "%AZP25"
	}
	return strings.NewReplacer(append([]string{"%", percent, "\r", "%0D", "\n", "%0A"}, more...)...).Replace(s)
}

// oneLine keeps a value from starting another line of the outputs' file.
func oneLine(s string) string {
	return strings.NewReplacer("\r", " ", "\n", " ").Replace(s)
}

// Plain is a writer to the log whose text is no command, whatever it holds: Azure DevOps takes
// ##vso[ and ##[ anywhere in a line for one, GitHub Actions also :: at a line's start. A write is
// taken for whole lines.
func (r *Reporter) Plain(w io.Writer) io.Writer {
	if r.system == none {
		return w
	}
	return plainWriter{w}
}

type plainWriter struct{ to io.Writer }

func (w plainWriter) Write(text []byte) (int, error) {
	lines := strings.SplitAfter(string(text), "\n")
	for i, line := range lines {
		if strings.HasPrefix(strings.TrimSpace(line), "::") {
			line = strings.Replace(line, "::", ": :", 1)
		}
		lines[i] = strings.ReplaceAll(line, "##", "# #")
	}
	if _, err := io.WriteString(w.to, strings.Join(lines, "")); err != nil {
		return 0, err
	}
	return len(text), nil
}

// summary is a table in Markdown.
func summary(e event.Event) string {
	var b strings.Builder
	d := e.Data
	fmt.Fprintf(&b, "### Image build %s: %s\n\n| | |\n| --- | --- |\n", cell(d.BuildID), strings.TrimPrefix(e.Type, "goldmint.build."))
	row := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "| %s | %s |\n", name, cell(value))
		}
	}
	if e.Type == event.Succeeded {
		row("image", d.ImageID)
	}
	row("name", d.Name)
	row("resource group", d.ResourceGroup)
	row("region", d.Location)
	if r := d.ReplicationStatus; r != nil {
		for _, region := range r.Summary {
			row("in "+region.Region, strings.TrimSpace(region.State+" "+region.Details))
		}
	}
	row("generation", d.HyperVGeneration)
	row("source", strings.TrimSpace(d.Source.Type+" "+d.Source.ID))
	row("waited", seconds(d.WaitSeconds))
	row("took", seconds(d.DurationSeconds))
	if d.Error != nil {
		row("error", d.Error.Code)
		row("message", d.Error.Message)
		row("hint", d.Error.Hint)
	}
	for _, p := range d.Problems {
		row(p.Path, p.Message)
	}
	return b.String() + "\n"
}

func seconds(s float64) string {
	if s == 0 {
		return ""
	}
	return time.Duration(s * float64(time.Second)).Round(100 * time.Millisecond).String()
}

// cell is a text in a table that is nothing but a text.
func cell(s string) string {
	s = html.EscapeString(oneLine(s))
	return "<code>" + strings.NewReplacer("|", "&#124;", "`", "&#96;", "*", "&#42;", "_", "&#95;", "[", "&#91;").Replace(s) + "</code>"
}
