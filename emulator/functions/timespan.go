package functions

import (
	"fmt"
	"regexp"
	"strconv"
	"time"
)

// timeSpan is a .NET TimeSpan in JSON: "[d.]hh:mm:ss[.fffffff]".
type timeSpan time.Duration

var timeSpanForm = regexp.MustCompile(`^(?:(\d{1,8})\.)?(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d{1,7}))?)?$`)

func (s *timeSpan) UnmarshalText(text []byte) error {
	parts := timeSpanForm.FindStringSubmatch(string(text))
	if parts == nil {
		return fmt.Errorf(`%q is not a time span, write it as "hh:mm:ss"`, text)
	}
	var d time.Duration
	for i, unit := range []time.Duration{24 * time.Hour, time.Hour, time.Minute, time.Second} {
		n, _ := strconv.Atoi("0" + parts[i+1]) // digits by the pattern
		if limit := []int{1 << 30, 24, 60, 60}[i]; n >= limit {
			return fmt.Errorf(`%q is not a time span: %d is out of range`, text, n)
		}
		d += time.Duration(n) * unit
	}
	ticks, _ := strconv.Atoi((parts[5] + "0000000")[:7])
	*s = timeSpan(d + time.Duration(ticks)*100)
	return nil
}
