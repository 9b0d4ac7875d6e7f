// Package pipeline reports the outcome of a build to the CI system around a command: GitHub Actions
// through the files that it names in the environment, Azure DevOps through commands in the log.
package pipeline

import (
	"fmt"
	"io"
	"os"
	"strings"

	"goldmint/internal/event"
)

// Reporter reports to the system that was detected; without one it does nothing.
//
// Log commands go where Log goes, which is meant to be the standard error: both systems read
// commands from there too, and the standard output stays free for what a script captures.
type Reporter struct {
	system  system
	output  string // file of step outputs (GitHub)
	summary string // file of the step's summary (GitHub)
	log     io.Writer
}

type system int

const (
	none system = iota
	gitHub
	azureDevOps
)

// Detect goes by the variables that the systems set: GITHUB_ACTIONS and TF_BUILD.
func Detect(getenv func(string) string, log io.Writer) *Reporter {
	r := &Reporter{log: log}
	switch {
	case getenv("GITHUB_ACTIONS") == "true":
		r.system, r.output, r.summary = gitHub, getenv("GITHUB_OUTPUT"), getenv("GITHUB_STEP_SUMMARY")
	case strings.EqualFold(getenv("TF_BUILD"), "true"):
		r.system = azureDevOps
	}
	return r
}

// Submitted sets the outputs that are known once a request is sent: build-id.
func (r *Reporter) Submitted(buildID string) error {
	return r.set(variable{"build-id", "buildId", buildID})
}

// Ended sets the outputs build-id, outcome and image-id (in Azure DevOps the variables buildId,
// outcome and imageId), writes a summary, and marks the step with the error of a build that failed.
// Outputs are set for a failed build too: a later step may run in spite of it.
func (r *Reporter) Ended(e event.Event) error {
	image := ""
	if e.Type == event.Succeeded {
		image = e.Data.ImageID
	}
	err := r.set(
		variable{"build-id", "buildId", e.Data.BuildID},
		variable{"outcome", "outcome", strings.TrimPrefix(e.Type, "goldmint.build.")},
		variable{"image-id", "imageId", image},
	)
	if err != nil {
		return err
	}
	if e.Data.Error != nil && e.Type != event.Succeeded {
		text := fmt.Sprintf("build %s: %s: %s", e.Data.BuildID, e.Data.Error.Code, e.Data.Error.Message)
		if e.Data.Error.Hint != "" {
			text += " (hint: " + e.Data.Error.Hint + ")"
		}
		r.issue("", 0, 0, text)
	}
	if r.system != gitHub || r.summary == "" {
		return nil
	}
	return appendTo(r.summary, "GITHUB_STEP_SUMMARY", summary(e))
}

// Problem marks a place in a file of the repository; line 0 is the file as a whole.
func (r *Reporter) Problem(file string, line, column int, message string) {
	r.issue(file, line, column, message)
}

// variable is an output, by its name in each system.
type variable struct{ gitHub, azureDevOps, value string }

func (r *Reporter) set(variables ...variable) error {
	var file strings.Builder
	for _, v := range variables {
		switch r.system {
		case none:
		case gitHub:
			fmt.Fprintf(&file, "%s=%s\n", v.gitHub, oneLine(v.value))
		case azureDevOps: // both ways to read it: $(imageId) in the job, $(step.imageId) and outputs[] elsewhere
			r.printf("##vso[task.setvariable variable=%s]%s\n", v.azureDevOps, r.data(v.value))
			r.printf("##vso[task.setvariable variable=%s;isOutput=true]%s\n", v.azureDevOps, r.data(v.value))
		}
	}
	if r.system != gitHub || r.output == "" {
		return nil
	}
	return appendTo(r.output, "GITHUB_OUTPUT", file.String())
}

// issue marks the step with an error.
func (r *Reporter) issue(file string, line, column int, message string) {
	switch r.system {
	case none:
	case gitHub:
		place := ""
		if file != "" {
			place = fmt.Sprintf(" file=%s,line=%d,col=%d", r.property(file), max(line, 1), max(column, 1))
		}
		r.printf("::error%s::%s\n", place, r.data(message))
	case azureDevOps:
		place := ""
		if file != "" {
			place = fmt.Sprintf(";sourcepath=%s;linenumber=%d;columnnumber=%d", r.property(file), max(line, 1), max(column, 1))
		}
		r.printf("##vso[task.logissue type=error%s]%s\n", place, r.data(message))
	}
}

func (r *Reporter) printf(format string, args ...any) { _, _ = fmt.Fprintf(r.log, format, args...) }

func appendTo(path, variable, text string) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = f.WriteString(text)
		if closed := f.Close(); err == nil {
			err = closed
		}
	}
	if err != nil {
		return fmt.Errorf("write to the file of %s: %w", variable, err)
	}
	return nil
}
