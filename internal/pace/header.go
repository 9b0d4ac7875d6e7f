package pace

import (
	"strconv"
	"strings"
	"time"
)

// Allowance is what ARM says is left of one of its limits on image creations.
type Allowance struct {
	Name      string        `json:"name"`
	Window    time.Duration `json:"window,omitempty"` // over which it counts; 0 for a bucket that fills up again
	Remaining int           `json:"remaining"`
}

// creations is how the names of the limits on image creations begin.
const creations = "CreateImages"

// Parse reads the header x-ms-ratelimit-remaining-resource of an image's PUT, in its form of 2018
// (Microsoft.Compute/CreateImages3Min;39,Microsoft.Compute/CreateImages30Min;199) and in that of 2026
// (Microsoft.Compute/CreateImagesSubscriptionMaximum;59). What is no limit on image creations is left out.
func Parse(header string) []Allowance {
	var all []Allowance
	for entry := range strings.SplitSeq(header, ",") {
		name, left, ok := strings.Cut(strings.TrimSpace(entry), ";")
		_, name, slash := strings.Cut(name, "/")
		remaining, err := strconv.Atoi(left)
		if !ok || !slash || err != nil || remaining < 0 || !strings.HasPrefix(name, creations) || len(name) > maxName || remaining >= maxMost {
			continue
		}
		all = append(all, Allowance{Name: name, Window: window(name), Remaining: remaining})
	}
	return all
}

// window reads the 3Min of CreateImages3Min.
func window(name string) time.Duration {
	digits := strings.TrimPrefix(strings.TrimSuffix(name, "Min"), creations)
	if minutes, err := strconv.Atoi(digits); err == nil && strings.HasSuffix(name, "Min") && minutes > 0 && minutes <= 24*60 {
		return time.Duration(minutes) * time.Minute
	}
	return 0
}
