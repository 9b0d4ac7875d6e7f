package filter

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

type tokenKind int

const (
	end      tokenKind = iota
	word               // a keyword or a property
	name               // a property within brackets or quotes
	constant           // a number or text
	sign               // an operator, a parenthesis, a comma, a dot
)

type token struct {
	kind  tokenKind
	text  string
	value any // of a constant
	at    int // position in bytes, from 1
}

// scan cuts an expression into tokens; the last one is the end.
func scan(s string) ([]token, error) {
	var out []token
	for i := 0; i < len(s); {
		rest := s[i:]
		r := rune(rest[0])
		var t token
		var n int
		var err error
		switch {
		case unicode.IsSpace(r):
			i++
			continue
		case r == '\'':
			t, n, err = quoted(rest, '\'', constant)
		case r == '"':
			t, n, err = quoted(rest, '"', name)
		case r == '[':
			t, n, err = quoted(rest, ']', name)
		case r >= '0' && r <= '9':
			t, n, err = numeral(rest)
		case isWordRune(r, true):
			t, n = wordToken(rest)
		default:
			t, n, err = signToken(rest)
		}
		if err != nil {
			return nil, fmt.Errorf("position %d: %w", i+1, err)
		}
		t.at = i + 1
		out = append(out, t)
		i += n
	}
	return append(out, token{kind: end, text: "the end", at: len(s) + 1}), nil
}

// quoted reads up to the closing mark; the mark twice stands for itself.
func quoted(s string, mark byte, kind tokenKind) (token, int, error) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		if s[i] != mark {
			b.WriteByte(s[i])
			continue
		}
		if i+1 < len(s) && s[i+1] == mark {
			b.WriteByte(mark)
			i++
			continue
		}
		return token{kind: kind, text: b.String(), value: b.String()}, i + 1, nil
	}
	return token{}, 0, fmt.Errorf("%c is missing", mark)
}

func numeral(s string) (token, int, error) {
	n := 0
	for n < len(s) && (s[n] >= '0' && s[n] <= '9' || s[n] == '.' || s[n] == 'e' || s[n] == 'E' ||
		(s[n] == '-' || s[n] == '+') && (s[n-1] == 'e' || s[n-1] == 'E')) {
		n++
	}
	if v, err := strconv.ParseInt(s[:n], 10, 64); err == nil {
		return token{kind: constant, text: s[:n], value: v}, n, nil
	}
	v, err := strconv.ParseFloat(s[:n], 64)
	if err != nil {
		return token{}, 0, fmt.Errorf("%q is no number", s[:n])
	}
	return token{kind: constant, text: s[:n], value: v}, n, nil
}

func isWordRune(r rune, first bool) bool {
	return r == '_' || r == '@' || r == '#' || unicode.IsLetter(r) || r >= 0x80 || !first && (unicode.IsDigit(r) || r == '$')
}

func wordToken(s string) (token, int) {
	n := len(s)
	for i, r := range s {
		if !isWordRune(r, i == 0) {
			n = i
			break
		}
	}
	return token{kind: word, text: s[:n]}, n
}

func signToken(s string) (token, int, error) {
	for _, op := range []string{"<>", "!=", "<=", ">=", "=", "<", ">", "(", ")", ",", ".", "+", "-", "*", "/", "%"} {
		if strings.HasPrefix(s, op) {
			return token{kind: sign, text: op}, len(op), nil
		}
	}
	return token{}, 0, fmt.Errorf("%q has no meaning here", s[:1])
}
