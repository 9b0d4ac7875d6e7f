package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"goldmint/cmd/goldmint/internal/doctor"
	"goldmint/cmd/goldmint/internal/secret"
)

// sheet shows findings as they come.
type sheet struct {
	out      io.Writer
	json     bool
	findings []doctor.Finding
	err      error // the first error of the writer
	counts   map[doctor.Result]int
}

func (s *sheet) add(f doctor.Finding) {
	if s.counts == nil {
		s.counts = map[doctor.Result]int{}
	}
	f.Check, f.Detail, f.Hint = secret.Redact(f.Check), secret.Redact(f.Detail), secret.Redact(f.Hint)
	s.counts[f.Result]++
	s.findings = append(s.findings, f)
	if s.json {
		return
	}
	s.printf("%-12s %s\n", f.Result, f.Check)
	indented := func(label, text string) {
		if text != "" {
			s.printf("%13s%s%s\n", "", label, strings.ReplaceAll(text, "\n", "\n             "))
		}
	}
	indented("", f.Detail)
	if m := f.Missing; m != nil {
		action := ""
		if m.Action != "" {
			action = " (" + m.Action + ")"
		}
		indented("missing: ", fmt.Sprintf("role %q%s on %s", m.Role, action, m.Scope))
	}
	indented("hint: ", f.Hint)
}

func (s *sheet) printf(format string, args ...any) {
	if _, err := fmt.Fprintf(s.out, format, args...); s.err == nil {
		s.err = err
	}
}

// end prints the summary.
func (s *sheet) end(usable bool) error {
	missing, dark := s.counts[doctor.Failed], s.counts[doctor.Unreachable]
	if s.json {
		if err := json.NewEncoder(s.out).Encode(map[string]any{"healthy": missing+dark == 0, "checks": s.findings}); err != nil {
			return err
		}
	}
	problem := func(status int, format string, args ...any) error {
		return &exitError{error: fmt.Errorf(format, args...), status: status}
	}
	switch {
	case s.err != nil:
		return s.err
	case !usable:
		return problem(exitUsage, "the settings are not usable")
	case dark > 0:
		return problem(exitUnreachable, "%d of %d checks got no answer", dark, len(s.findings))
	case missing > 0:
		return problem(exitFailed, "%d of %d checks failed", missing, len(s.findings))
	}
	return nil
}
