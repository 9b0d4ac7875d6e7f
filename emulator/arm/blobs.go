package arm

import (
	"net/url"
	"strings"
)

// Blob is a VHD in a storage account.
type Blob struct {
	URI    string
	SizeGB int32 // zero: 30
}

// AddBlob adds a VHD that an image may name. Its URI has to match exactly.
func (s *Server) AddBlob(uri string) { s.PutBlob(Blob{URI: uri}) }

// PutBlob adds or changes a VHD.
func (s *Server) PutBlob(b Blob) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.blobs[b.URI] = b
}

func (s *Server) blobOrigin(name, uri string) (origin, *armError) {
	parameter := name + ".blobUri"
	u, err := url.Parse(uri)
	switch {
	case err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || strings.Count(u.Path, "/") < 2:
		return origin{}, invalidParameter(parameter, "The URI %s does not look to be correct blob URI.", uri)
	case u.RawQuery != "":
		return origin{}, computeError(400, "BadRequest", parameter, "Images cannot be created from Shared Access Signature (SAS) URI blobs.")
	case !strings.HasSuffix(strings.ToLower(u.Path), ".vhd"):
		return origin{}, invalidParameter(parameter, "Blob name in URL %s must end with '.vhd' extension.", uri)
	}
	b, found := s.state.blobs[uri]
	if b.SizeGB == 0 {
		b.SizeGB = 30
	}
	return origin{blob: true, missing: !found && !s.options.AnyBlob, sizeGB: b.SizeGB}, nil
}
