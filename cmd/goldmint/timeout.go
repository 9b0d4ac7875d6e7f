package main

import (
	"fmt"
	"time"

	"goldmint/internal/iso8601"
)

// timeout is a flag's duration, written as 90m or as PT90M.
type timeout time.Duration

// String is the duration as Go writes it, without what is zero at its end.
func (t *timeout) String() string { return short(time.Duration(*t)) }

// Type names the value in the help.
func (t *timeout) Type() string { return "duration" }

// Set reads a duration above zero.
func (t *timeout) Set(s string) error {
	d, err := time.ParseDuration(s)
	if err != nil {
		if d, err = iso8601.Parse(s); err != nil {
			return fmt.Errorf("write it as 90m or PT90M")
		}
	}
	if d <= 0 {
		return fmt.Errorf("it must be above zero")
	}
	*t = timeout(d)
	return nil
}

// short is 3h where Go writes 3h0m0s.
func short(d time.Duration) string {
	s := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if n := len(s) - len(zero); n > 0 && s[n:] == zero {
			s = s[:n+1]
		}
	}
	return s
}
