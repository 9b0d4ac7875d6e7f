package main

import (
	"fmt"
	"strings"

	"goldmint/internal/event"
)

// progressOf says which regions have a gallery image version, and how far the others are.
func progressOf(r *event.Replication) string {
	if r == nil {
		return ""
	}
	var done, under []string
	for _, region := range r.Summary {
		if region.Done() {
			done = append(done, region.Region)
		} else {
			under = append(under, fmt.Sprintf("%s %d %%", region.Region, region.Progress))
		}
	}
	text := fmt.Sprintf("%d of %s done", len(done), count(len(r.Summary), "region"))
	if len(done) > 0 {
		text += ": " + strings.Join(done, ", ")
	}
	if len(under) > 0 {
		text += "; under way: " + strings.Join(under, ", ")
	}
	return text
}

// madeIn are the regions of a version, or where it was made if that is all that is known.
func madeIn(d event.Data) []string {
	if d.ReplicationStatus == nil || len(d.ReplicationStatus.Summary) == 0 {
		return []string{d.Location}
	}
	var names []string
	for _, region := range d.ReplicationStatus.Summary {
		names = append(names, region.Region)
	}
	return names
}

// regionLines is how far each region of a version is, a line each.
func regionLines(r *event.Replication) string {
	var lines []string
	for _, region := range r.Summary {
		line := fmt.Sprintf("%s %s", region.Region, region.State)
		if !region.Done() && region.Progress > 0 {
			line += fmt.Sprintf(" %d %%", region.Progress)
		}
		if region.Details != "" {
			line += ": " + region.Details
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}
