package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"goldmint/cmd/goldmint/internal/catalog"
	"goldmint/cmd/goldmint/internal/prune"
	"goldmint/cmd/goldmint/internal/retention"
	"goldmint/cmd/goldmint/internal/screen"
)

// inventory is the flags of `goldmint images` and `goldmint versions`.
type inventory struct {
	manager
	checkUse bool
	latest   string
	output   string
}

func (i *inventory) add(c *cobra.Command, use string) {
	i.addGroupFlags(c.Flags())
	c.Flags().BoolVar(&i.checkUse, "check-use", false, "say which VMs and scale sets of the subscription refer to it")
	addOutput(c.Flags(), &i.output, use, "text", "json")
}

func newVersions() *cobra.Command {
	var i inventory
	c := &cobra.Command{
		Use:   "versions",
		Short: "List the versions of an image definition",
		Example: `  goldmint versions -g rg-images --gallery corp --image web --check-use
  latest=$(goldmint versions -g rg-images --gallery corp --image web --latest westeurope)`,
		Args: arguments(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			if i.gallery == "" {
				return fmt.Errorf("--gallery and --image are missing: they name an image definition")
			}
			return i.run(c, func(a *catalog.Azure) prune.Shelf { return a.Versions(i.group, i.gallery, i.image) })
		},
	}
	i.add(c, "a line each, newest first, or one JSON object a line")
	i.addGalleryFlags(c.Flags())
	c.Flags().StringVar(&i.latest, "latest", "", "print only the id of what latest stands for in this `region`, nothing where there is none")
	return c
}

func newImages() *cobra.Command {
	var i inventory
	var prefix string
	c := &cobra.Command{
		Use:     "images",
		Short:   "List the managed images of a resource group",
		Example: "  goldmint images -g rg-images --name-prefix web- --output json",
		Args:    arguments(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			return i.run(c, func(a *catalog.Azure) prune.Shelf { return a.Images(i.group, prefix) })
		},
	}
	i.add(c, "a line each, or one JSON object a line")
	c.Flags().StringVar(&prefix, "name-prefix", "", "only images whose `names` begin so")
	return c
}

func (i *inventory) run(c *cobra.Command, shelf func(*catalog.Azure) prune.Shelf) error {
	if err := i.check(); err != nil {
		return err
	}
	azure, err := i.dial()
	if err != nil {
		return err
	}
	records, err := shelf(azure).List(c.Context())
	if err != nil {
		return i.explain(err)
	}
	if i.latest != "" {
		return printLatest(c.OutOrStdout(), records, i.latest)
	}
	var users map[string][]string
	if i.checkUse {
		if users, err = azure.Users(c.Context()); err != nil {
			return i.explain(err)
		}
	}
	slices.SortStableFunc(records, func(a, b catalog.Record) int { return b.Number.Compare(a.Number) })
	if i.output == "json" {
		return printRecordsJSON(c.OutOrStdout(), records, users)
	}
	return printRecords(c.OutOrStdout(), records, users, i.checkUse, azure.Now())
}

func printLatest(out io.Writer, records []catalog.Record, region string) error {
	id := retention.LatestOf(itemsOf(records))[retention.Region{Name: region}.Short()]
	if id == "" {
		return nil
	}
	_, err := fmt.Fprintln(out, id)
	return err
}

// itemsOf converts the records to items of retention.
func itemsOf(records []catalog.Record) []retention.Item {
	items := make([]retention.Item, len(records))
	for i, r := range records {
		items[i] = r.Item
	}
	return items
}

func printRecords(out io.Writer, records []catalog.Record, users map[string][]string, used bool, now time.Time) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	row := func(cells ...string) {
		if !used {
			cells = cells[:len(cells)-1]
		}
		_, _ = fmt.Fprintln(w, strings.Join(cells, "\t"))
	}
	row("NAME", "STATE", "BUILD", "AGE", "SOURCE", "REGIONS", "GB", "USED BY")
	for _, r := range records {
		size := "-"
		if r.SizeGB > 0 {
			size = fmt.Sprint(r.SizeGB)
		}
		row(r.Name, r.State, orDash(r.Tags[retention.TagBuildID]), since(r.Created, now), orDash(r.Source[strings.LastIndexByte(r.Source, '/')+1:]),
			orDash(regionsOf(r)), size, orDash(strings.Join(users[strings.ToLower(r.ID)], ", ")))
	}
	return w.Flush()
}

func regionsOf(r catalog.Record) string {
	var all []string
	for _, region := range r.Regions {
		name := region.Name
		if region.Hidden {
			name += " (not latest)"
		}
		all = append(all, name)
	}
	if len(all) == 0 {
		return r.Location
	}
	return strings.Join(all, ", ")
}

func orDash(text string) string {
	return cmp.Or(screen.Line(text), "-")
}

// recordJSON is a version or image for programs.
type recordJSON struct {
	ID       string       `json:"id"`
	Name     string       `json:"name"`
	State    string       `json:"state"`
	BuildID  string       `json:"buildId,omitempty"`
	Created  *time.Time   `json:"created,omitempty"`
	Source   string       `json:"source,omitempty"`
	Location string       `json:"location"`
	Regions  []regionJSON `json:"regions,omitempty"`
	SizeGB   int32        `json:"sizeGB,omitempty"`
	UsedBy   []string     `json:"usedBy,omitzero"` // nil: not looked up
}

type regionJSON struct {
	Name              string `json:"name"`
	ExcludeFromLatest bool   `json:"excludeFromLatest"`
}

func printRecordsJSON(out io.Writer, records []catalog.Record, users map[string][]string) error {
	encoder := json.NewEncoder(out)
	for _, r := range records {
		row := recordJSON{
			ID: r.ID, Name: r.Name, State: r.State, BuildID: r.Tags[retention.TagBuildID], Source: r.Source, Location: r.Location, SizeGB: r.SizeGB,
		}
		if users != nil {
			row.UsedBy = append([]string{}, users[strings.ToLower(r.ID)]...)
		}
		if !r.Created.IsZero() {
			row.Created = &r.Created
		}
		for _, region := range r.Regions {
			row.Regions = append(row.Regions, regionJSON{region.Name, region.Hidden})
		}
		if err := encoder.Encode(row); err != nil {
			return err
		}
	}
	return nil
}
