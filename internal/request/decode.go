package request

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"

	"goldmint/internal/iso8601"
	"goldmint/internal/tree"
)

// Decode reads a build request. What is left out gets its default, ids get their leading slash and
// an image from a blob its generation; every other value stays as given. The error is always an
// [*Invalid].
func Decode(body []byte) (Request, error) {
	return decode(body, MaxBytes, true)
}

func decode(body []byte, maxBytes int, fresh bool) (Request, error) {
	var r Request
	var root *tree.Node
	var err error
	if len(body) > maxBytes {
		err = Refuse(RequestTooLarge, tree.Place{}, "the body has %d bytes; at most %d are allowed", len(body), maxBytes)
	} else if root, err = Parse(&tree.Source{Text: body}); err == nil {
		r, err = fromTree(root, maxBytes, fresh)
	}
	if invalid := (*Invalid)(nil); errors.As(err, &invalid) {
		sum := sha256.Sum256(body)
		invalid.Digest = hex.EncodeToString(sum[:])
	}
	return r, err
}

// FromTree makes the request that a document asks for, whatever the document was written in. It
// completes the document on the way. The error is always an [*Invalid].
func FromTree(root *tree.Node) (Request, error) {
	return fromTree(root, MaxBytes, true)
}

func fromTree(root *tree.Node, maxBytes int, fresh bool) (Request, error) {
	if root.Kind != tree.Object {
		return Request{}, Refuse(InvalidJSON, root.Place, "%s", notAnObject(root))
	}
	c := &check{contract: loadContract(), seen: make(map[string]bool)}
	if !c.enveloped(root) {
		c.repeated(root)
		c.contract.complete(root)
		c.ruleVersionName(root) // which says better what is wrong with a version's name than the pattern of all names
		c.value(c.contract.schema, root)
		c.rules(root)
		if fresh {
			c.ruleEndOfLife(root)
		}
	}
	if problems := c.problems(); len(problems) > 0 {
		id, _ := root.At("id").String()
		if !idForm.MatchString(id) {
			id = ""
		}
		return Request{}, &Invalid{Reason: InvalidRequest, Problems: problems, ID: id}
	}
	r, err := typed(root)
	if err != nil {
		return Request{}, Refuse(InvalidRequest, root.Place, "%v", err)
	}
	if size := len(r.Canonical()); size > maxBytes {
		return Request{}, Refuse(RequestTooLarge, tree.Place{}, "the body has %d bytes once its defaults are filled in; at most %d are allowed", size, maxBytes)
	}
	return r, nil
}

func notAnObject(root *tree.Node) string {
	if root.Kind == tree.String && strings.HasPrefix(strings.TrimSpace(root.Text), "{") {
		return "the body is a JSON string that holds JSON: it was encoded twice; send the object itself"
	}
	return "the body is a JSON " + string(root.Kind) + "; send one JSON object"
}

// typed is the Go form of a document without problems.
func typed(root *tree.Node) (Request, error) {
	properties := root.At("image", "properties")
	if n := properties.At("hyperVGeneration"); !n.Given() && properties.At("storageProfile", "osDisk", "blobUri").Given() {
		n.Set(&tree.Node{Kind: tree.String, Text: string(armcompute.HyperVGenerationTypesV1)}) // which Azure wants to be told
	}
	w := wire{IfExists: Fail, Timeout: iso8601.Format(DefaultTimeout)}
	if root.At("galleryImageVersion").Given() {
		w.Timeout = iso8601.Format(DefaultVersionTimeout)
	}
	if err := json.Unmarshal(root.JSON(), &w); err != nil {
		return Request{}, err
	}
	if len(w.Metadata) == 0 {
		w.Metadata = nil
	}
	timeout, err := iso8601.Parse(w.Timeout)
	return Request{
		ID:             w.ID,
		SubscriptionID: w.SubscriptionID,
		ResourceGroup:  w.ResourceGroup,
		Name:           w.Name,
		IfExists:       w.IfExists,
		Timeout:        timeout,
		Metadata:       w.Metadata,
		Image:          value(w.Image),

		GalleryName:         w.GalleryName,
		GalleryImageName:    w.GalleryImageName,
		GalleryImageVersion: w.GalleryImageVersion,
	}, err
}

// The reasons for which a body is refused.
const (
	EmptyBody       = "EmptyBody"       // there is nothing in it
	RequestTooLarge = "RequestTooLarge" // it exceeds MaxBytes
	InvalidEncoding = "InvalidEncoding" // it is not UTF-8
	InvalidJSON     = "InvalidJSON"     // it is not one JSON object
	InvalidRequest  = "InvalidRequest"  // it breaks the contract
)

// maxProblems bounds what is said of one request: a hostile one can be wrong in ten thousand
// places.
const maxProblems = 50

// Invalid says why a body is no build request, with all problems at once, in the order in which
// they stand in the body.
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

// Refuse is an Invalid with one problem that concerns the whole document, at the place where it
// shows.
func Refuse(reason string, at tree.Place, format string, args ...any) *Invalid {
	return &Invalid{Reason: reason, Problems: []Problem{{Message: fmt.Sprintf(format, args...), Place: at}}}
}

// check collects the problems of one document. The first at a place wins: who speaks first knows
// the most precise reason.
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
