package main

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"goldmint/cmd/goldmint/internal/retention"
)

// documentedRights reads the table of rights in docs/retention.md: by what the row begins with.
func documentedRights(t *testing.T) map[string][]string {
	t.Helper()
	rights := map[string][]string{}
	row := regexp.MustCompile("(?m)^\\| `(?:goldmint )?((?:prune )?[-a-z]+)[^|]*\\|[^|]*\\| (.*) \\|$")
	for _, m := range row.FindAllStringSubmatch(text(t, retentionPage), -1) {
		for _, right := range regexp.MustCompile("`([A-Za-z/]+)`").FindAllStringSubmatch(m[2], -1) {
			rights[m[1]] = append(rights[m[1]], "Microsoft.Compute/"+right[1])
		}
	}
	return rights
}

// TestRights: each command works with the rights that the page lists for it, and needs each of
// them.
func TestRights(t *testing.T) {
	documented := documentedRights(t)
	prune := slices.Concat([]string{"prune"}, ofDefinition, []string{"--keep", "2", "--yes"})
	for name, tt := range map[string]struct {
		args   []string
		rights []string
	}{
		"versions":       {slices.Concat([]string{"versions"}, ofDefinition), documented["versions"]},
		"images":         {[]string{"images", "-g", "rg-images"}, documented["images"]},
		"prune images":   {[]string{"prune", "-g", "rg-images", "--name-prefix", "web-", "--keep", "1", "--yes"}, documented["prune --name-prefix"]},
		"prune":          {prune, documented["prune --gallery"]},
		"promote":        {[]string{"promote", candidate}, documented["promote"]},
		"with check-use": {append(prune, "--check-use"), append(documented["prune --gallery"], documented["--check-use"]...)},
	} {
		t.Run(name, func(t *testing.T) {
			if len(tt.rights) == 0 {
				t.Fatal("the page lists none")
			}
			for missing := range len(tt.rights) + 1 {
				o := quickly
				for i, right := range tt.rights {
					if i != missing {
						o.Role = append(o.Role, right)
					}
				}
				if o.Role == nil {
					o.Role = []string{}
				}
				g := filled(t, o)
				for _, name := range []string{"web-1", "web-2"} {
					g.AddImage(computePath+"images/"+name, "westeurope", "V2")
					g.TagImage(computePath+"images/"+name, map[string]string{retention.TagBuildID: name})
				}
				g.FastForward(2 * day)
				_, errOut, status := g.command(t.Context(), tt.args...)
				if all := missing == len(tt.rights); all != (status == exitOK) {
					t.Errorf("with %s: status %d %s", strings.Join(o.Role, ", "), status, errOut)
				}
			}
		})
	}
}
