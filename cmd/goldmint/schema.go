package main

import (
	"fmt"
	"strings"

	"goldmint/schema"

	"github.com/spf13/cobra"
)

func newSchema() *cobra.Command {
	return &cobra.Command{
		Use:   "schema build-request|event",
		Short: "Print the JSON Schema of requests or events",
		Long: `Prints the JSON Schema (draft 2020-12) of build requests or of the events that are published. Editors that find the
schema of a request beside it complete and check its fields; the files that "goldmint new" prints name it in their first line.`,
		Example: `  goldmint schema build-request > build-request.schema.json
  goldmint schema event`,
		ValidArgs: []string{"build-request", "event"},
		Args: func(c *cobra.Command, args []string) error {
			if len(args) != 1 || schemaNamed(args[0]) == nil {
				return fmt.Errorf("name one schema: %s", strings.Join(c.ValidArgs, " or "))
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			_, err := c.OutOrStdout().Write(schemaNamed(args[0]))
			return err
		},
	}
}

func schemaNamed(name string) []byte {
	switch name {
	case "build-request":
		return schema.BuildRequest
	case "event":
		return schema.Event
	}
	return nil
}
