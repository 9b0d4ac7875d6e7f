package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"goldmint/cmd/goldmint/internal/pipeline"
	"goldmint/cmd/goldmint/internal/requestfile"
	"goldmint/cmd/goldmint/internal/screen"
	"goldmint/internal/request"

	"github.com/spf13/cobra"
)

// requestFlags are the flags that change a request before it is used.
type requestFlags struct {
	settings []string
	id       string
	text     []byte // a request that the flags made, in place of any file
}

func (r *requestFlags) addSet(c *cobra.Command) {
	c.Flags().StringArrayVar(&r.settings, "set", nil, "set one value: a `PATH=VALUE` such as image.location=westeurope or image.tags[\"cost.center\"]=42 (may be given more than once)")
}

func (r *requestFlags) parse() ([]requestfile.Setting, error) {
	texts := r.settings
	if r.id != "" {
		texts = append(texts, "id="+r.id)
	}
	var settings []requestfile.Setting
	for _, text := range texts {
		s, err := requestfile.ParseSetting(text)
		if err != nil {
			return nil, err
		}
		settings = append(settings, s)
	}
	return settings, nil
}

// requestFiles are the files at the paths, in order: a folder stands for all files in it that look
// like requests; other files in it are ignored.
func requestFiles(paths []string) (files, passed []string, err error) {
	for _, p := range paths {
		info, err := os.Stat(p)
		if p == "-" || err == nil && !info.IsDir() {
			files = append(files, p)
			continue
		}
		entries, err := os.ReadDir(p)
		if err != nil {
			return nil, nil, err
		}
		before := len(files)
		for _, e := range entries { // which are sorted
			if name := filepath.Join(p, e.Name()); slices.Contains(requestExtensions, filepath.Ext(name)) && !e.IsDir() {
				files = append(files, name)
			} else {
				passed = append(passed, name)
			}
		}
		if len(files) == before {
			return nil, nil, fmt.Errorf("%s holds no request: no file in it ends in %s", p, or(requestExtensions))
		}
	}
	return files, passed, nil
}

var requestExtensions = []string{".json", ".jsonc", ".yaml", ".yml"}

// readAll reads the requests at the paths. It passes on each valid request; the error is about all
// others, whose problems were shown.
func (r *requestFlags) readAll(c *cobra.Command, paths []string, good func(file string, made request.Request)) error {
	files, passed, err := requestFiles(paths)
	if err != nil {
		return err
	}
	if r.text != nil {
		files = []string{fromFlags}
	}
	if len(passed) > 0 {
		_, _ = fmt.Fprintf(c.ErrOrStderr(), "note: passed over %s\n", strings.Join(passed, ", "))
	}
	if r.id != "" && len(files) > 1 {
		return fmt.Errorf("--id is for one request, not for %d", len(files))
	}
	var wrong []error
	for _, file := range files {
		made, err := r.read(c, file)
		if err != nil {
			wrong = append(wrong, err)
			continue
		}
		good(file, made)
	}
	return together(wrong, len(files), "files")
}

// together is one error for several of n things, with the gravest of their exit statuses. A single
// error keeps its hint.
func together(wrong []error, n int, things string) error {
	switch len(wrong) {
	case 0:
		return nil
	case 1:
		if n == 1 {
			return wrong[0]
		}
	}
	status := exitFailed
	for _, err := range wrong {
		var e *exitError
		if !errors.As(err, &e) {
			e = &exitError{status: exitUsage}
		}
		status = max(status, e.status)
	}
	return &exitError{error: fmt.Errorf("%d of %d %s:\n%w", len(wrong), n, things, errors.Join(wrong...)), status: status}
}

// read reads the request of a file, or of the standard input for "-". Everything that is wrong with
// it is shown.
func (r *requestFlags) read(c *cobra.Command, file string) (request.Request, error) {
	settings, err := r.parse()
	if err != nil {
		return request.Request{}, err
	}
	name, text, err := file, r.text, error(nil)
	if text == nil {
		name, text, err = readFile(c.InOrStdin(), file)
	}
	if err != nil {
		return request.Request{}, err
	}
	made, err := requestfile.Read(name, text, settings)
	var invalid *requestfile.Invalid
	if !errors.As(err, &invalid) {
		return made, err
	}
	problems := count(len(invalid.Problems), "problem")
	if r.text != nil {
		showFlags(c.ErrOrStderr(), invalid)
		return request.Request{}, &exitError{error: fmt.Errorf("the flags make no valid request: %s", problems), status: exitUsage}
	}
	show(c.ErrOrStderr(), invalid)
	return request.Request{}, &exitError{error: fmt.Errorf("%s is not a valid request: %s", name, problems), status: exitUsage}
}

func readFile(in io.Reader, file string) (name string, text []byte, err error) {
	if file == "-" {
		text, err = io.ReadAll(in)
		return "<stdin>", text, err
	}
	text, err = os.ReadFile(file)
	return file, text, err
}

// show writes the problems for people, and marks their places for the pipeline.
func show(w io.Writer, invalid *requestfile.Invalid) {
	reporter := pipeline.Detect(os.Getenv, w)
	invalid.Show(reporter.Plain(w), screen.PaintFor(w, os.Getenv))
	for _, p := range invalid.Problems {
		line, column := requestfile.Position(p)
		reporter.Problem(invalid.File, line, column, p.String())
	}
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
