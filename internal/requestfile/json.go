package requestfile

import (
	"bytes"
	"encoding/json"

	"goldmint/internal/request"
)

// parseJSON reads JSON that may have comments. A text that is no JSON is told of in the words of the request's decoder.
func parseJSON(file *source) (*node, error) {
	text := blankComments(file.text)
	if _, err := request.Decode(text); !json.Valid(text) || len(bytes.TrimSpace(text)) == 0 {
		return nil, locate(file, nil, err)
	}
	p := &jsonParser{file: file, text: text, decoder: json.NewDecoder(bytes.NewReader(text))}
	p.decoder.UseNumber()
	return p.value()
}

// jsonParser reads a text that is known to be well formed.
type jsonParser struct {
	file    *source
	text    []byte
	decoder *json.Decoder
}

func (p *jsonParser) value() (*node, error) {
	n := &node{place: p.next()}
	start := p.offset()
	token, err := p.decoder.Token()
	if err != nil {
		return nil, err
	}
	switch token {
	case json.Delim('{'):
		n.kind = object
		return n, p.object(n)
	case json.Delim('['):
		n.kind = array
		return n, p.array(n)
	}
	n.scalar = string(p.text[start:p.decoder.InputOffset()]) // as it was written: escapes and numbers are judged later
	return n, nil
}

func (p *jsonParser) object(n *node) error {
	for p.decoder.More() {
		at := p.next()
		token, err := p.decoder.Token()
		if err != nil {
			return err
		}
		v, err := p.value()
		if err != nil {
			return err
		}
		name, _ := token.(string)
		n.members = append(n.members, member{name: name, place: at, value: v})
	}
	_, err := p.decoder.Token()
	return err
}

func (p *jsonParser) array(n *node) error {
	for p.decoder.More() {
		v, err := p.value()
		if err != nil {
			return err
		}
		n.elements = append(n.elements, v)
	}
	_, err := p.decoder.Token()
	return err
}

// offset is where the next token starts.
func (p *jsonParser) offset() int {
	offset := int(p.decoder.InputOffset())
	for offset < len(p.text) && bytes.IndexByte([]byte(" \t\r\n,:"), p.text[offset]) >= 0 {
		offset++
	}
	return offset
}

func (p *jsonParser) next() place { return p.file.at(p.offset()) }

// blankComments puts spaces in place of // and /* */ comments outside strings, so that every place stays where it was.
func blankComments(text []byte) []byte {
	out := bytes.Clone(text)
	for i := 0; i < len(out); i++ {
		switch {
		case out[i] == '"':
			i = endOfString(out, i)
		case bytes.HasPrefix(out[i:], []byte("//")):
			i = blank(out, i, endOf(out, i, "\n"))
		case bytes.HasPrefix(out[i:], []byte("/*")):
			i = blank(out, i, endOf(out, i+2, "*/"))
		}
	}
	return out
}

// endOfString is the offset of the quote that ends the string that starts at i.
func endOfString(text []byte, i int) int {
	for i++; i < len(text) && text[i] != '"'; i++ {
		if text[i] == '\\' {
			i++
		}
	}
	return i
}

// endOf is the offset behind the next mark, or the text's end.
func endOf(text []byte, i int, mark string) int {
	if n := bytes.Index(text[i:], []byte(mark)); n >= 0 {
		return i + n + len(mark)
	}
	return len(text)
}

func blank(text []byte, from, to int) int {
	for i := from; i < to; i++ {
		if text[i] != '\n' {
			text[i] = ' '
		}
	}
	return to - 1
}
