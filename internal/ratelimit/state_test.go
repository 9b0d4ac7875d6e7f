package ratelimit

import (
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

// known is a state with known limits: each creation so long before noon was answered with the
// header.
func known(header string, ago ...time.Duration) *State {
	s := &State{}
	for _, d := range ago {
		at := noon.Add(-d)
		turn := s.Ask(0, at)
		s.Answer(Answer{Start: turn.Start, Sent: at, Limits: Parse(header)}, at)
	}
	return s
}

const header = "Microsoft.Compute/CreateImages3Min;39,Microsoft.Compute/CreateImages30Min;199"

func TestAFewFindOut(t *testing.T) {
	s, went := &State{}, 0
	for range 100 {
		turn := s.Ask(0, noon)
		if turn.Wait == 0 {
			went++
		} else if turn.Wait > 12*time.Second {
			t.Errorf("has to wait for %s, want until the first answers are there", turn.Wait)
		}
	}
	if went != unknown.Capacity || s.Next != 100 || len(s.Line) != s.Next-went {
		t.Errorf("%d went, %+v", went, s)
	}
}

func TestNoLimitNoLine(t *testing.T) {
	s := &State{}
	s.Answer(Answer{Start: s.Ask(0, noon).Start, Sent: noon}, noon)
	for range 100 {
		if turn := s.Ask(0, noon); turn.Wait > 0 || turn.Number != 0 {
			t.Fatalf("%+v although no limit is known", turn)
		}
	}
	s.Answer(Answer{Sent: noon, Refused: true, RetryAfter: time.Minute}, noon)
	if turn := s.Ask(0, noon); turn.Wait < time.Minute {
		t.Errorf("%+v after a refusal", turn)
	}
}

// TestEveryLimitApplies: the form of a limit counts, not its name. The limits are those of gallery
// versions, and unknown windows and buckets. It fails if a limit in a header is ignored.
func TestEveryLimitApplies(t *testing.T) {
	for _, name := range []string{"CreateImages3Min", "CreateUpdateGalleryImageVersion3Min", "SomethingNew3Min", "SomethingNew10Hour", "SomethingNewMaximum", "Other"} {
		s := known(strings.Replace(header, "CreateImages3Min;39", name+";0", 1), time.Second)
		if turn := s.Ask(0, noon.Add(10*time.Second)); turn.Wait < 10*time.Second {
			t.Errorf("%s has nothing left, and a build waits for %s", name, turn.Wait)
		}
	}
}

func TestWindowSlides(t *testing.T) {
	s, at := known("Microsoft.Compute/CreateImages3Min;1", 2*time.Minute), noon.Add(-time.Minute)
	s.Answer(Answer{Start: s.Ask(0, at).Start, Sent: at, Limits: Parse("Microsoft.Compute/CreateImages3Min;0")}, at)
	turn := s.Ask(0, noon.Add(time.Minute-time.Second)) // one window after the first, but for the margin
	if turn.Wait < 2*time.Second || turn.Wait > 4*time.Second {
		t.Errorf("waits %s, want until the first creation has left the window", turn.Wait)
	}
	next := s.Ask(0, noon)
	if next.Wait < time.Minute || next.Wait > 3*time.Minute {
		t.Errorf("the next waits %s, want until the second has left it", next.Wait)
	}
}

func TestOthersAreReckonedWith(t *testing.T) {
	s := known("Microsoft.Compute/CreateImages3Min;39", time.Minute)
	at := noon
	turn := s.Ask(0, at)
	s.Answer(Answer{Start: turn.Start, Sent: at, Limits: Parse("Microsoft.Compute/CreateImages3Min;18")}, at)
	if got := s.Limits[0].Others; got < 19 || got > 21 {
		t.Errorf("others use %d, want 20", got)
	}
}

func TestRefusedStandsInFront(t *testing.T) {
	s := known(header, time.Minute)
	turn, starts := s.Ask(0, noon), len(s.Starts)-1
	s.Answer(Answer{Start: turn.Start, Sent: noon, Refused: true, RetryAfter: time.Minute, Limits: Parse("Microsoft.Compute/CreateImages3Min;0")}, noon)
	if len(s.Starts) != starts {
		t.Errorf("%d starts, want %d: a refused creation is not counted", len(s.Starts), starts)
	}
	s.Ask(0, noon)
	if again := s.Ask(turn.Number, noon); again.Wait < time.Minute || again.Wait > 5*time.Minute || s.Line[0] != turn.Number {
		t.Errorf("waits %s in %v, want Retry-After, before the other", again.Wait, s.Line)
	}
}

// TestTheLineDoesNotFill: the number of a build that never comes does not stay in the line.
func TestTheLineDoesNotFill(t *testing.T) {
	s := known(header, time.Minute)
	found := s.Ask(0, noon)
	s.Return(found.Start)
	if len(s.Line) != 0 || len(s.Starts) != 1 {
		t.Errorf("after a build found its image: %+v", s)
	}
	full := known("Microsoft.Compute/CreateImages3Min;0", time.Second)
	for range 3 {
		full.Leave(full.Ask(0, noon).Number)
	}
	if len(full.Line) != 0 || full.Next != 4 {
		t.Errorf("after three left: %+v", full)
	}
}

// TestAPlaceIsTakenOnce: a build that was delivered twice, and one whose process died after its
// turn, keep their places.
func TestAPlaceIsTakenOnce(t *testing.T) {
	s := known("Microsoft.Compute/CreateImages3Min;0", time.Second)
	first, second := s.Ask(0, noon), s.Ask(0, noon)
	s.Ask(second.Number, noon)
	if s.Ask(first.Number, noon); len(s.Line) != 2 || s.Line[0] != first.Number {
		t.Errorf("the line is %v", s.Line)
	}
	turn := s.Ask(first.Number, noon.Add(time.Hour))
	if again := s.Ask(turn.Number, noon.Add(time.Hour)); turn.Wait > 0 || s.Line[0] != second.Number && s.Line[0] != again.Number {
		t.Errorf("%+v, then %+v, the line is %v", turn, again, s.Line)
	}
}

// TestWhoComesBackStandsInOrder: builds that come back after their places were dropped are not all
// first.
func TestWhoComesBackStandsInOrder(t *testing.T) {
	s := known("Microsoft.Compute/CreateImages3Min;0", time.Second)
	s.Next = 100
	last := time.Duration(0)
	for n := range 50 {
		turn := s.Ask(n+2, noon)
		if turn.Wait < last*9/10 {
			t.Errorf("number %d waits %s, one before it %s", n+2, turn.Wait, last)
		}
		last = turn.Wait
	}
	if len(s.Line) != 50 || last < 18*time.Minute {
		t.Errorf("%d in line, the last waits %s", len(s.Line), last)
	}
}

func TestAForgottenLineBeginsAnew(t *testing.T) {
	s := &State{}
	if turn := s.Ask(700, noon); turn.Wait > 0 || s.Next != 700 || len(s.Line) != 0 {
		t.Errorf("%+v of %+v", turn, s)
	}
	if turn := s.Ask(1<<60, noon); turn.Wait > time.Minute || s.Next > 1000 {
		t.Errorf("a number that cannot be: %+v of %+v", turn, s)
	}
}

// TestWhatNobodyComesForIsUsed: the numbers of builds that disappeared do not block others for
// long.
func TestWhatNobodyComesForIsUsed(t *testing.T) {
	s := known(header, time.Hour)
	for range 500 {
		s.enter(0)
	}
	if turn := s.Ask(0, noon); turn.Wait > 0 {
		t.Errorf("waits %s although nobody has come for an hour", turn.Wait)
	}
}

func TestParse(t *testing.T) {
	for header, want := range map[string][]Limit{
		"Microsoft.Compute/CreateImages3Min;39,Microsoft.Compute/CreateImages30Min;199": {
			{Name: "CreateImages3Min", Window: 3 * time.Minute, Remaining: 39}, {Name: "CreateImages30Min", Window: 30 * time.Minute, Remaining: 199},
		},
		"Microsoft.Compute/CreateImagesSubscriptionMaximum;59":                     {{Name: "CreateImagesSubscriptionMaximum", Remaining: 59}},
		"Microsoft.Compute/A10Sec;1 , Microsoft.Compute/B2Hour;9":                  {{Name: "A10Sec", Window: 10 * time.Second, Remaining: 1}, {Name: "B2Hour", Window: 2 * time.Hour, Remaining: 9}},
		"Microsoft.Compute/PutVMResource;11":                                       nil, // counts for each resource by itself
		"Microsoft.Compute/A3Min;-1,Microsoft.Compute/A3Min;x,A3Min;5,a/b3Min,;/,": nil,
		"Microsoft.Compute/A3Min;99999999":                                         nil, // no limit of Resource Manager's
		"Microsoft.Compute/A0Min;5,Microsoft.Compute/A99999Min;5":                  {{Name: "A0Min", Remaining: 5}, {Name: "A99999Min", Remaining: 5}},
	} {
		got := Parse(header)
		if len(got) != len(want) {
			t.Errorf("%q: %+v", header, got)
			continue
		}
		for i := range got {
			if got[i] != want[i] {
				t.Errorf("%q: %+v, want %+v", header, got[i], want[i])
			}
		}
	}
}

// FuzzParse: limits from any header make a document that can be read again.
func FuzzParse(f *testing.F) {
	f.Add(header)
	f.Add("Microsoft.Compute/CreateImagesSubscriptionMaximum;59,x/0Min;1,/Hour;0,;;,/")
	f.Fuzz(func(t *testing.T, header string) {
		s := known(header, 3*time.Second, 2*time.Second)
		if _, err := decode(mustMarshal(t, *s), noon); err != nil {
			t.Errorf("a document of one's own is refused: %v", err)
		}
	})
}

// FuzzDecode: no document causes a panic, or a wait longer than the longest allowed one.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"limits":[{"name":"a","window":180000000000,"remaining":3,"capacity":40,"others":2,"at":"2026-11-27T11:59:00Z"},{"name":"b","remaining":9,"tokens":2,"tokensAt":"2026-11-27T11:59:00Z"}],"starts":[1796000000000,1796000000001],"next":5,"granted":3}`))
	f.Add([]byte(`{"notBefore":"2026-11-27T12:30:00Z","next":9223372036854775807}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		s, err := decode(body, noon)
		if err != nil {
			return
		}
		for _, number := range []int{0, 1, -1, s.Next, 1 << 62} {
			if turn := s.Ask(number, noon); turn.Wait < 0 || turn.Wait > longestWait+30*time.Second {
				t.Errorf("number %d waits %s", number, turn.Wait)
			}
		}
		s.Answer(Answer{Start: noon, Sent: noon, Limits: Parse(header), Refused: true}, noon)
	})
}
