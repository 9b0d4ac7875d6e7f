package event

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf16"
)

// mark replaces what was cut.
const mark = "…[cut]"

// MaxDeadLetter is how many characters Service Bus keeps of a dead-letter
// reason and of its description.
const MaxDeadLetter = 4096

// Clean makes foreign text safe to publish: without control characters, without the queries of URLs
// (a SAS token or an operation's signature grants access), without bearer tokens, and cut at limit
// characters.
func Clean(s string, limit int) string {
	// Most of a very long text is cut anyway, so only its start is cleaned.
	enough := 16*max(limit, 0) + 1024
	tooLong := len(s) > enough
	s = s[:min(len(s), enough)]
	s = strings.ToValidUTF8(s, "�")
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, s)
	s = urlQuery.ReplaceAllString(s, "$1?[redacted]")
	s = sasSignature.ReplaceAllString(s, "$1[redacted]")
	s = bearerToken.ReplaceAllString(s, "$1[redacted]")
	if tooLong {
		s += mark
	}
	return Cut(s, limit)
}

var (
	urlQuery     = regexp.MustCompile(`(?i)(https?://[^\s"'<>?]*)\?[^\s"'<>]*`)
	sasSignature = regexp.MustCompile(`(?i)(\bsig=)[^&\s"']+`)
	bearerToken  = regexp.MustCompile(`(?i)(\bbearer )[a-z0-9._~+/=-]{8,}`)
)

// Cut shortens s to at most limit characters, including the mark that says so. Characters are
// counted as Service Bus counts them: one beyond the basic plane counts as two.
func Cut(s string, limit int) string {
	if length(s) <= limit {
		return s
	}
	room := limit - length(mark)
	if room < 0 {
		return ""
	}
	for at, r := range s {
		if room -= utf16.RuneLen(r); room < 0 {
			return s[:at] + mark
		}
	}
	return s
}

// length counts characters like Cut.
func length(s string) int {
	n := 0
	for _, r := range s {
		n += utf16.RuneLen(r)
	}
	return n
}

// Bounds in characters. Encoded, a character takes six bytes at worst, so an
// event's error and problems stay below 6 × (maxMessage + maxRest) bytes.
const (
	maxWord    = 256    // codes, names and the like
	maxPlace   = 2_048  // resource IDs, URLs, targets
	maxMessage = 4_096  // of an error
	maxRest    = 10_000 // of all details and problems together
	maxDetail  = 2_048  // of one detail or problem
	maxLevels  = 4      // of details in details
)

// bounded is e with durations filled in and with foreign text cleaned and cut. Metadata stays as it
// is, because it was checked when the request was decoded.
func (e Event) bounded() Event {
	d := e.Data.withDurations()
	d.Source.ID, d.Source.UniqueID = Clean(d.Source.ID, maxPlace), Clean(d.Source.UniqueID, maxWord)
	rest := budget{left: maxRest}
	if d.Error != nil {
		bounded := rest.error(*d.Error)
		d.Error = &bounded
	}
	d.Problems = rest.problems(d.Problems)
	d.ReplicationStatus = d.ReplicationStatus.Bounded()
	e.Data = d
	return e
}

// Bounded is e as an event publishes it: less than 50 KB of JSON.
func (e Error) Bounded() Error {
	rest := budget{left: maxRest}
	return rest.error(e)
}

// maxRegions is more than Azure has.
const maxRegions = 200

// Bounded is r as an event publishes it.
func (r *Replication) Bounded() *Replication {
	if r == nil {
		return nil
	}
	kept := Replication{AggregatedState: Clean(r.AggregatedState, maxWord)}
	rest := budget{left: maxRest}
	for _, region := range r.Summary[:min(len(r.Summary), maxRegions)] {
		kept.Summary = append(kept.Summary, Region{
			Region: Clean(region.Region, 64), State: Clean(region.State, 64), Progress: region.Progress, Details: rest.take(region.Details, maxDetail),
		})
	}
	return &kept
}

func (b *budget) error(e Error) Error {
	e.Code = Clean(e.Code, maxWord)
	e.Message = Clean(e.Message, maxMessage)
	e.Target = Clean(e.Target, maxPlace)
	e.Hint = Clean(e.Hint, maxMessage)
	e.Details = b.details(e.Details, maxLevels)
	return e
}

// budget is the rest of maxRest that is not used yet.
type budget struct{ left int }

// entryCost stands for the JSON around the texts of one entry.
const entryCost = 16

func (b *budget) take(s string, limit int) string {
	s = Clean(s, min(limit, max(b.left, 0)))
	b.left -= length(s)
	return s
}

func (b *budget) details(all []Detail, levels int) []Detail {
	if len(all) == 0 {
		return nil
	}
	if levels == 0 {
		return []Detail{{Message: mark}}
	}
	var kept []Detail
	for _, d := range all {
		if b.left -= entryCost; b.left < length(mark) {
			return append(kept, Detail{Message: mark})
		}
		kept = append(kept, Detail{
			Code:    b.take(d.Code, maxWord),
			Message: b.take(d.Message, maxDetail),
			Target:  b.take(d.Target, maxPlace),
			Details: b.details(d.Details, levels-1),
		})
	}
	return kept
}

func (b *budget) problems(all []Problem) []Problem {
	var kept []Problem
	for _, p := range all {
		if b.left -= entryCost; b.left < length(mark) {
			return append(kept, Problem{Message: mark})
		}
		kept = append(kept, Problem{
			Pointer: b.take(p.Pointer, maxDetail),
			Path:    b.take(p.Path, maxDetail),
			Message: b.take(p.Message, maxDetail),
		})
	}
	return kept
}
