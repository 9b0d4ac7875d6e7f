// Package requestfile reads a build request as people write it (YAML, or JSON with comments, with
// single values set from the command line) and shows where in the file each problem stands.
package requestfile

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"goldmint/internal/request"
	"goldmint/internal/tree"

	"github.com/tailscale/hujson"
)

// maxBytes bounds a file: comments and indentation may make it larger than the request in it, but
// not by much.
const maxBytes = 16 * request.MaxBytes

// Read makes the request that text holds, with the settings applied in their order. The name is
// what problems are reported under, and its extension says what the text is: .json (with // and /*
// */ comments) or YAML; without either, a text that starts with { is JSON. An error about the
// content is an *[Invalid].
func Read(name string, text []byte, settings []Setting) (request.Request, error) {
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")) // Windows editors put it there
	root, err := parse(&tree.Source{Name: name, Text: text})
	for i := 0; err == nil && i < len(settings); i++ {
		err = settings[i].apply(root)
	}
	var r request.Request
	if err == nil {
		r, err = request.FromTree(root)
	}
	var invalid *request.Invalid
	if errors.As(err, &invalid) {
		return r, &Invalid{File: name, Invalid: invalid}
	}
	return r, err
}

// parse reads the text as what it is.
func parse(file *tree.Source) (*tree.Node, error) {
	if len(file.Text) > maxBytes {
		return nil, request.Refuse(request.RequestTooLarge, tree.Place{}, "the file has %d bytes; at most %d are allowed", len(file.Text), maxBytes)
	}
	if len(bytes.TrimSpace(file.Text)) == 0 {
		return nil, empty()
	}
	if err := request.Unwrap(file); err != nil {
		return nil, err
	}
	if isJSON(file) {
		return parseJSON(file)
	}
	return parseYAML(file)
}

func empty() error {
	return request.Refuse(request.EmptyBody, tree.Place{}, "there is no request in it; `goldmint new` writes one to start from")
}

// isJSON goes by the name's extension, else by how the text starts.
func isJSON(file *tree.Source) bool {
	switch strings.ToLower(filepath.Ext(file.Name)) {
	case ".json", ".jsonc":
		return true
	case ".yaml", ".yml":
		return false
	}
	return bytes.IndexByte([]byte("{[/"), bytes.TrimSpace(file.Text)[0]) >= 0
}

// parseJSON reads JSON that may have comments, and commas behind the last of a list. Both become
// blanks, so that every place stays where it was.
func parseJSON(file *tree.Source) (*tree.Node, error) {
	written := file.Text
	plain, err := hujson.Standardize(bytes.Clone(written))
	if err != nil {
		return nil, notJSON(file, err)
	}
	file.Text = plain
	root, err := request.Parse(file)
	file.Text = written // which is what people are shown
	return root, err
}

// notJSON says what is wrong: in the handler's words, but where a comment keeps it from reading so
// far.
func notJSON(file *tree.Source, err error) error {
	var invalid *request.Invalid
	if _, plain := request.Parse(file); !errors.As(plain, &invalid) {
		return err
	}
	at, words := tree.Place{Source: file}, ""
	if position, rest, ok := strings.Cut(strings.TrimPrefix(err.Error(), "hujson: "), ": "); ok {
		_, _ = fmt.Sscanf(position, "line %d, column %d", &at.Line, &at.Column)
		words = rest
	}
	found := invalid.Problems[0].Place
	if found.Line == 0 || found.Line > at.Line || found.Line == at.Line && found.Column >= at.Column {
		return invalid
	}
	return request.Refuse(request.InvalidJSON, at, "the body is not JSON: line %d, column %d: %s", at.Line, at.Column, words)
}
