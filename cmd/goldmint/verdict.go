package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"goldmint/internal/event"
)

// verdict is nil for a success, else an error with the exit status of the outcome.
func verdict(e event.Event) error {
	d := e.Data
	switch e.Type {
	case event.Failed:
		hint := "correct what Azure names and submit the request again under another id"
		switch {
		case d.Error.Hint != "":
			hint = d.Error.Hint
		case slices.Contains(nameTaken, d.Error.Code):
			hint = "choose another name (--set name=…), or set ifExists"
		case d.Error.Retryable:
			hint = "the same request may succeed later: submit it again under another id"
		}
		text := fmt.Sprintf("build %s failed: %s", d.BuildID, tell(d.Error))
		if d.ReplicationStatus != nil {
			text += "\n  - " + strings.ReplaceAll(regionLines(d.ReplicationStatus), "\n", "\n  - ")
		}
		return &exitError{error: errors.New(text), status: exitFailed, hint: hint}
	case event.Rejected:
		text := fmt.Sprintf("build %s was rejected: %s", d.BuildID, tell(d.Error))
		if len(d.Problems) > 0 {
			text = fmt.Sprintf("build %s was rejected: %s:", d.BuildID, d.Error.Code)
			for _, p := range d.Problems {
				text += "\n  - " + strings.TrimPrefix(p.Path+": ", ": ") + p.Message
			}
		}
		return &exitError{error: errors.New(text), status: exitUsage, hint: "correct the request and submit it again; it may keep its id"}
	}
	return nil
}

// nameTaken are Goldmint's own refusals to change an existing image.
var nameTaken = []string{"ImageExists", "ImageAgeUnknown", "ReplacedByNewerBuild"}

// tell formats an error and its details, one per line.
func tell(e *event.Error) string {
	if e == nil {
		return "no reason was given"
	}
	text := brief(e)
	if e.Target != "" {
		text += " (" + e.Target + ")"
	}
	return text + details(e.Details, "\n  - ")
}

// brief is an error's code and message. The message of a rejection begins with the code itself.
func brief(e *event.Error) string {
	if e == nil {
		return ""
	}
	return strings.TrimSuffix(e.Code+": "+strings.TrimPrefix(e.Message, e.Code+": "), ": ")
}

func details(list []event.Detail, bullet string) string {
	var b strings.Builder
	for _, d := range list {
		b.WriteString(bullet + strings.Trim(d.Code+": "+d.Message, ": "))
		if d.Target != "" {
			b.WriteString(" (" + d.Target + ")")
		}
		b.WriteString(details(d.Details, "\n  "+strings.TrimPrefix(bullet, "\n")))
	}
	return b.String()
}
