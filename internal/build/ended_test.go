package build

import (
	"strings"
	"testing"
	"time"
)

// TestEventsNameTheImageAlike: ARM answers with the resource group in capitals at times. A
// subscriber that filters by the subject of the started event has to get the end too.
func TestEventsNameTheImageAlike(t *testing.T) {
	p, b := DefaultPolicy(), travelling(t)
	b.Attempt.Token, b.Announced = "", false
	now := b.AcceptedAt.Add(time.Minute)
	image := Image{Exists: true, ID: strings.Replace(b.ImageID(), "/rg/", "/RG/", 1), State: "Creating", BuildTag: b.Tag()}

	b, _ = p.Step(b, Woken{}, now)
	b, started := p.Step(b, image, now)
	b, _ = p.Step(b, Published{}, now)
	b, _ = p.Step(b, Woken{}, now)
	image.State = "Succeeded"
	_, ended := p.Step(b, image, now)
	if started.Verb != Publish || ended.Verb != Publish || ended.Event.Subject != started.Event.Subject || ended.Event.Data.ImageID != started.Event.Data.ImageID {
		t.Errorf("started says %q, ended says %q", started.Event.Subject, ended.Event.Subject)
	}
}
