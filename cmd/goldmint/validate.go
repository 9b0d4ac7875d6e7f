package main

import (
	"errors"
	"fmt"

	"goldmint/internal/request"

	"github.com/spf13/cobra"
)

func newValidate() *cobra.Command {
	var flags requestFlags
	c := &cobra.Command{
		Use:   "validate FILE|DIR|-...",
		Short: "Check requests without sending them",
		Long: `Checks requests as the handler does, offline. A file is YAML, or JSON with comments. - is the standard input. A folder stands
for all *.json, *.jsonc, *.yaml and *.yml files in it.

It shows all problems at once, each with its line and a caret under the place.

It cannot check what only Azure knows: whether the source exists, and whether the image's name is free.`,
		Example: `  goldmint validate web.yaml
  goldmint validate images/
  sed s/VERSION/$v/ web.yaml | goldmint validate -`,
		Args: arguments(1, endless),
		RunE: func(c *cobra.Command, files []string) error { return validate(c, &flags, files) },
	}
	flags.addSet(c)
	return c
}

func validate(c *cobra.Command, flags *requestFlags, paths []string) error {
	var unwritten error
	err := flags.readAll(c, paths, func(file string, r request.Request) {
		source := r.Source()
		_, err := fmt.Fprintf(c.OutOrStdout(), "%s: valid: %s %s in %s from %s %s\n", file, kindOf(r), r.Name, r.Location(), source.Type, source.ID)
		unwritten = errors.Join(unwritten, err)
	})
	return errors.Join(err, unwritten)
}

// kindOf names the kind of resource that a request asks for.
func kindOf(r request.Request) string {
	if r.Target() == request.GalleryImageVersion {
		return "version of " + r.GalleryName + "/" + r.GalleryImageName
	}
	return "image"
}
