package functions

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/text/encoding/unicode"
)

// applyBody does what the host does to the metadata of a message that is bound
// as text: every top-level field of a JSON object overwrites the binding data
// of the same name, whatever the case. It is the reason to bind as binary.
//
// Newtonsoft also reads JSON that encoding/json refuses (comments, single quotes); such a body does
// not change the metadata here.
func applyBody(metadata *object, text string) {
	trimmed := strings.TrimSpace(text)
	if !strings.HasPrefix(trimmed, "{") || !strings.HasSuffix(trimmed, "}") || !json.Valid([]byte(trimmed)) {
		return
	}
	fields, err := members(json.NewDecoder(strings.NewReader(trimmed)))
	if err != nil {
		return
	}
	for _, f := range fields {
		encoded, ok := metadataField(f.value)
		if ok && !strings.HasSuffix(strings.ToLower(f.name), "trigger") {
			metadata.set(f.name, encoded)
		}
	}
}

// members lists the fields of a JSON object in their order.
func members(d *json.Decoder) ([]member, error) {
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	var list []member
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, err
		}
		key, ok := name.(string)
		if !ok {
			return nil, errors.New("a field's name is not a string")
		}
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return nil, err
		}
		list = append(list, member{key, string(raw)})
	}
	return list, nil
}

// metadataField turns a field's value into metadata: an object stays one, any
// other value becomes a string, and null and arrays are left out.
func metadataField(raw string) (string, bool) {
	switch raw[0] {
	case '[', 'n':
		return "", false
	case '{':
		return rewrite(raw), true
	case '"':
		return quote(quote(dateText(unquote(raw)))), true
	case 't':
		return quote(quote("True")), true
	case 'f':
		return quote(quote("False")), true
	}
	return quote(quote(numberText(raw))), true
}

// numberText is an integer as it stands, or a double as .NET prints it.
func numberText(raw string) string {
	if raw == "-0" {
		return "0"
	}
	if !strings.ContainsAny(raw, ".eE") {
		return raw
	}
	f, err := strconv.ParseFloat(raw, 64)
	if err != nil {
		return raw
	}
	return dotnetDouble(f)
}

// dateText turns a string that looks like an ISO 8601 time into the invariant culture's form,
// because Newtonsoft reads such a string as a date.
func dateText(s string) string {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC().Format("01/02/2006 15:04:05")
		}
	}
	return s
}

// rewrite writes a JSON value as Newtonsoft writes it after reading it.
func rewrite(raw string) string {
	raw = strings.TrimSpace(raw)
	switch raw[0] {
	case '{':
		fields, err := members(json.NewDecoder(strings.NewReader(raw)))
		if err != nil {
			return raw
		}
		o := object{}
		for _, f := range fields {
			o = append(o, member{f.name, rewrite(f.value)})
		}
		return o.json()
	case '[':
		return rewriteArray(raw)
	case '"':
		return quote(unquote(raw))
	}
	return raw
}

func rewriteArray(raw string) string {
	var items []json.RawMessage
	if err := json.Unmarshal([]byte(raw), &items); err != nil {
		return raw
	}
	parts := make([]string, len(items))
	for i, item := range items {
		parts[i] = rewrite(string(item))
	}
	return "[" + strings.Join(parts, ",") + "]"
}

func unquote(raw string) string {
	var s string
	if err := json.Unmarshal([]byte(raw), &s); err != nil {
		return raw
	}
	return s
}

// decodeUTF8 replaces what is not UTF-8 as .NET does, one U+FFFD for each
// sequence that breaks off.
func decodeUTF8(body []byte) string {
	if utf8.Valid(body) {
		return string(body)
	}
	text, err := unicode.UTF8.NewDecoder().Bytes(body)
	if err != nil {
		return strings.ToValidUTF8(string(body), "\uFFFD")
	}
	return string(text)
}
