package retention

import (
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Number is what a name is ordered by.
type Number []uint64

// Compare orders numbers; none comes before any.
func (n Number) Compare(o Number) int { return slices.Compare(n, o) }

// Version is the number of a gallery image version, Major.Minor.Patch; nil where the name is not of
// that form.
func Version(name string) Number {
	parts := strings.Split(name, ".")
	if len(parts) != 3 {
		return nil
	}
	var n Number
	for _, p := range parts {
		v, err := strconv.ParseUint(p, 10, 32)
		if err != nil || v > math.MaxInt32 || strconv.FormatUint(v, 10) != p {
			return nil
		}
		n = append(n, v)
	}
	return n
}

var (
	suffix = regexp.MustCompile(`^[0-9][-0-9.TZ]*$`)
	digits = regexp.MustCompile(`[0-9]+`)
)

// Suffix is the number of an image: what follows the prefix, where that is digits, dots, dashes, T
// and Z; else nil, so that web-api-3 is not one of the images web-*.
func Suffix(name, prefix string) Number {
	rest, ok := strings.CutPrefix(name, prefix)
	if !ok || !suffix.MatchString(rest) {
		return nil
	}
	var n Number
	for _, d := range digits.FindAllString(rest, -1) {
		v, err := strconv.ParseUint(d, 10, 64)
		if err != nil {
			return nil
		}
		n = append(n, v)
	}
	return n
}
