package request

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"
	"github.com/go-json-experiment/json/jsontext"

	"goldmint/internal/iso8601"
)

// The form of a build id, as in the contract.
var idForm = regexp.MustCompile(`^[A-Za-z0-9._-]{1,48}$`)

// digestLength is how many digits of a digest a key has: 128 bits, so that nobody can make two
// requests with one key, and short enough for a message id.
const digestLength = 32

// Identity is the id of a build: the request's own id. Without one it is the message's id, or a
// hash of that if it does not have the form of a build id. Without both it is the message's
// sequence number. It is the same for every delivery of a message.
func Identity(id, messageID string, sequenceNumber int64) string {
	switch {
	case id != "":
		return id
	case idForm.MatchString(messageID):
		return messageID
	case messageID != "":
		sum := sha256.Sum256([]byte(messageID))
		return "mid-" + hex.EncodeToString(sum[:])[:40]
	default:
		return "sn-" + strconv.FormatInt(sequenceNumber, 10)
	}
}

// IDOf is the build id in a body, or "". A request with problems may still have an id.
func IDOf(body []byte) string {
	r, err := Decode(body)
	var invalid *Invalid
	if errors.As(err, &invalid) {
		return invalid.ID
	}
	return r.ID
}

// WithIdentity is r with the id from [Identity].
func (r Request) WithIdentity(messageID string, sequenceNumber int64) Request {
	r.ID = Identity(r.ID, messageID, sequenceNumber)
	return r
}

// Key names one build: its id and enough of its request's digest to distinguish it from another
// request with the same id.
func Key(id, digest string) string {
	return id + "/" + digest[:min(digestLength, len(digest))]
}

// wire is a request as JSON.
type wire struct {
	ID             string            `json:"id,omitempty"`
	SubscriptionID string            `json:"subscriptionId,omitempty"`
	ResourceGroup  string            `json:"resourceGroup"`
	Name           string            `json:"name"`
	IfExists       IfExists          `json:"ifExists"`
	Timeout        string            `json:"timeout"`
	Metadata       map[string]string `json:"metadata,omitempty"`
	Image          *armcompute.Image `json:"image,omitempty"`

	GalleryName         string                          `json:"galleryName,omitempty"`
	GalleryImageName    string                          `json:"galleryImageName,omitempty"`
	GalleryImageVersion *armcompute.GalleryImageVersion `json:"galleryImageVersion,omitempty"`
}

// Canonical is the one JSON text of a request: defaults written out, fields in a fixed order, names
// sorted, only necessary escapes. Decoding it returns r again.
func (r Request) Canonical() []byte {
	w := wire{
		ID:             r.ID,
		SubscriptionID: r.SubscriptionID,
		ResourceGroup:  r.ResourceGroup,
		Name:           r.Name,
		IfExists:       r.IfExists,
		Timeout:        iso8601.Format(r.Timeout),
		Metadata:       r.Metadata,

		GalleryName:         r.GalleryName,
		GalleryImageName:    r.GalleryImageName,
		GalleryImageVersion: r.GalleryImageVersion,
	}
	if r.Target() == Image {
		w.Image = &r.Image
	}
	text, err := json.Marshal(w)
	if err == nil {
		text, err = jsontext.AppendFormat(nil, text) // the SDK's encoder escapes <, > and &
	}
	if err != nil {
		panic(fmt.Sprintf("encode request %q: %v", r.Name, err)) // strings, numbers and maps only
	}
	return text
}

// MarshalJSON writes the canonical form.
func (r Request) MarshalJSON() ([]byte, error) {
	return r.Canonical(), nil
}

// UnmarshalJSON reads a request inside one of Goldmint's own messages as strictly as [Decode] does.
// It allows four times the size, because the surrounding text may have escaped characters.
func (r *Request) UnmarshalJSON(body []byte) error {
	decoded, err := decode(body, 4*MaxBytes, false)
	if err != nil {
		return err
	}
	*r = decoded
	return nil
}

// Digest is the hex SHA-256 of the canonical form without the id: it shows whether two requests ask
// for the same. It does not include the handler's default subscription.
func (r Request) Digest() string {
	r.ID = ""
	sum := sha256.Sum256(r.Canonical())
	return hex.EncodeToString(sum[:])
}
