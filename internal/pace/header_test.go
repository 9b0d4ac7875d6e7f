package pace

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	const three, thirty = 3 * time.Minute, 30 * time.Minute
	for header, want := range map[string][]Allowance{
		"Microsoft.Compute/CreateImages3Min;39,Microsoft.Compute/CreateImages30Min;199": {
			{"CreateImages3Min", three, 39}, {"CreateImages30Min", thirty, 199},
		},
		"Microsoft.Compute/CreateImagesSubscriptionMaximum;59":                     {{"CreateImagesSubscriptionMaximum", 0, 59}},
		"Microsoft.Compute/CreateImages3Min;0 , Microsoft.Compute/GetImages3Min;9": {{"CreateImages3Min", three, 0}},
		"Microsoft.Compute/GetImagesSubscriptionMaximum;357":                       nil, // another limit
		"Microsoft.Compute/CreateImages3Min;-1":                                    nil,
		"Microsoft.Compute/CreateImages3Min;many":                                  nil,
		"Microsoft.Compute/CreateImages3Min;99999999":                              nil, // no limit of ARM's
		"Microsoft.Compute/CreateImages99999Min;5":                                 {{"CreateImages99999Min", 0, 5}},
		"CreateImages3Min;5":                                                       nil,
		"":                                                                         nil,
		",;/,":                                                                     nil,
	} {
		if d := cmp.Diff(want, Parse(header)); d != "" {
			t.Errorf("%q (-want +got):\n%s", header, d)
		}
	}
}

// FuzzParse holds that what is read of a header can travel: a note with it passes its check.
func FuzzParse(f *testing.F) {
	f.Add("Microsoft.Compute/CreateImages3Min;39,Microsoft.Compute/CreateImages30Min;199")
	f.Add("Microsoft.Compute/CreateImagesSubscriptionMaximum;59")
	f.Add("Microsoft.Compute/CreateImages0Min;1,/CreateImages;0,;;,/")
	f.Fuzz(func(t *testing.T, header string) {
		all := Parse(header)
		for _, a := range all {
			if a.Remaining < 0 || a.Window < 0 || !strings.HasPrefix(a.Name, creations) {
				t.Errorf("read %+v", a)
			}
		}
		p := New("one")
		p.Answered("here", 1, all, 0, epoch, epoch)
		p.Answered("here", 1, all, time.Second, epoch.Add(time.Minute), epoch.Add(time.Minute))
		if err := p.Note("here", Note{Ticket: 1}, epoch.Add(time.Minute)).Check(); err != nil {
			t.Errorf("a note of one's own is refused: %v", err)
		}
	})
}
