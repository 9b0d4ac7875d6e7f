package requestfile

import (
	"fmt"
	"io"
)

// Invalid is everything that is wrong with a request, in the order in which it stands in the file.
type Invalid struct { //nolint:errname // callers read requestfile.Invalid
	File     string
	Reason   string // a reason of package request, or InvalidYAML
	Problems []Problem
}

// Problem is one thing to correct.
type Problem struct {
	Path    string // image.properties.storageProfile.dataDisks[0].lun; empty for the whole
	Message string
	place   place
}

// Place is where the problem stands: a line and a column of the file, from 1; 0 when it has no place in the file.
func (p Problem) Place() (line, column int) {
	if p.place.source == nil || p.place.source.setting {
		return 0, 0
	}
	return p.place.line, p.place.column
}

// String is the path and the message.
func (p Problem) String() string {
	if p.Path == "" {
		return p.Message
	}
	return p.Path + ": " + p.Message
}

// Error says how many problems there are, or the only one.
func (e *Invalid) Error() string {
	if len(e.Problems) == 1 {
		return e.File + ": " + e.Problems[0].String()
	}
	return fmt.Sprintf("%s has %d problems", e.File, len(e.Problems))
}

// Show writes each problem with its line of the file and a caret under the place.
func (e *Invalid) Show(w io.Writer) {
	for _, p := range e.Problems {
		if p.place.line == 0 {
			_, _ = fmt.Fprintf(w, "%s: %s\n", e.File, p)
			continue
		}
		_, _ = fmt.Fprintf(w, "%s: %s\n%s", p.place, p, p.place.excerpt())
	}
}
