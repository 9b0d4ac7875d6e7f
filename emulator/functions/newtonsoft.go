package functions

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// The host writes JSON with Newtonsoft.Json. These functions write what it
// writes, where that differs from encoding/json: '<', '>' and '&' stay as they
// are, a double keeps a decimal place, a DateTime drops trailing zeros.

// quote writes s as a JSON string.
func quote(s string) string {
	var b strings.Builder
	b.Grow(len(s) + 2)
	b.WriteByte('"')
	for _, r := range s {
		if short, ok := shortEscape(r); ok {
			b.WriteString(short)
		} else if r < ' ' || r == '\u0085' || r == '\u2028' || r == '\u2029' {
			fmt.Fprintf(&b, `\u%04x`, r)
		} else {
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

func shortEscape(r rune) (string, bool) {
	switch r {
	case '"':
		return `\"`, true
	case '\\':
		return `\\`, true
	case '\b':
		return `\b`, true
	case '\f':
		return `\f`, true
	case '\n':
		return `\n`, true
	case '\r':
		return `\r`, true
	case '\t':
		return `\t`, true
	}
	return "", false
}

// dotnetDouble is double.ToString in the invariant culture: the shortest digits
// that read back, in scientific notation from 1E+15 up and below 1E-05.
func dotnetDouble(f float64) string {
	abs := math.Abs(f)
	if abs != 0 && (abs >= 1e15 || abs < 1e-4) {
		return strconv.FormatFloat(f, 'E', -1, 64)
	}
	return strconv.FormatFloat(f, 'f', -1, 64)
}

// jsonDouble is a double as Newtonsoft writes it into JSON.
func jsonDouble(f float64) string {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return quote(strconv.FormatFloat(f, 'f', -1, 64))
	}
	s := dotnetDouble(f)
	if !strings.ContainsAny(s, ".E") {
		s += ".0"
	}
	return s
}

// jsonTime is a UTC DateTime inside an object: up to seven digits of fraction.
func jsonTime(t time.Time) string {
	return quote(t.UTC().Truncate(100*time.Nanosecond).Format("2006-01-02T15:04:05.9999999") + "Z")
}
