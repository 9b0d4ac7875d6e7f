package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"goldmint/cmd/goldmint/internal/catalog"
	"goldmint/cmd/goldmint/internal/retention"
)

var versionID = regexp.MustCompile(`(?i)^/subscriptions/([^/]+)/resourceGroups/([^/]+)/providers/Microsoft\.Compute/galleries/([^/]+)/images/([^/]+)/versions/([0-9.]+)$`)

func newPromote() *cobra.Command {
	var m manager
	var onlyIf string
	c := &cobra.Command{
		Use:   "promote VERSION-ID",
		Short: "Let \"latest\" resolve to an image version",
		Long: `Turns excludeFromLatest of an image version off, and changes nothing else. Azure takes two to ten minutes for it. A version
that is not excluded is left as it is.

With --only-if-latest-is nothing happens unless that version is the latest in every region of the one to promote: of two
pipelines that started from the same latest, the second then gets an error. The check and the change are two calls.`,
		Example: `  goldmint promote "$version" --only-if-latest-is "$latest_when_the_build_began"`,
		Args:    arguments(1, 1),
		RunE: func(c *cobra.Command, args []string) error {
			parts := versionID.FindStringSubmatch(args[0])
			if parts == nil || retention.Version(parts[5]) == nil {
				return fmt.Errorf("%q is not the id of an image version: /subscriptions/…/galleries/G/images/I/versions/1.2.3", args[0])
			}
			m.subscription, m.group, m.gallery, m.image = parts[1], parts[2], parts[3], parts[4]
			if err := m.check(); err != nil {
				return err
			}
			if onlyIf != "" && !versionID.MatchString(onlyIf) {
				return fmt.Errorf("--only-if-latest-is is %q: give the id of an image version", onlyIf)
			}
			return runPromote(c, m, parts[5], onlyIf)
		},
	}
	f := c.Flags()
	m.addFlags(f)
	f.StringVar(&onlyIf, "only-if-latest-is", "", "promote only while this version's `id` is the latest")
	return c
}

func runPromote(c *cobra.Command, m manager, name, onlyIf string) error {
	azure, err := m.dial()
	if err != nil {
		return err
	}
	versions := azure.Versions(m.group, m.gallery, m.image)
	if onlyIf != "" {
		if err := guardLatest(c.Context(), versions, name, onlyIf); err != nil {
			return m.explainPromote(err)
		}
	}
	after, err := versions.Promote(c.Context(), name)
	if err != nil {
		return m.explainPromote(err)
	}
	_, err = fmt.Fprintln(c.OutOrStdout(), after.ID)
	return err
}

// explainPromote explains only errors of Azure.
func (m *manager) explainPromote(err error) error {
	var conflict *exitError
	switch {
	case errors.As(err, &conflict):
		return conflict
	case errors.Is(err, catalog.ErrContinues):
		return &exitError{error: err, status: exitTimeout, hint: "`goldmint versions` shows when it is done"}
	}
	return m.explain(err)
}

// guardLatest is an error unless the version that the caller names is the latest in each region of
// the one to promote.
func guardLatest(ctx context.Context, versions catalog.Versions, name, onlyIf string) error {
	records, err := versions.List(ctx)
	if err != nil {
		return err
	}
	items := itemsOf(records)
	target := items[:0:0]
	for _, i := range items {
		if i.Name == name {
			target = append(target, i)
		}
	}
	if len(target) == 0 {
		return &exitError{error: fmt.Errorf("version %s does not exist", name), status: exitUsage}
	}
	for region, latest := range retention.LatestOf(items) {
		if target[0].In(region) && !strings.EqualFold(latest, onlyIf) && !strings.EqualFold(latest, target[0].ID) {
			return &exitError{
				error:  fmt.Errorf("the latest in %s is %s, not %s", region, latest, onlyIf),
				status: exitFailed, hint: "another pipeline was faster: test against what is deployed now, then promote again",
			}
		}
	}
	return nil
}
