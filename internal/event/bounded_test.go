package event_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode"

	"goldmint/internal/event"

	"pgregory.net/rapid"
)

// The worst that Azure and a requester can write still fits.
func TestLargest(t *testing.T) {
	for _, text := range []string{"<", "\x01", "\u2028", "é", "😀", `"`, `\`} {
		e := golden()["failed"]
		long := strings.Repeat(text, 100_000)
		e.Data.Source.ID = long
		e.Data.Metadata = map[string]string{"note": strings.Repeat(text, 8<<10/len(text))}
		e.Data.Error = &event.Error{Code: long, Message: long, Target: long}
		e.Data.Error.Details = nested(long, 6)
		for i := range 10_000 {
			e.Data.Problems = append(e.Data.Problems, event.Problem{Pointer: fmt.Sprint("/", i), Message: text})
		}
		if size := len(marshal(t, e)); size > event.MaxBytes {
			t.Errorf("with %q it has %d bytes, more than %d", text, size, event.MaxBytes)
		}
	}
}

func nested(text string, levels int) []event.Detail {
	if levels == 0 {
		return nil
	}
	d := event.Detail{Code: "Code", Message: text, Target: text, Details: nested(text, levels-1)}
	return []event.Detail{d, d, d}
}

// What is cut says so.
func TestCutsAreMarked(t *testing.T) {
	e := golden()["failed"]
	e.Data.Error = &event.Error{Code: "C", Message: strings.Repeat("m", 5_000)}
	for range 200 {
		e.Data.Error.Details = append(e.Data.Error.Details, event.Detail{Code: "D", Message: strings.Repeat("d", 500)})
	}
	got, err := event.Parse(marshal(t, e))
	if err != nil {
		t.Fatal(err)
	}
	details := got.Data.Error.Details
	if last := details[len(details)-1]; !strings.HasSuffix(last.Message, "…[cut]") || len(details) < 10 || len(details) > 30 {
		t.Errorf("%d details, the last %+v", len(details), last)
	}
	if message := got.Data.Error.Message; !strings.HasSuffix(message, "m…[cut]") {
		t.Errorf("message ends in %q", message[len(message)-20:])
	}
	if details[0].Message != strings.Repeat("d", 500) {
		t.Error("a detail that fits was changed")
	}
}

// The event that is passed in stays as it is.
func TestMarshalChangesNothing(t *testing.T) {
	e := golden()["failed"]
	e.Data.Error.Message = "line\nbreak"
	e.Data.Error.Details[0].Message = "line\nbreak"
	marshal(t, e)
	if e.Data.Error.Message != "line\nbreak" || e.Data.Error.Details[0].Message != "line\nbreak" {
		t.Error("MarshalJSON wrote into its receiver's error")
	}
}

func TestClean(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"The blob is not accessible.", "The blob is not accessible."},
		{"two\r\nlines\tand \x1b[31mred\u2028", "two  lines and  [31mred "},
		{"see 'https://a.blob.core.windows.net/c/d.vhd?sv=1&sig=abc%3D' now", "see 'https://a.blob.core.windows.net/c/d.vhd?[redacted]' now"},
		{"GET https://management.azure.com/op?t=1&c=2&s=3 and HTTP://b?x", "GET https://management.azure.com/op?[redacted] and HTTP://b?[redacted]"},
		{"token sv=1&sig=abc%3D&se=2", "token sv=1&sig=[redacted]&se=2"},
		{"Authorization: Bearer eyJ0eXAi.abc-_", "Authorization: Bearer [redacted]"},
		{"what?", "what?"},
		{"caf\xe9", "caf�"},
	} {
		if got := event.Clean(test.text, 1000); got != test.want {
			t.Errorf("Clean(%q) = %q, want %q", test.text, got, test.want)
		}
	}
}

// A cut is always visible, for any length of the text and of its redacted part.
func TestCleanMarksWhatIsFarTooLong(t *testing.T) {
	text := "https://a/b?" + strings.Repeat("x", 1<<20)
	if got, want := event.Clean(text, 100), "https://a/b?[redacted]…[cut]"; got != want {
		t.Errorf("got %q", got)
	}
	if got := event.Clean(strings.Repeat("x ", 1<<20), 20); got != "x x x x x x x …[cut]" {
		t.Errorf("got %q", got)
	}
}

func TestCut(t *testing.T) {
	for _, test := range []struct {
		text  string
		limit int
		want  string
	}{
		{"short", 5, "short"},
		{"a long text", 10, "a lo…[cut]"},
		{"ééééééééé", 8, "éé…[cut]"},
		{"😀😀😀😀😀", 9, "😀…[cut]"},
		{"a long text", 6, "…[cut]"},
		{"a long text", 5, ""},
		{"a long text", -1, ""},
	} {
		if got := event.Cut(test.text, test.limit); got != test.want {
			t.Errorf("Cut(%q, %d) = %q, want %q", test.text, test.limit, got, test.want)
		}
	}
}

func TestCleanHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text, limit := rapid.String().Draw(t, "text"), rapid.IntRange(0, 40).Draw(t, "limit")
		got := event.Clean(text, limit)
		if n := len([]rune(got)); n > limit {
			t.Fatalf("%d characters, more than %d", n, limit)
		}
		if strings.ContainsFunc(got, unicode.IsControl) {
			t.Fatalf("%q holds a control character", got)
		}
		if again := event.Clean(got, limit); again != got {
			t.Fatalf("cleaned again it is %q, not %q", again, got)
		}
	})
}
