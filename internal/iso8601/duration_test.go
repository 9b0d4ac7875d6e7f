package iso8601_test

import (
	"testing"
	"time"

	"goldmint/internal/iso8601"

	"pgregory.net/rapid"
)

func TestParse(t *testing.T) {
	for _, test := range []struct {
		text string
		want time.Duration
	}{
		{"PT5M", 5 * time.Minute},
		{"PT2H30M", 150 * time.Minute},
		{"P7D", 7 * 24 * time.Hour},
		{"P1W", 7 * 24 * time.Hour},
		{"P1DT1H", 25 * time.Hour},
		{"PT90M", 90 * time.Minute},
		{"PT0.5S", 500 * time.Millisecond},
		{"PT0S", 0},
	} {
		got, err := iso8601.Parse(test.text)
		if err != nil || got != test.want {
			t.Errorf("Parse(%q) = %v, %v, want %v", test.text, got, err, test.want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, text := range []string{
		"", "P", "PT", "P1DT", "5M", "PT5", "pt5m", "P1Y", "P1M", "-PT5M", "PT-5M", "PT5M ", "PT1M1H", "P1W1D",
		"PT.5S", "PT1.S", "PT999999999H", "P106752D", "PT9999999999S", "2h",
	} {
		if got, err := iso8601.Parse(text); err == nil {
			t.Errorf("Parse(%q) = %v, want an error", text, got)
		}
	}
}

func TestFormat(t *testing.T) {
	for _, test := range []struct {
		d    time.Duration
		want string
	}{
		{0, "PT0S"},
		{-time.Second, "PT0S"},
		{2 * time.Hour, "PT2H"},
		{26*time.Hour + 30*time.Minute, "PT26H30M"},
		{24 * time.Hour, "P1D"},
		{1500 * time.Millisecond, "PT1.5S"},
	} {
		if got := iso8601.Format(test.d); got != test.want {
			t.Errorf("Format(%v) = %q, want %q", test.d, got, test.want)
		}
	}
}

func TestFormatIsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := time.Duration(rapid.Int64Min(0).Draw(t, "nanoseconds"))
		got, err := iso8601.Parse(iso8601.Format(d))
		if err != nil || got != d {
			t.Fatalf("Parse(%q) = %v, %v, want %v", iso8601.Format(d), got, err, d)
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"PT5M", "P7D", "PT0.000000001S", "P", "PT999999999H999999999M"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := iso8601.Parse(text)
		if err != nil {
			return
		}
		if d < 0 {
			t.Fatalf("Parse(%q) = %v is negative", text, d)
		}
	})
}
