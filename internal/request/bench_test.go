package request_test

import (
	"fmt"
	"strings"
	"testing"

	"goldmint/internal/request"
)

// Hostile bodies must not cost more than milliseconds; an honest one costs
// tenths.
func BenchmarkDecode(b *testing.B) {
	var unknown, fields strings.Builder
	for i := range 5_500 {
		fmt.Fprintf(&unknown, `"t%d":1,`, i)
	}
	for range 2_500 {
		fields.WriteString(`{"lun":"\ud800"},`)
	}
	for name, body := range map[string]string{
		"honest":      good,
		"unknown":     "{" + strings.TrimSuffix(unknown.String(), ",") + "}",
		"disks":       `{"image":{"properties":{"storageProfile":{"dataDisks":[` + strings.TrimSuffix(fields.String(), ",") + `]}}}}`,
		"empty disks": `{"image":{"properties":{"storageProfile":{"dataDisks":[` + strings.TrimSuffix(strings.Repeat("{},", 5_900), ",") + `]}}}}`,
		"depth":       strings.Repeat("[", 30_000) + strings.Repeat("]", 30_000),
		"long name":   `{"` + strings.Repeat("a", 40_000) + `":` + strings.Repeat("9", 20_000) + `}`,
		"braces":      `{"name":"` + strings.Repeat("{", 60_000) + `"}`,
		"angles":      `{"name":"` + strings.Repeat("<a", 30_000) + `"}`,
		"escapes":     `{"name":"` + strings.Repeat(`\\`, 30_000) + `"}`,
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = request.Decode([]byte(body))
			}
		})
	}
}
