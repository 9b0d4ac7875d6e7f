// Package schema holds Goldmint's contracts as JSON Schema (draft 2020-12),
// embedded so that the handler, the command and the documents read one text.
package schema

import _ "embed"

// BuildRequest is the contract of a build request: the message that asks for
// an image. Besides the standard keywords it uses errorMessage, the words that
// follow "must be" when a pattern or a range is not kept; missingMessage, those
// that follow "is missing"; resourceTypes, the types of Azure's resources whose
// ID is allowed here or in the field id; and the format blob-url.
//
//go:embed build-request.schema.json
var BuildRequest []byte

// Event is the contract of the events that are published.
//
//go:embed event.schema.json
var Event []byte
