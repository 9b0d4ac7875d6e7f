package request

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"

	"goldmint/internal/iso8601"
	"goldmint/internal/tree"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"
)

// Decode reads a build request. What is left out gets its default, ids get their leading slash and an
// image from a blob its generation; every other value stays as given. The error is always an [*Invalid].
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

// FromTree makes the request that a document asks for, whatever the document was written in. It completes
// the document on the way. The error is always an [*Invalid].
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
