package retention

import (
	"slices"
	"strings"
)

// Azure's page says that a region's own flag wins over the version's, and its answers fill the
// region's in as false. So each of the two ways to read the flags has a latest, and both are kept.
var readings = []func(Region) bool{
	func(r Region) bool { return !r.Hidden },
	func(r Region) bool { return !r.Excluded },
}

// latestByRegion returns, for each item of a sorted list, the regions in which `latest` may resolve
// to it. Others' versions count: Azure does not ask who made them.
func latestByRegion(sorted []Item) map[int][]string {
	latest := map[int][]string{}
	for k, shown := range readings {
		taken := map[string]bool{}
		for i, item := range sorted {
			if item.Number == nil || !strings.EqualFold(item.State, "Succeeded") {
				continue
			}
			for _, r := range item.Regions {
				name := r.Short()
				if !shown(r) || taken[name] {
					continue
				}
				taken[name] = true
				if k > 0 && r.Hidden {
					name += " (by the region's own flag)"
				}
				latest[i] = with(latest[i], name)
			}
		}
	}
	return latest
}

// LatestOf returns, by region, the id of what `latest` resolves to among those that neither flag
// hides.
func LatestOf(items []Item) map[string]string {
	top := map[string]Item{}
	for _, item := range items {
		if item.Number == nil || !strings.EqualFold(item.State, "Succeeded") {
			continue
		}
		for _, r := range item.Regions {
			name := r.Short()
			if best, ok := top[name]; !r.Hidden && (!ok || item.Number.Compare(best.Number) > 0) {
				top[name] = item
			}
		}
	}
	latest := map[string]string{}
	for name, item := range top {
		latest[name] = item.ID
	}
	return latest
}

// Places names the regions, in one order and form.
func (i Item) Places() string {
	var names []string
	for _, r := range i.Regions {
		names = append(names, r.Short())
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// In says whether the version has replicas in a region.
func (i Item) In(name string) bool {
	wanted := Region{Name: name}.Short()
	return slices.ContainsFunc(i.Regions, func(r Region) bool { return r.Short() == wanted })
}

// newestOf returns the items of a sorted list that are among the newest: of all, and of those that
// `latest` may resolve to in each region. So candidates that are hidden from latest never displace
// deployed versions, nor the other way round. Only what is ours and finished is counted: a foreign
// or failed version does not count as one of the newest.
func newestOf(sorted []Item, keep int) map[int]bool {
	newest := map[int]bool{}
	count := map[string]int{}
	take := func(i int, rank string) {
		if count[rank] < keep {
			count[rank]++
			newest[i] = true
		}
	}
	for i, item := range sorted {
		if item.Number == nil || !ours(item) || !strings.EqualFold(item.State, "Succeeded") {
			continue
		}
		take(i, "")
		for _, r := range item.Regions {
			take(i, r.Short())
			for k, shown := range readings {
				if shown(r) {
					take(i, r.Short()+string(rune('A'+k)))
				}
			}
		}
	}
	return newest
}

// Short is the region's short name: Azure returns both "West Europe" and "westeurope".
func (r Region) Short() string { return strings.ToLower(strings.ReplaceAll(r.Name, " ", "")) }

func with(names []string, name string) []string {
	for _, n := range names {
		if n == name {
			return names
		}
	}
	return append(names, name)
}
