package servicebus

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Duration is a length of time that is written in ISO 8601, as in PT1M30S or
// P7D. Years and months, whose length varies, are not supported.
type Duration time.Duration

// Forever is the longest Duration; the service's own, P10675199DT2H48M5.4775807S,
// is read as it.
const Forever = Duration(1<<63 - 1)

var iso8601 = regexp.MustCompile(`^P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$`)

// ParseDuration reads an ISO 8601 duration. Lengths that do not fit are Forever.
func ParseDuration(s string) (Duration, error) {
	m := iso8601.FindStringSubmatch(s)
	if m == nil || strings.HasSuffix(s, "T") || s == "P" {
		return 0, fmt.Errorf("%q is no ISO 8601 duration; write it as in PT1M or P7D", s)
	}
	units := []time.Duration{7 * 24 * time.Hour, 24 * time.Hour, time.Hour, time.Minute, time.Second}
	total := 0.0
	for i, unit := range units {
		if m[i+1] != "" {
			n, err := strconv.ParseFloat(m[i+1], 64)
			if err != nil {
				return 0, err
			}
			total += n * float64(unit)
		}
	}
	if total >= float64(Forever) {
		return Forever, nil
	}
	return Duration(total), nil
}

// UnmarshalJSON reads the duration from a string; an empty one is zero.
func (d *Duration) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	if s == "" {
		*d = 0
		return nil
	}
	v, err := ParseDuration(s)
	*d = v
	return err
}

// MarshalJSON writes the duration as [Duration.String] does.
func (d Duration) MarshalJSON() ([]byte, error) { return json.Marshal(d.String()) }

// String writes the duration in ISO 8601.
func (d Duration) String() string {
	if d == Forever {
		return "P10675199DT2H48M5.4775807S"
	}
	rest := time.Duration(d)
	days := rest / (24 * time.Hour)
	rest -= days * 24 * time.Hour
	out := "P"
	if days > 0 {
		out += fmt.Sprintf("%dD", days)
	}
	if rest == 0 && days > 0 {
		return out
	}
	out += "T"
	if h := rest / time.Hour; h > 0 {
		out += fmt.Sprintf("%dH", h)
	}
	if m := rest % time.Hour / time.Minute; m > 0 {
		out += fmt.Sprintf("%dM", m)
	}
	if s := rest % time.Minute; s > 0 || strings.HasSuffix(out, "T") {
		out += strconv.FormatFloat(s.Seconds(), 'f', -1, 64) + "S"
	}
	return out
}
