package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"goldmint/internal/pipeline"
	"goldmint/internal/request"
	"goldmint/internal/requestfile"

	"github.com/spf13/cobra"
)

// requestFlags are the flags that change a request before it is used.
type requestFlags struct {
	settings []string
	id       string
}

func (r *requestFlags) addSet(c *cobra.Command) {
	c.Flags().StringArrayVar(&r.settings, "set", nil, `set one value, as path=value: image.location=westeurope, image.tags["cost.center"]=42 (may be given more than once)`)
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

// read reads the request of a file, or of the standard input for "-". Everything that is wrong with it is shown.
func (r *requestFlags) read(c *cobra.Command, file string) (request.Request, error) {
	settings, err := r.parse()
	if err != nil {
		return request.Request{}, err
	}
	name, text, err := readFile(c.InOrStdin(), file)
	if err != nil {
		return request.Request{}, err
	}
	made, err := requestfile.Read(name, text, settings)
	var invalid *requestfile.Invalid
	if !errors.As(err, &invalid) {
		return made, err
	}
	show(c.ErrOrStderr(), invalid)
	return request.Request{}, &exitError{error: fmt.Errorf("%s is not a valid request: %s", name, count(len(invalid.Problems), "problem")), status: exitUsage}
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
	invalid.Show(reporter.Plain(w))
	for _, p := range invalid.Problems {
		line, column := p.Place()
		reporter.Problem(invalid.File, line, column, p.String())
	}
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
