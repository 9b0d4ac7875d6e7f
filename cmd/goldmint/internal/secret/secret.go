// Package secret keeps keys, signatures and passwords out of what is printed.
package secret

import (
	"fmt"
	"io"
	"regexp"
	"strings"
)

var (
	value    = regexp.MustCompile(`(?i)(\b|u0026)(SharedAccessKey|SharedAccessSignature|AccountKey|sig|password|pwd)=[^;&\s"']+`)
	password = regexp.MustCompile(`(://[^/\s:@"']*:)[^/\s@"']+@`)
)

// Redact puts stars in the place of keys, signatures and passwords.
func Redact(text string) string {
	return password.ReplaceAllString(value.ReplaceAllString(text, "$1$2=***"), "$1***@")
}

// Writer redacts what is written to a log. A write is taken for whole lines. A terminal stays one.
func Writer(to io.Writer) io.Writer {
	if f, ok := to.(file); ok {
		return redactedFile{redacted{to}, f}
	}
	return redacted{to}
}

type file interface{ Fd() uintptr }

type redactedFile struct {
	redacted
	file
}

type redacted struct{ to io.Writer }

func (r redacted) Write(text []byte) (int, error) {
	if _, err := io.WriteString(r.to, Redact(string(text))); err != nil {
		return 0, err
	}
	return len(text), nil
}

// Check refuses a value that is a connection string, or holds a password, where a name is wanted,
// and one that a file with the line ends of Windows has set. The error says where it belongs and
// does not repeat it.
func Check(where, text string) error {
	switch {
	case strings.HasSuffix(text, "\r"):
		return fmt.Errorf("%s ends in a carriage return (\\r): the file that sets it has the line ends of Windows; save it with those of Unix", where)
	case strings.Contains(text, "Endpoint=") || strings.Contains(text, "SharedAccessKey"):
		return fmt.Errorf("%s holds a connection string and wants a name: a connection string belongs in GOLDMINT_CONNECTION_STRING", where)
	case Redact(text) != text:
		return fmt.Errorf("%s holds a password or a signature and wants a name: give the name alone", where)
	}
	return nil
}
