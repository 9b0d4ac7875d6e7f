package functions

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
)

// readJSON reads one of the app's JSON files, in which comments are allowed.
// An error names the file and, where it is one member's fault, the member.
func readJSON(path, shown string, into any) error {
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%s: not found: the app root must hold it (looked for %s)", shown, path)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", shown, err)
	}
	return parseJSON(data, shown, into)
}

func parseJSON(data []byte, shown string, into any) error {
	data = blankComments(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")))
	err := json.Unmarshal(data, into)
	var syntax *json.SyntaxError
	var mismatch *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		line := 1 + bytes.Count(data[:min(int(syntax.Offset), len(data))], []byte("\n"))
		return fmt.Errorf("%s: line %d: %w", shown, line, err)
	case errors.As(err, &mismatch):
		return fmt.Errorf("%s: %s: a %s where a %s belongs", shown, mismatch.Field, mismatch.Value, mismatch.Type.Kind())
	case err != nil:
		return fmt.Errorf("%s: %w", shown, err)
	}
	return nil
}

// blankComments overwrites // and /* */ comments outside of strings with
// spaces, so that lines and offsets stay.
func blankComments(data []byte) []byte {
	out := bytes.Clone(data)
	for i := 0; i < len(out); {
		switch {
		case out[i] == '"':
			i = stringEnd(out, i)
		case bytes.HasPrefix(out[i:], []byte("//")):
			i = blank(out, i, []byte("\n"))
		case bytes.HasPrefix(out[i:], []byte("/*")):
			i = blank(out, i, []byte("*/"))
		default:
			i++
		}
	}
	return out
}

// stringEnd is the index after the string that starts at i.
func stringEnd(data []byte, i int) int {
	for i++; i < len(data); i++ {
		switch data[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(data)
}

// blank overwrites from i through the end mark, all but line ends.
func blank(data []byte, i int, end []byte) int {
	stop := len(data)
	if n := bytes.Index(data[i:], end); n >= 0 {
		stop = i + n + len(end)
	}
	for ; i < stop; i++ {
		if data[i] != '\n' {
			data[i] = ' '
		}
	}
	return stop
}
