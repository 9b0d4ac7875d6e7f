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

// Decode reads a build request. It fills in defaults, the leading slash of ids and the generation
// of an image from a blob. Every other value stays as given. The error is always an [*Invalid].
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

// FromTree makes the request that a document asks for, in any format. It also completes the
// document. The error is always an [*Invalid].
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
		c.ruleVersionName(root) // its message about a version's name is better than that of the pattern for all names
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

// typed converts a document without problems to Go types.
func typed(root *tree.Node) (Request, error) {
	properties := root.At("image", "properties")
	if n := properties.At("hyperVGeneration"); !n.Given() && properties.At("storageProfile", "osDisk", "blobUri").Given() {
		n.Set(&tree.Node{Kind: tree.String, Text: string(armcompute.HyperVGenerationTypesV1)}) // Azure requires it
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
	EmptyBody       = "EmptyBody"       // it is empty
	RequestTooLarge = "RequestTooLarge" // it exceeds MaxBytes
	InvalidEncoding = "InvalidEncoding" // it is not UTF-8
	InvalidJSON     = "InvalidJSON"     // it is not one JSON object
	InvalidRequest  = "InvalidRequest"  // it breaks the contract
)

// maxProblems bounds the problems of one request, because a hostile one can be wrong in ten
// thousand places.
const maxProblems = 50

// Invalid says why a body is no build request. It has all problems, in the order of the body.
type Invalid struct { //nolint:errname // callers read request.Invalid
	Reason   string    // one of the constants above
	Problems []Problem // at least one
	ID       string    // the build id in the body, when it can be read
	Digest   string    // hex SHA-256 of the body: distinguishes rejected bodies
}

// Problem is one thing to correct.
type Problem struct {
	Pointer    string // JSON pointer to the place (RFC 6901); "" is the whole body
	Path       string // the place as people write it: image.properties.storageProfile.dataDisks[0].lun
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

// Error lists all problems: a single one on the same line, otherwise one per line.
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

// Refuse is an Invalid with one problem of the whole document, at the place where it was noticed.
func Refuse(reason string, at tree.Place, format string, args ...any) *Invalid {
	return &Invalid{Reason: reason, Problems: []Problem{{Message: fmt.Sprintf(format, args...), Place: at}}}
}

// check collects the problems of one document. The first problem at a place wins, because the more
// precise checks run first.
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

// problems are the problems in the order of the document, cut at maxProblems.
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
