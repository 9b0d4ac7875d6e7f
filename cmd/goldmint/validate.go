package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
)

func newValidate() *cobra.Command {
	var flags requestFlags
	c := &cobra.Command{
		Use:   "validate FILE...",
		Short: "Check requests without sending them",
		Long: `Checks each file against the contract that the handler enforces, offline. A file is YAML, or JSON with comments; - is
the standard input. All problems are shown at once, each with its line and a caret under the place.

What only Azure knows is not checked: whether the source exists, and whether the image's name is free.`,
		Example: `  goldmint validate web.yaml
  goldmint validate images/*.yaml --set name=any
  sed s/VERSION/$v/ web.yaml | goldmint validate -`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, files []string) error { return validate(c, &flags, files) },
	}
	flags.addSet(c)
	return c
}

func validate(c *cobra.Command, flags *requestFlags, files []string) error {
	var wrong []error
	for _, file := range files {
		r, err := flags.read(c, file)
		if err != nil {
			wrong = append(wrong, err)
			continue
		}
		source := r.Source()
		_, _ = fmt.Fprintf(c.OutOrStdout(), "%s: valid: image %s in %s from %s %s\n", file, r.Name, *r.Image.Location, source.Type, source.ID)
	}
	switch len(wrong) {
	case 0:
		return nil
	case 1:
		return wrong[0]
	}
	return &exitError{error: fmt.Errorf("%d of %d files:\n%w", len(wrong), len(files), errors.Join(wrong...)), status: exitUsage}
}
