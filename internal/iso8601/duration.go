// Package iso8601 reads and writes the durations that Azure and Goldmint's
// messages use: PT5M, PT2H30M, P7D. Years and months have no fixed length and
// are refused.
package iso8601

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

var form = regexp.MustCompile(`^P(?:(\d{1,9})W|(?:(\d{1,9})D)?(T(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,9})(?:\.(\d{1,9}))?S)?)?)$`)

// Parse reads an ISO 8601 duration made of weeks, or of days, hours, minutes
// and seconds; seconds may have up to nine decimals.
func Parse(s string) (time.Duration, error) {
	m := form.FindStringSubmatch(s)
	if m == nil || m[3] == "T" || s == "P" {
		return 0, fmt.Errorf("%q is not an ISO 8601 duration such as PT45M, PT2H30M or P7D", s)
	}
	parts := []struct {
		count string
		unit  time.Duration
	}{
		{m[1], 7 * 24 * time.Hour},
		{m[2], 24 * time.Hour},
		{m[4], time.Hour},
		{m[5], time.Minute},
		{m[6], time.Second},
		{(m[7] + "000000000")[:9], time.Nanosecond},
	}
	var sum time.Duration
	for _, part := range parts {
		if part.count == "" {
			continue
		}
		n, err := strconv.ParseInt(part.count, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("duration %q: %w", s, err)
		}
		if n > (math.MaxInt64-int64(sum))/int64(part.unit) {
			return 0, fmt.Errorf("duration %q is longer than 292 years", s)
		}
		sum += time.Duration(n) * part.unit
	}
	return sum, nil
}

// Format writes d so that [Parse] reads it back: P7D for whole days, else hours, minutes and
// seconds as in PT26H30M. A negative duration is written as zero, because ISO 8601 has no negative
// ones.
func Format(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d <= 0:
		return "PT0S"
	case d%day == 0:
		return fmt.Sprintf("P%dD", d/day)
	}
	var b strings.Builder
	b.WriteString("PT")
	if h := d / time.Hour; h > 0 {
		fmt.Fprintf(&b, "%dH", h)
	}
	if m := d % time.Hour / time.Minute; m > 0 {
		fmt.Fprintf(&b, "%dM", m)
	}
	if s := d % time.Minute; s > 0 {
		b.WriteString(seconds(s) + "S")
	}
	return b.String()
}

func seconds(d time.Duration) string {
	whole, fraction := d/time.Second, d%time.Second
	if fraction == 0 {
		return strconv.FormatInt(int64(whole), 10)
	}
	return strings.TrimRight(fmt.Sprintf("%d.%09d", whole, fraction), "0")
}
