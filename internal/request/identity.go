package request

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"regexp"
	"strconv"
)

// The form of a build id, as in the contract.
var idForm = regexp.MustCompile(`^[A-Za-z0-9._-]{1,48}$`)

// digestLength is how much of a digest a key holds: 128 bits, so that nobody finds two
// requests of one key; short enough for a message id.
const digestLength = 32

// Identity is the id of a build: the request's own, else the id of the message
// that carried it when it has an id's form, else a hash of that, else the
// message's sequence number. It is the same for every delivery of a message.
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

// IDOf is the id that a body gives its build; that of a request that is
// otherwise wrong counts too. It is empty where there is none.
func IDOf(body []byte) string {
	r, err := Decode(body)
	var invalid *Invalid
	if errors.As(err, &invalid) {
		return invalid.ID
	}
	return r.ID
}

// WithIdentity is r with the id that [Identity] gives it.
func (r Request) WithIdentity(messageID string, sequenceNumber int64) Request {
	r.ID = Identity(r.ID, messageID, sequenceNumber)
	return r
}

// Key names one build: its id and enough of its request's digest to tell it
// from another request under the same id.
func Key(id, digest string) string {
	return id + "/" + digest[:min(digestLength, len(digest))]
}
