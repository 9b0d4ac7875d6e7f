package request

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"goldmint/internal/tree"
)

// The reasons for which a body is refused.
const (
	EmptyBody       = "EmptyBody"       // there is nothing in it
	RequestTooLarge = "RequestTooLarge" // it exceeds MaxBytes
	InvalidEncoding = "InvalidEncoding" // it is not UTF-8
	InvalidJSON     = "InvalidJSON"     // it is not one JSON object
	InvalidRequest  = "InvalidRequest"  // it breaks the contract
)

// maxProblems bounds what is said of one request: a hostile one can be wrong in ten thousand places.
const maxProblems = 50

// Invalid says why a body is no build request, with all problems at once, in the order in which they
// stand in the body.
type Invalid struct { //nolint:errname // callers read request.Invalid
	Reason   string    // one of the constants above
	Problems []Problem // at least one
	ID       string    // the build id in the body, when it can be read
	Digest   string    // hex SHA-256 of the body: tells one rejected body from another
}

// Problem is one thing to correct.
type Problem struct {
	Pointer    string // JSON pointer to the place (RFC 6901); "" is the whole body
	Path       string // the same for people: image.properties.storageProfile.dataDisks[0].lun
	Message    string // what is wrong and what is allowed
	tree.Place        // where it was written
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

// Refuse is an Invalid with one problem that concerns the whole document, at the place where it shows.
func Refuse(reason string, at tree.Place, format string, args ...any) *Invalid {
	return &Invalid{Reason: reason, Problems: []Problem{{Message: fmt.Sprintf(format, args...), Place: at}}}
}

// check collects the problems of one document. The first at a place wins: who speaks first knows the
// most precise reason.
type check struct {
	contract *contract
	seen     map[string]bool
	found    []finding
}

type finding struct {
	node *tree.Node
	Problem
}

func (c *check) add(n *tree.Node, format string, args ...any) {
	pointer := n.Pointer()
	if !c.seen[pointer] {
		c.seen[pointer] = true
		c.found = append(c.found, finding{n, Problem{Pointer: pointer, Path: n.Path(), Message: fmt.Sprintf(format, args...), Place: n.Place}})
	}
}

// problems are the findings in the order of the document, cut at maxProblems.
func (c *check) problems() []Problem {
	slices.SortFunc(c.found, func(a, b finding) int {
		return cmp.Or(tree.Compare(a.node, b.node), cmp.Compare(a.Pointer, b.Pointer))
	})
	var problems []Problem
	for _, f := range c.found[:min(len(c.found), maxProblems)] {
		problems = append(problems, f.Problem)
	}
	if more := len(c.found) - maxProblems; more > 0 {
		problems = append(problems, Problem{Message: fmt.Sprintf("and %d problems more", more)})
	}
	return problems
}
