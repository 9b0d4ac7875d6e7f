package main

import (
	"embed"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

//go:embed templates/*.yaml
var templates embed.FS

func newNew() *cobra.Command {
	return &cobra.Command{
		Use:   "new vm|disk|snapshot|blob|version",
		Short: "Print a request to start from",
		Long: `Prints a commented request for an image of a virtual machine, a managed disk, a snapshot or a blob, or for a gallery
image version. Replace what stands in braces, in the file or with --set. "goldmint validate" lists what is left.`,
		Example: `  goldmint new vm > web.yaml
  goldmint new blob | goldmint validate - --set resourceGroup=golden …`,
		ValidArgs: []string{"vm", "disk", "snapshot", "blob", "version"},
		Args: func(c *cobra.Command, args []string) error {
			kinds := strings.Join(c.ValidArgs, ", ")
			if len(args) != 1 {
				return fmt.Errorf("name one kind of source: %s", kinds)
			}
			if !slices.Contains(c.ValidArgs, args[0]) {
				return fmt.Errorf("%q is no kind of source: use %s", args[0], kinds)
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			text, err := templates.ReadFile("templates/" + args[0] + ".yaml")
			if err != nil {
				return err
			}
			_, err = c.OutOrStdout().Write(text)
			return err
		},
	}
}
