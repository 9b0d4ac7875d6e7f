// Package requestfile reads a build request as people write it (YAML, or JSON with comments, with single values set from
// the command line) and shows where in the file each problem stands.
package requestfile

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"goldmint/internal/request"
)

// maxBytes bounds a file: comments and indentation may make it larger than the request in it, but not by much.
const maxBytes = 16 * request.MaxBytes

// Read makes the request that text holds, with the settings applied in their order. The name is what problems are told
// under, and its extension says what the text is: .json (with // and /* */ comments) or YAML; without either, a text that
// starts with { is JSON. An error about the content is a *[Invalid].
func Read(name string, text []byte, settings []Setting) (request.Request, error) {
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")) // Windows editors put it there
	file := &source{name: name, text: text}
	root, err := parse(file)
	if err == nil {
		for _, s := range settings {
			if err = s.apply(root); err != nil {
				return request.Request{}, fmt.Errorf("--set %s: %w", s.text, err)
			}
		}
	}
	if err != nil {
		return request.Request{}, err
	}
	body, places := root.encode()
	r, err := request.Decode(body)
	if err != nil {
		return request.Request{}, locate(file, places, err)
	}
	return r, nil
}

// parse reads the text as what it is.
func parse(file *source) (*node, error) {
	if len(file.text) > maxBytes {
		return nil, file.refuse(request.RequestTooLarge, place{}, "the file has %d bytes; at most %d are allowed", len(file.text), maxBytes)
	}
	if problem := unreadable(file); problem != nil {
		return nil, problem
	}
	if file.isJSON() {
		return parseJSON(file)
	}
	return parseYAML(file)
}

// unreadable is what is wrong with a text that is empty or, as the request's own decoder says, in another encoding.
func unreadable(file *source) error {
	_, err := request.Decode(file.text)
	var invalid *request.Invalid
	switch {
	case !errors.As(err, &invalid):
		return nil
	case invalid.Reason == request.EmptyBody:
		return file.empty()
	case invalid.Reason == request.InvalidEncoding:
		return locate(file, nil, err)
	}
	return nil
}

// isJSON goes by the name's extension, else by how the text starts.
func (f *source) isJSON() bool {
	switch strings.ToLower(filepath.Ext(f.name)) {
	case ".json", ".jsonc":
		return true
	case ".yaml", ".yml":
		return false
	}
	text := bytes.TrimSpace(blankComments(f.text))
	return bytes.HasPrefix(text, []byte("{")) || bytes.HasPrefix(text, []byte("["))
}

// locate finds the place of each problem: by its pointer, or by the line and column where the text itself was decoded.
func locate(file *source, places map[string]place, err error) error {
	var invalid *request.Invalid
	if !errors.As(err, &invalid) {
		return err
	}
	found := &Invalid{File: file.name, Reason: invalid.Reason}
	for _, p := range invalid.Problems {
		at := place{source: file, line: p.Line, column: p.Column}
		if places != nil {
			at = nearest(places, p.Pointer)
		}
		found.Problems = append(found.Problems, Problem{Path: p.Path, Message: p.Message, place: at})
	}
	return found
}

// nearest is the place of what a pointer points at, or of the nearest thing around it that is there.
func nearest(places map[string]place, pointer string) place {
	for {
		if at, ok := places[pointer]; ok || pointer == "" {
			return at
		}
		pointer = pointer[:strings.LastIndexByte(pointer, '/')]
	}
}
