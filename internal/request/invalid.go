package request

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// The reasons for which a body is refused.
const (
	EmptyBody       = "EmptyBody"       // there is nothing in it
	RequestTooLarge = "RequestTooLarge" // it exceeds MaxBytes
	InvalidEncoding = "InvalidEncoding" // it is not UTF-8
	InvalidJSON     = "InvalidJSON"     // it is not one JSON object
	InvalidRequest  = "InvalidRequest"  // it breaks the contract
)

// maxProblems bounds what is told about one request: a hostile one can be
// wrong in ten thousand places.
const maxProblems = 50

// Invalid says why a body is no build request, with all problems at once, in
// the order in which they stand in the body.
type Invalid struct { //nolint:errname // callers read request.Invalid
	Reason   string    // one of the constants above
	Problems []Problem // at least one
	ID       string    // the build id in the body, when it can be read
	Digest   string    // hex SHA-256 of the body: tells one rejected body from another
}

// Problem is one thing to correct.
type Problem struct {
	Pointer string // JSON pointer to the place (RFC 6901); "" is the whole body
	Path    string // the same for people: image.properties.storageProfile.dataDisks[0].lun
	Message string // what is wrong and what is allowed
	Line    int    // where it stands in the body, from 1; 0 when there is no place
	Column  int    // in characters, from 1
}

// String is the path and the message.
func (p Problem) String() string {
	if p.Path == "" {
		return p.Message
	}
	return p.Path + ": " + p.Message
}

// Error lists all problems: on one line when there is one, else one a line.
func (e *Invalid) Error() string {
	if len(e.Problems) == 1 {
		return e.Reason + ": " + e.Problems[0].String()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %d problems", e.Reason, len(e.Problems))
	for _, p := range e.Problems {
		b.WriteString("\n- " + p.String())
	}
	return b.String()
}

// refuse is an Invalid with one problem that concerns the whole body.
func refuse(reason, format string, args ...any) *Invalid {
	return &Invalid{Reason: reason, Problems: []Problem{{Message: fmt.Sprintf(format, args...)}}}
}

// findings collects the problems of one document. The first finding at a place
// wins: whoever speaks first knows the most precise reason.
type findings struct {
	doc  *document
	seen map[string]bool
	list []finding
}

type finding struct {
	pointer, message string
	offset           int
}

func (f *findings) add(pointer, format string, args ...any) {
	if f.seen[pointer] {
		return
	}
	f.seen[pointer] = true
	f.list = append(f.list, finding{pointer, fmt.Sprintf(format, args...), f.doc.offset(pointer)})
}

// problems are the findings in the order of the document, cut at maxProblems.
func (f *findings) problems() []Problem {
	slices.SortFunc(f.list, func(a, b finding) int {
		return cmp.Or(cmp.Compare(a.offset, b.offset), cmp.Compare(a.pointer, b.pointer))
	})
	var problems []Problem
	for _, found := range f.list[:min(len(f.list), maxProblems)] {
		line, column := lineAndColumn(f.doc.body, found.offset)
		problems = append(problems, Problem{found.pointer, path(found.pointer), found.message, line, column})
	}
	if more := len(f.list) - maxProblems; more > 0 {
		problems = append(problems, Problem{Message: fmt.Sprintf("and %d problems more", more)})
	}
	return problems
}
