package workertest

import (
	"fmt"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"

	"goldmint/internal/build"
	"goldmint/internal/message"
	"goldmint/internal/request"
)

// Spec is a request to be sent.
type Spec struct {
	ID       string
	Name     string // of the image
	Source   string // VM it is made from
	IfExists request.IfExists
	Timeout  string // ISO 8601
	Version  bool   // a gallery image version in two regions is asked for, not a managed image
}

// Body is the request's JSON.
func (s Spec) Body() []byte {
	if s.Version {
		return fmt.Appendf(nil, `{"id":%q,"resourceGroup":"rg","galleryName":"corp","galleryImageName":"web","name":%q,"ifExists":%q,"timeout":%q,"galleryImageVersion":{"location":"westeurope",
			"properties":{"storageProfile":{"source":{"virtualMachineId":"/subscriptions/%s/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/%s"}},"publishingProfile":{"targetRegions":[{"name":"westeurope"},{"name":"northeurope"}]}}}}`,
			s.ID, s.Name, s.IfExists, s.Timeout, subscription, s.Source)
	}
	return fmt.Appendf(nil, `{"id":%q,"resourceGroup":"rg","name":%q,"ifExists":%q,"timeout":%q,"image":{"location":"westeurope","properties":{"sourceVirtualMachine":{"id":"/subscriptions/%s/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/%s"}}}}`,
		s.ID, s.Name, s.IfExists, s.Timeout, subscription, s.Source)
}

// Submit sends the request after d, as a message with the given id, and returns the build's key.
func (w *World) Submit(after time.Duration, s Spec, messageID string) string {
	r, err := request.Decode(s.Body())
	if err != nil {
		panic(fmt.Sprintf("request %s of a simulation: %v", s.ID, err))
	}
	b := build.New(r, subscription, Start)
	rec := w.records[b.Key()]
	if rec == nil {
		rec = w.newRecord(b)
	}
	rec.messages[messageID] = true
	w.clock.after(after, func() {
		if w.requests.send(message.Outgoing{ID: messageID, Body: s.Body()}, rec.key, false) && rec.requestedAt.IsZero() {
			rec.requestedAt = w.clock.now
		}
		w.tell("sender", rec.key, "sent %s", messageID)
	})
	return rec.key
}

// SubmitRaw sends a body that is no request.
func (w *World) SubmitRaw(after time.Duration, body, messageID string) {
	w.clock.after(after, func() { w.requests.send(message.Outgoing{ID: messageID, Body: []byte(body)}, messageID, false) })
}

// SubmitKiller sends a message that kills the process in which it is decoded.
func (w *World) SubmitKiller(after time.Duration) {
	body := Spec{ID: "killer", Name: "killer", Source: "vm", IfExists: request.Fail, Timeout: "PT30M"}.Body()
	w.clock.after(after, func() { w.requests.send(message.Outgoing{ID: "killer", Body: body}, "killer", true) })
}

// Load sends builds requests, spread over the given time: most of them once, some twice, some with
// a shared name.
func (w *World) Load(builds int, over time.Duration) {
	timeouts := []string{"PT5M", "PT10M", "PT30M"}
	policies := []request.IfExists{request.Fail, request.Reuse, request.Replace}
	for n := range builds {
		s := Spec{
			ID: fmt.Sprintf("b%05d", n), Name: name(n, false), Source: fmt.Sprintf("vm-%05d", n),
			IfExists: policies[w.rng.IntN(3)], Timeout: timeouts[w.rng.IntN(3)],
		}
		if w.Versions {
			s.version(n)
		}
		at := w.between(0, over)
		w.variant(&s, n, at)
		w.Submit(at, s, "m-"+s.ID)
	}
}

// version changes the request to one for the n-th version, which takes longer and is never
// replaced.
func (s *Spec) version(n int) {
	s.Version, s.Name = true, name(n, true)
	s.Timeout = map[string]string{"PT5M": "PT30M", "PT10M": "PT1H", "PT30M": "PT2H"}[s.Timeout]
	if s.IfExists == request.Replace {
		s.IfExists = request.Fail
	}
}

func name(n int, version bool) string {
	if version {
		return fmt.Sprintf("1.0.%d", n)
	}
	return fmt.Sprintf("image-%05d", n)
}

// variant makes one request in five unusual.
func (w *World) variant(s *Spec, n int, at time.Duration) {
	switch w.rng.IntN(40) {
	case 0, 1: // sent twice: a pipeline's retry
		w.Submit(at+w.between(0, time.Minute), *s, "m-"+s.ID)
	case 2: // sent again after its end
		w.Submit(at+w.between(time.Hour, 8*time.Hour), *s, "again-"+s.ID)
	case 3: // the same id with another request
		other := *s
		other.Timeout = "PT11M"
		w.Submit(at+w.between(0, time.Minute), other, "other-"+s.ID)
	case 4, 5: // somebody's image has the name already
		tag := []string{"", "someone/0123"}[w.rng.IntN(2)]
		state := []string{"Succeeded", "Failed"}[w.rng.IntN(2)]
		w.names[s.imageID()]++
		w.arm.place(s.imageID(), tag, state, Start.Add(-time.Hour))
	case 6, 7: // the name of the request before
		if n > 0 {
			s.Name = name(n-1, s.Version)
		}
	}
}

func (s Spec) imageID() string {
	r := request.Request{ResourceGroup: "rg", Name: s.Name}
	if s.Version {
		r.GalleryName, r.GalleryImageName, r.GalleryImageVersion = "corp", "web", &armcompute.GalleryImageVersion{}
	}
	return r.ResourceID(subscription)
}
